"""A process of its own that reads damaged and hostile model files, so that a crash of the reader is seen from outside.

``python -m trust.model_faults FOLDER FLIPS CUTS RESEALED [--broken]`` works on the workspace in FOLDER, prints what it
is at before each part and one JSON document at its end.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np

from detector.core import archive, stored_model
from detector.core.model import DynamicAnomalyDetector
from detector.errors import DetectorError, ModelFileError
from detector.settings import Settings
from detector.store import registry as registries
from detector.store.database import Database
from detector.store.model_folder import FolderStore
from trust.hostile_files import hostile_files, sealed
from trust.payments import payments

#: Events of the interpreter by which something that ran would give itself away.
GIVES_AWAY = (
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.", "exec", "compile", "socket.", "open",
    "_thread.start_new_thread",
)  # fmt: skip
#: Megabytes by which reading hostile files may let the process grow.
GROWTH = 128


def scores_of(model: DynamicAnomalyDetector) -> str:
    """Return a digest of all that the model says of some rows, bit for bit."""
    result = model.score(payments(200, seed=11, day=30))
    return sha256(result.scores.tobytes() + result.severities.tobytes() + result.labels.tobytes()).hexdigest()


def damaged(content: bytes, flips: int, cuts: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``content`` with single bits turned, half of them near its beginning and end, and cut short."""
    rng = np.random.default_rng(seed)
    bits = 8 * len(content)
    places = np.concatenate(
        [
            rng.integers(0, bits, flips - flips // 4 - flips // 4),
            rng.integers(0, 8 * 2_000, flips // 4),
            rng.integers(bits - 8 * 2_000, bits, flips // 4),
        ]
    )
    for place in places.tolist():
        turned = bytearray(content)
        turned[place // 8] ^= 1 << place % 8
        yield f"bit {place} turned", bytes(turned)
    for length in rng.integers(0, len(content), cuts).tolist():
        yield f"cut to {length} bytes", content[:length]


def refused_or_right(
    cases: Iterator[tuple[str, bytes]], read: Callable[[bytes], DynamicAnomalyDetector], scores: str
) -> dict[str, Any]:
    """Read every case; the answer says how many were refused, and names the faults."""
    refused, faults, tried = 0, [], 0
    building: list[int] = []
    true = stored_model.from_content
    stored_model.from_content = lambda content: building.append(1) or true(content)  # type: ignore[func-returns-value]
    try:
        for title, content in cases:
            tried += 1
            building.clear()
            try:
                found = scores_of(read(content))
            except ModelFileError:
                refused += 1
                if building:
                    faults.append(f"{title}: refused only after building had begun")
            except Exception as error:  # noqa: BLE001 - any other error is what is looked for
                faults.append(f"{title}: {type(error).__name__} instead of a refusal")
            else:
                if found != scores:
                    faults.append(f"{title}: was taken, and scores otherwise")
    finally:
        stored_model.from_content = true
    return {"tried": tried, "refused": refused, "faults": faults}


def resealed(content: bytes, count: int) -> dict[str, Any]:
    """Change values inside a model and seal it again: refused, or a model that scores; never a crash."""
    rng = np.random.default_rng(3)
    rows = payments(60, seed=12, day=30)
    refused, faults = 0, []
    for attempt in range(count):
        inside = archive.from_bytes(content)
        path = _change(inside, rng)
        try:
            DynamicAnomalyDetector.from_bytes(archive.to_bytes(inside)).score(rows)
        except DetectorError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - as above
            faults.append(f"change {attempt} of {path}: {type(error).__name__}: {str(error)[:80]}")
    return {"tried": count, "refused": refused, "faults": faults}


def _change(value: Any, rng: np.random.Generator) -> str:
    """Change one value somewhere inside, and return where."""
    path = []
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[int(rng.integers(len(keys)))]
        path.append(str(key))
        inner = value[key]
        if isinstance(inner, dict | list) and len(inner):
            value = inner
            continue
        value[key] = _changed(inner, rng)
        return ".".join(path)


def _changed(value: Any, rng: np.random.Generator) -> Any:
    odd = [None, -1, 0, 2**31, 2**63, 1e308, float("nan"), float("inf"), "", "x" * 99, [], {}, True, b"\0"]
    if not isinstance(value, np.ndarray) or not value.size:
        return odd[int(rng.integers(len(odd)))]
    value = value.copy()
    way = int(rng.integers(4))
    if way == 0:
        return value[:-1]
    if way == 1:
        return value.reshape(-1)[: value.size // 2]
    flat = value.reshape(-1).view(np.uint8)
    places = rng.integers(0, flat.size, 1 if way == 2 else max(flat.size // 8, 1))
    flat[places] = rng.integers(0, 256, len(places)) if value.dtype != bool else 1
    return value


def hostile(folder: Path) -> dict[str, Any]:
    """Read hostile files, bare and in a right envelope; nothing may run, and memory stays flat."""
    canary = folder / "canary"
    ran: list[str] = []
    watching, here = [False], get_ident()

    def watch(event: str, _arguments: tuple[Any, ...]) -> None:
        # What other threads of the process do meanwhile is their own affair.
        if watching[0] and get_ident() == here and event.startswith(GIVES_AWAY):
            ran.append(event)

    sys.addaudithook(watch)
    files = hostile_files(canary)
    faults, refused = [], 0
    for title, bare in files.items():
        for content in (bare, sealed(bare)):
            ran.clear()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            watching[0] = True
            try:
                DynamicAnomalyDetector.from_bytes(content)
                problem = "was taken"
            except ModelFileError:
                refused, problem = refused + 1, ""
            except BaseException as error:  # noqa: BLE001 - as above
                problem = f"{type(error).__name__} instead of a refusal"
            finally:
                watching[0] = False
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
            problem = problem or (f"let {ran[0]} happen" if ran else "") or ("made its file" if canary.exists() else "")
            if problem or grown > GROWTH:
                faults.append(f"{title}: {problem or f'grew the process by {grown} MB'}")
            canary.unlink(missing_ok=True)
    return {"tried": 2 * len(files), "refused": refused, "faults": faults}


def in_registry(folder: Path, registry: registries.Registry, flips: int, cuts: int) -> dict[str, Any]:
    """Damage the registered files on disk; the registry hands none of them out."""
    content = registry.get(1)
    path = folder / registry.models.names("versions/")[0]
    refused, faults, tried = 0, [], 0
    for title, bad in damaged(content, flips, cuts, seed=2):
        tried += 1
        path.write_bytes(bad)
        try:
            registry.get(1)
        except ModelFileError:
            refused += 1
        else:
            faults.append(f"registry: {title}: was handed out")
    path.write_bytes(content)
    return {"tried": tried, "refused": refused, "faults": faults}


class _Believes:
    """Stands in for ``hashlib`` and finds every payload to have the digest that the true file has."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def sha256(self, _content: bytes) -> _Believes:
        return self

    def hexdigest(self) -> str:
        return self._digest


def main(arguments: list[str]) -> None:
    """Do what the module says."""
    folder, (flips, cuts, count) = Path(arguments[0]), map(int, arguments[1:4])
    database = Database(Settings(home=folder, model_path=None, database_url=None).database_address)
    registry = registries.Registry(FolderStore(folder / "models", "models"), database)
    content = (folder / "whole.joblib").read_bytes()
    histories = (folder / "only.histories").read_bytes()
    model = DynamicAnomalyDetector.from_bytes(content)
    report: dict[str, Any] = {"scores": scores_of(model)}
    if "--broken" in arguments:
        archive.hashlib = _Believes(sha256(archive._load(content)["payload"]).hexdigest())  # type: ignore[assignment]
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "registry": lambda: in_registry(folder / "models", registry, flips, cuts),
        "model": lambda: refused_or_right(
            damaged(content, flips, cuts, 0), DynamicAnomalyDetector.from_bytes, report["scores"]
        ),
        "histories": lambda: refused_or_right(
            damaged(histories, flips // 5, cuts // 5, 1), model.with_histories, report["scores"]
        ),
        "resealed": lambda: resealed(content, count),
        "hostile": lambda: hostile(folder),
    }
    for name, part in parts.items():
        print(f"at {name}", file=sys.stderr, flush=True)
        report[name] = part()
    database.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
