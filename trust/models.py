"""Small models and workspaces for the checks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from detector.core.model import DynamicAnomalyDetector
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from trust.local_api import settings_in

Row = Mapping[str, str | float | int | bool]


def payments(count: int, seed: int) -> list[Row]:
    """Return made-up payments; the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - made-up data
    return [
        {
            "amount": round(source.lognormvariate(3, 1), 2),
            "balance": round(source.gauss(2000, 500), 2),
            "visits": source.randint(0, 9),
            "country": source.choice(["NL", "DE", "FR"]),
            "card_present": source.random() < 0.6,
        }
        for _ in range(count)
    ]


def workspace_of(home: Path, versions: int, *, trees: int = 20, rows: int = 200) -> Workspace:
    """Open a workspace with so many versions of different models; the first is champion."""
    workspace = Workspace.open(settings_in(home))
    train_rows(workspace, payments(rows, 0), TrainParameters(n_estimators=trees), actor="check")
    for seed in range(1, versions):
        detector = DynamicAnomalyDetector(n_estimators=trees, random_state=seed).fit(payments(rows, seed))
        workspace.registry.register(new_version(detector, origin="trained"), actor="check")
    return workspace
