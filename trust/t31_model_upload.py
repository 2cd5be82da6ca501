"""T31: nobody can bring a model file in, and one that lies where the champion should is not run."""

from __future__ import annotations

import pickle
import shutil
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi.testclient import TestClient

from detector.api import create_app
from detector.core import archive
from detector.errors import DetectorError, InputError
from detector.service.checking import check as checked
from detector.service.uploads import receive
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.hostile_files import hostile_files
from trust.promise import Outcome, Promise, Size
from trust.quiet import quiet

_TYPES = ("application/json", "application/octet-stream", "multipart/form-data; boundary=x", "application/x-pickle", "")


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Offer hostile files at every door and put them where the champion is looked for."""
    quiet()
    canary = folder / "canary"
    files = hostile_files(canary)
    chosen = list(files.items()) if size.full else list(files.items())[:: 1 if broken else 5]
    faults: list[str] = []
    breaking: AbstractContextManager[Any] = patch.object(archive, "_load", _unpickled) if broken else nullcontext()
    with breaking:
        asked = _at_doors(folder / "doors", chosen, canary, faults)
        # Each gets a workspace in which nothing was trained: made once, then copied.
        empty = folder / "empty"
        _opened(empty).close()
        for number, (title, content) in enumerate(chosen):
            home = folder / f"home{number}"
            shutil.copytree(empty, home)
            path = home / "models" / "anomaly_detector.joblib"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            ws = _opened(home)
            if ws.champion() is not None or ws.notice is None:
                faults.append(f"{title}, where the champion is looked for: was not refused")
            ws.close()
            _ran(canary, f"{title}, where the champion is looked for", faults)
    return Outcome(
        f"{len(chosen)} hostile files: refused where the champion is looked for, no page takes them for a table, "
        f"{asked} requests with them refused, no door is described to take a file",
        tuple(faults),
    )


def _opened(home: Path) -> Workspace:
    return Workspace.open(Settings(home=home, model_path=None, database_url=None, log_level="ERROR"))


def _unpickled(data: bytes) -> Any:
    try:
        return pickle.loads(data)  # noqa: S301 - this is the deliberate break
    except Exception as error:
        raise archive._damaged() from error


def _ran(canary: Path, title: str, faults: list[str]) -> None:
    if canary.exists():
        faults.append(f"{title}: ran")
        canary.unlink()


def _at_doors(home: Path, files: list[tuple[str, bytes]], canary: Path, faults: list[str]) -> int:
    ws = _opened(home)
    asked = 0
    try:
        train_rows(ws, [{"a": n % 7, "b": n % 11} for n in range(60)], TrainParameters(n_estimators=3), actor="trust")
        with TestClient(
            create_app(ws), base_url="http://127.0.0.1", raise_server_exceptions=False, client=("127.0.0.1", 50_000)
        ) as client:
            paths = client.get("/openapi.json").json()["paths"]
            for path, methods in paths.items():
                for method, door in methods.items():
                    kinds = set(door.get("requestBody", {}).get("content", {}))
                    if kinds - {"application/json"}:
                        faults.append(f"{method} {path} is described to take {kinds}")
            for title, content in files:
                for path, methods in paths.items():
                    for kind in _TYPES if "post" in methods or "put" in methods else ():
                        asked += 1
                        method = "POST" if "post" in methods else "PUT"
                        headers = {"Content-Type": kind}
                        plain = path.translate({ord("{"): None, ord("}"): None})
                        answer = client.request(method, plain, content=content, headers=headers)
                        if not 400 <= answer.status_code < 500:
                            faults.append(f"{title} to {path} as {kind or 'nothing'}: {answer.status_code}")
                _ran(canary, f"{title}, sent to the API", faults)
                try:
                    checked(ws, receive(ws, "model.joblib", BytesIO(content), actor="trust").id)
                except InputError:
                    pass
                except DetectorError as error:
                    faults.append(f"{title}, uploaded as a table: {type(error).__name__}")
                else:
                    faults.append(f"{title}, uploaded as a table: was read as one")
                _ran(canary, f"{title}, uploaded as a table", faults)
    finally:
        ws.close()
    return asked


PROMISE = Promise(
    name="T31",
    says="A hostile model file is never run",
    asked="no door takes a model; a hostile one in the champion's place is refused",
    breaks="the loader unpickles whatever it is given",
    check=check,
)
