"""Small workspaces for checks, and made-up transactions."""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.core.model import DynamicAnomalyDetector
from detector.service import scoring, uploads
from detector.service.review import queueing
from detector.service.versions import training
from detector.service.versions.training import TrainParameters
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from detector.settings import Settings

#: Trainings that take some hundredths of a second.
SMALL = TrainParameters(n_estimators=8, max_samples=64)
#: Cases in the queue.
CASES = 40


def transactions(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return made-up transactions of six fields, as the API takes them."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [
        {
            "amount": round(source.lognormvariate(3.5, 1.1), 2),
            "balance": round(source.gauss(2_000, 900), 2),
            "age_days": source.randint(1, 4_000),
            "country": source.choice(["NL", "DE", "FR", "BE", "PL"]),
            "merchant": f"m-{source.randint(1, 60):03d}",
            "card_present": source.random() < 0.7,
        }
        for _ in range(count)
    ]


def payments(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of made-up card payments, of which one in twenty is far too dear."""
    random = np.random.default_rng(seed)
    odd = random.random(rows) < 0.05
    return pd.DataFrame(
        {
            "amount": np.where(odd, 5_000.0, random.gamma(3.0, 10.0, rows)).round(2),
            "items": random.integers(1, 6, rows),
            "country": random.choice(["DE", "FR", "IT"], rows),
            "card": [f"C{number:03d}" for number in random.integers(0, 50, rows)],
            "at": [f"2026-03-{1 + i * 28 // rows:02d}T{i * 7 % 24:02d}:15:00" for i in range(rows)],
        }
    )


def settings_in(home: Path, **given: Any) -> Settings:
    """Return the settings of a workspace that heeds nothing of the environment; nobody listens where it looks."""
    return Settings(**({"home": home, "model_path": None, "database_url": None, "api_port": 9} | given))


def opened(home: Path, **given: Any) -> Workspace:
    """Open a workspace."""
    return Workspace.open(settings_in(home, **given))


def trained_home(folder: Path, rows: int = 1_000, *, trees: int = 100, **given: Any) -> Settings:
    """Train a model on transactions in ``folder`` and return the settings of that workspace."""
    ws = opened(folder, **given)
    training.train_rows(ws, transactions(rows), TrainParameters(n_estimators=trees), actor="setup")
    ws.close()
    return ws.settings


def workspace_of(home: Path, versions: int) -> Workspace:
    """Open a workspace with so many versions of different models; the first is champion."""
    ws = opened(home)
    training.train_rows(ws, transactions(200, 0), TrainParameters(n_estimators=20), actor="setup")
    for seed in range(1, versions):
        detector = DynamicAnomalyDetector(n_estimators=20, random_state=seed).fit(transactions(200, seed))
        ws.registry.register(new_version(detector, origin="trained"), actor="setup")
    return ws


def small_workspace(home: Path) -> Path:
    """Make a workspace in ``home``, which must not be there yet, and return it: made once a process, then copied.

    It has a champion, a scored file, and that file's most severe rows in the queue.
    """
    shutil.copytree(_template(), home)
    return home


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="trust-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    ws = opened(home)
    training.train_rows(ws, payments(200), SMALL, {"card": "entity"}, actor="setup")
    content = payments(200, seed=1).to_csv(index=False).encode()
    run = scoring.score_file(ws, uploads.receive(ws, "march.csv", content, actor="setup").id, actor="setup")
    queueing.send_to_queue(ws, run.id, CASES, actor="setup")
    ws.close()
    return home
