from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.service import scoring, uploads
from detector.service.review import queueing
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainParameters, TrainResult
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.databases import Kind, databases
from tests.service.replicas import ROLES, Pair, payments

PARAMETERS = TrainParameters(n_estimators=20, contamination=0.1)


def transactions(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Ordinary card payments over ten days, and one in twenty that is far too dear and comes at night."""
    random = np.random.default_rng(seed)
    odd = random.random(rows) < 0.05
    hour = np.where(odd, 3, random.integers(8, 22, rows))
    day = np.sort(random.integers(1, 11, rows))
    return pd.DataFrame(
        {
            "amount": np.where(odd, 5_000.0, random.gamma(3.0, 10.0, rows)).round(2),
            "items": random.integers(1, 6, rows),
            "country": random.choice(["DE", "FR", "IT"], rows),
            "at": [f"2026-03-{d:02d}T{h:02d}:15:00" for d, h in zip(day, hour, strict=True)],
        }
    )


def card_payments(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Those payments with whose card it was, where, and an order that two or three rows share."""
    random = np.random.default_rng(seed + 1_000)
    return transactions(rows, seed).assign(
        card=[f"C{number:02d}" for number in random.integers(0, 20, rows)],
        order=[f"O{number:03d}" for number in random.integers(0, rows // 2, rows)],
    )


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def settings_in(home: Path, **given: object) -> Settings:
    # Nobody listens on port 9, so the API is down and says so at once.
    return Settings(**({"home": home, "api_port": 9, "database_url": databases.address(home)} | given))


@pytest.fixture
def open_workspace(tmp_path: Path, database_kind: Kind) -> Iterator[Callable[..., Workspace]]:
    opened: list[Workspace] = []

    def open_one(**given: object) -> Workspace:
        workspace = Workspace.open(settings_in(**({"home": tmp_path} | given)))
        opened.append(workspace)
        return workspace

    yield open_one
    for workspace in opened:
        workspace.close()
    databases.forget(tmp_path)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, database_kind: Kind) -> tuple[Path, TrainResult]:
    """The folder of a workspace with a model, which tests have copies of, and what training returned."""
    home = tmp_path_factory.mktemp("trained")
    ws = Workspace.open(settings_in(home))
    result = training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    ws.close()
    return home, result


@pytest.fixture(scope="session")
def queued_once(tmp_path_factory: pytest.TempPathFactory, database_kind: Kind) -> Path:
    """The folder of a workspace with cases in the queue, which tests have copies of."""
    home = tmp_path_factory.mktemp("queued")
    ws = Workspace.open(settings_in(home))
    training.train_rows(ws, card_payments(), PARAMETERS, {"card": "entity", "order": "ignored"}, actor="ada")
    march = uploads.receive(ws, "march.csv", csv(card_payments(seed=1)), actor="ada")
    scoring.score_file(ws, march.id, actor="ada")
    queueing.send_to_queue(ws, 1, 60, actor="ada")
    ws.close()
    return home


@pytest.fixture
def ws(request: pytest.FixtureRequest, tmp_path: Path, open_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace that is empty unless the test asks for ``trained`` or ``queued``."""
    if "queued" in request.fixturenames:
        databases.copy(request.getfixturevalue("queued_once"), tmp_path)
    elif "trained" in request.fixturenames:
        databases.copy(request.getfixturevalue("trained_once")[0], tmp_path)
    return open_workspace()


@pytest.fixture
def trained(ws: Workspace, trained_once: tuple[Path, TrainResult]) -> TrainResult:
    """What training returned, and the workspace with its model."""
    assert ws.champion() is not None
    return trained_once[1]


@pytest.fixture
def give(ws: Workspace) -> Callable[..., Upload]:
    def give(frame: pd.DataFrame, name: str = "march.csv") -> Upload:
        return uploads.receive(ws, name, csv(frame), actor="ada")

    return give


@pytest.fixture
def queued(ws: Workspace) -> Workspace:
    """The workspace with the 60 most severe of 300 card payments in the queue, as run 1."""
    assert ws.inbox.tables()
    return ws


@pytest.fixture
def pair(open_workspace: Callable[..., Workspace]) -> Pair:
    """Return two processes over one workspace whose champion follows cards."""
    one = open_workspace()
    training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    return one, open_workspace()
