"""T32: a name or an id is never a path."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from fastapi.testclient import TestClient

from detector.api import create_app
from detector.errors import DetectorError
from detector.service import uploads
from detector.service.checking import check as checked
from detector.service.exports.exporting import export_scored
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import get_case
from detector.service.review.filters import Filters
from detector.service.review.saved_views import list_views, save_view
from detector.service.runs import get_run
from detector.service.scoring import score_file
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.promise import Outcome, Promise, Size
from trust.quiet import quiet

NAMES = (
    "../../outside.csv", "..", ".", "/etc/passwd", "C:\\windows\\outside.csv", "..\\..\\outside.csv", "a\0b.csv",
    "n" * 300 + ".csv", "invoice\u202evsc.exe", "CON", "-rf", "~root", "%2e%2e%2foutside.csv", "a/b/c.csv", " ", "",
    "outside\n.csv", "file:///etc/passwd", "\\\\server\\share", "${HOME}", "`id`", "caf\u00e9.csv", "\ud800.csv",
)  # fmt: skip
IDS = (
    *NAMES,
    "1e9",
    "-1",
    "9" * 40,
    "9" * 400 + "-1",
    "1-" + "9" * 30,
    "0-0",
    "٣-١",
    "1-1/../..",
    "1; DROP TABLE runs",
)


def check(folder: Path, _size: Size, broken: bool) -> Outcome:
    """Use hostile names and ids for all that a person or a client can name."""
    quiet()
    home = folder / "deep" / "er" / "home"
    ws = Workspace.open(Settings(home=home, model_path=None, database_url=None, log_level="ERROR"))
    numbers = count()
    named: AbstractContextManager[Any] = nullcontext()
    if broken:
        named = patch.object(uploads, "uuid4", lambda: SimpleNamespace(hex=f"../../../outside{next(numbers)}.csv"))
    faults: list[str] = []
    try:
        train_rows(ws, [{"a": n % 7, "b": n % 11} for n in range(60)], TrainParameters(n_estimators=3), actor="trust")
        with named:
            for name in NAMES:
                _uploaded(ws, name, faults)
        tried = _asked_for(ws, faults)
    finally:
        ws.close()
    outside = [path for path in folder.rglob("*") if path.is_file() and home not in path.parents]
    faults += [f"{path.relative_to(folder)} was written outside the workspace" for path in outside]
    for path in home.rglob("*"):
        odd = "outside" in path.name or "passwd" in path.name or not path.name.isascii() or len(path.name) > 100
        if odd:
            faults.append(f"{path.name[:80]!r} is stored under a name that somebody gave")
    return Outcome(
        f"{len(NAMES)} file names, {tried} ids at doors and use cases: nothing outside the workspace, nothing stored "
        "under a given name, every id refused",
        tuple(faults),
    )


def _uploaded(ws: Workspace, name: str, faults: list[str]) -> None:
    content = "\n".join(["a,b", *(f"{n % 7},{n % 11}" for n in range(30))]).encode()
    try:
        upload = uploads.receive(ws, name, content, actor="trust")
        found = checked(ws, upload.id)
        run = score_file(ws, upload.id, actor="trust")
        export = export_scored(ws, run.id, "csv", actor="trust")
    except DetectorError:
        return
    except Exception as error:  # noqa: BLE001 - what is looked for
        faults.append(f"a file called {name[:40]!r}: {type(error).__name__}: {str(error)[:100]}")
        return
    for shown in (run.name, export.name, found.name if hasattr(found, "name") else ""):
        if "/" in shown or "\\.." in shown or not shown.isprintable() or len(shown) > 120:
            faults.append(f"a file called {name[:40]!r} is shown as {shown[:60]!r}")


def _asked_for(ws: Workspace, faults: list[str]) -> int:
    tried = 0
    cases = [
        ("a case", lambda given: get_case(ws, CaseId.parse(given))),
        ("an upload", lambda given: uploads.get_upload(ws, given)),
        ("a check", lambda given: checked(ws, given)),
        ("a score", lambda given: score_file(ws, given, actor="trust")),
        ("a view", lambda given: save_view(ws, given, Filters(search=given), owner="trust")),
        ("a version", lambda given: ws.registry.get(int(given))),
        ("a run", lambda given: get_run(ws, int(given))),
    ]
    for given in IDS:
        for title, ask in cases:
            tried += 1
            try:
                ask(given)
                if title not in {"a view"}:
                    faults.append(f"{title} called {given[:40]!r} was found")
            except (DetectorError, ValueError):
                pass
            except Exception as error:  # noqa: BLE001 - what is looked for
                faults.append(f"{title} called {given[:40]!r}: {type(error).__name__}: {str(error)[:80]}")
    list_views(ws, owner="trust")
    with TestClient(
        create_app(ws), base_url="http://127.0.0.1", raise_server_exceptions=False, client=("127.0.0.1", 50_000)
    ) as client:
        description = client.get("/openapi.json").json()
        templates = [path for path in description["paths"] if "{" in path]
        for template in [*templates, "/{}", "/docs-assets/{}", "/model/{}"]:
            head, tail = template.split("{")[0], template.rsplit("}", 1)[1]
            for given in IDS:
                tried += 1
                text = quote(given, safe="", errors="replace")
                answer = client.get(f"{head}{text}{tail}", follow_redirects=False)
                # An id that normalises to the folder above is another path, which may well exist.
                if answer.status_code >= 500 or "root:" in answer.text:
                    faults.append(f"GET {head}{given[:30]!r}: {answer.status_code}")
    return tried


PROMISE = Promise(
    name="T32",
    says="A name or an id is never a path",
    asked="../, absolute, NUL, 300 characters, bidirectional: shown escaped, stored under ids of our own",
    breaks="uploads are stored under the name that they came with",
    check=check,
)
