"""Several workspaces over one database and one model store, as in processes of their own."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, select, update

from detector.core.model import DynamicAnomalyDetector
from detector.service import scoring
from detector.service.folding import fold
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.observed_folds import knowing
from detector.store.observed_tables import observed_events, observed_files

Pair = tuple[Workspace, Workspace]

#: Older than a minute from now: all that there is.
AGES = timedelta(seconds=-60)
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


def entities_of(ws: Workspace, version: int = 1) -> str:
    with ws.database.read() as connection:
        found = knowing(connection, version).entities
    assert found is not None
    return found


def fold_now(ws: Workspace, version: int = 1, more_than: int = 0) -> bool:
    return fold(ws.registry, version, entities_of(ws, version), more_than=more_than, settled=AGES)


def take_out_now(ws: Workspace, version: int = 1) -> None:
    ws.folding.take_out(entities_of(ws, version), settled=AGES, kept=AGES)


def events_in_log(ws: Workspace) -> int:
    with ws.database.read() as connection:
        return connection.scalar(select(func.sum(observed_events.c.events))) or 0


def history_files(ws: Workspace) -> int:
    return len(ws.models.names("histories/"))


def age(ws: Workspace, by: timedelta) -> None:
    """Let all that was written in the log and for it be so much older."""
    with ws.database.write() as connection:
        for table, column in (
            (observed_events, observed_events.c.at),
            (observed_files, observed_files.c.noted_at),
            (tables.aliases, tables.aliases.c.moved_at),
        ):
            for (moment,) in connection.execute(select(column).distinct()).all():
                connection.execute(update(table).where(column == moment).values({column.name: moment - by}))


def state(detector: DynamicAnomalyDetector) -> dict[str, np.ndarray]:
    return detector.behaviour.histories[0].to_content()


def assert_alike(one: DynamicAnomalyDetector, other: DynamicAnomalyDetector, but: str = "") -> None:
    for name, values in state(one).items():
        if name == but:
            continue
        np.testing.assert_allclose(values, state(other)[name], rtol=1e-5, err_msg=name)
