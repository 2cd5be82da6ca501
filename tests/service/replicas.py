"""Several workspaces over one database and one model store, as in processes of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.core.model import DynamicAnomalyDetector
from detector.service import scoring
from detector.service.workspace import Workspace

ROLES = {"card": "entity"}
HABIT = "amount against this card's habit"


def payments(rows: int = 400, seed: int = 0, day: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    card = random.integers(0, 12, rows)
    when = np.sort(random.uniform(0, 20 * 86_400, rows)).round()
    return pd.DataFrame(
        {
            "card": [f"c{number}" for number in card],
            "at": [
                (pd.Timestamp("2026-03-01") + pd.Timedelta(days=day, seconds=second)).isoformat() for second in when
            ],
            "amount": ((1 + card) * random.lognormal(2.0, 0.3, rows)).round(2),
            "items": random.integers(1, 6, rows),
        }
    )


LATER = {"card": "c1", "at": "2026-03-25T12:00:00", "amount": 90.0, "items": 2}
LAST = {"card": "c1", "at": "2026-03-25T13:00:00", "amount": 15.0, "items": 2}


def habit(detector: DynamicAnomalyDetector, row: dict = LAST) -> float:
    return float(detector.beside([row])[HABIT].iloc[0])


def observe(ws: Workspace, hour: int, **changed: object) -> None:
    row = LATER | {"at": f"2026-03-25T{hour:02d}:00:00"} | changed
    scoring.score_rows(ws, row, observe=True)
    ws.following.write()


def state(detector: DynamicAnomalyDetector) -> dict[str, np.ndarray]:
    return detector.behaviour.histories[0].to_content()


def assert_alike(one: DynamicAnomalyDetector, other: DynamicAnomalyDetector) -> None:
    for name, values in state(one).items():
        np.testing.assert_allclose(values, state(other)[name], rtol=1e-5, err_msg=name)
