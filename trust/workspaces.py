"""A small workspace for checks: a champion, a scored file, and its most severe rows in the queue."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from detector.service import scoring, uploads
from detector.service.review import queueing
from detector.service.versions import training
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.settings import Settings

#: Trainings that take some hundredths of a second.
SMALL = TrainParameters(n_estimators=8, max_samples=64)
#: Cases in the queue.
CASES = 40


def payments(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return made-up card payments, of which one in twenty is far too dear."""
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


def small_workspace(home: Path) -> Path:
    """Make the workspace in ``home``, which must not be there yet, and return it; made once a process, then copied."""
    shutil.copytree(_template(), home)
    return home


def opened(home: Path, **given: object) -> Workspace:
    """Open a workspace; nobody listens where it looks for the API."""
    return Workspace.open(Settings(**({"home": home, "api_port": 9} | given)))  # type: ignore[arg-type]


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
