"""P4: a model file is refused, or it is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from detector.core.model import DynamicAnomalyDetector
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.model_faults import scores_of
from trust.payments import trained
from trust.promise import Outcome, Promise, Size


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Damage a real model's file in every way, and read it in a process of its own."""
    model = trained(*size.choose((1_500, 50), (300, 8)))
    model.save(folder / "whole.joblib")
    (folder / "only.histories").write_bytes(model.histories_to_bytes() or b"")
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None))
    ws.promote(new_version(model, origin="trained"), actor="trust")
    kept = ws.detector(1)
    ws.close()
    expected = scores_of(model)
    faults = [
        f"{where}: other scores than before it was saved"
        for where, again in (
            ("the file", DynamicAnomalyDetector().load(folder / "whole.joblib")),
            ("the registry", kept),
        )
        if scores_of(again) != expected
    ]
    # Broken, each damaged file is built before it is refused, which takes its time.
    flips, cuts, resealed = size.choose((10_000, 1_000, 1_500), (200, 30, 40) if not broken else (40, 10, 5))
    command = [sys.executable, "-m", "trust.model_faults", str(folder), str(flips), str(cuts), str(resealed)]
    child = subprocess.run([*command, *(["--broken"] if broken else [])], capture_output=True, text=True, check=False)  # noqa: S603
    if child.returncode:
        last = child.stderr.strip().splitlines()[-1] if child.stderr.strip() else "nothing"
        return Outcome("the reader crashed", (*faults, f"exit code {child.returncode} after: {last}"))
    found = json.loads(child.stdout)
    if found.pop("scores") != expected:
        faults.append("another process: other scores than before it was saved")
    for name, part in found.items():
        faults += [f"{name}: {fault}" for fault in part["faults"]]
    tried = {name: f"{part['refused']:,} of {part['tried']:,}" for name, part in found.items()}
    return Outcome(
        f"refused: {tried['model']} damaged models ({tried['registry']} by the registry already), {tried['histories']} "
        f"damaged histories, {tried['hostile']} hostile files, {tried['resealed']} changed inside and sealed again "
        "(the others score); 0 crashes",
        tuple(faults),
    )


PROMISE = Promise(
    name="P4",
    says="A model file is refused or right",
    asked="10,000 bit flips and 1,000 truncations refused before construction, 20 hostile pickles run nothing, "
    "same scores bit for bit after save and load",
    breaks="the loader believes every payload to have the digest that it should have",
    check=check,
)
