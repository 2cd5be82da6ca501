"""Models made from seeds and told as hashes; imports little, so that a fresh process starts soon."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import sha256
from typing import Any
from unittest.mock import patch

from detector.core import fitted
from detector.core.model import DynamicAnomalyDetector
from detector.synthetic import generate_week

ROLES = {"is_fraud": "label"}


def digests(seed: int, weeks: int, rows: int) -> list[str]:
    """Return the SHA-256 of a model after its training and after each update, and of its scores at the end."""
    model = DynamicAnomalyDetector(n_estimators=40, random_state=seed, roles=ROLES)
    found = []
    for week in range(1, weeks + 1):
        frame = generate_week(week, rows=rows)
        model = model.fit(frame) if week == 1 else model.updated(frame)
        found.append(sha256(model.to_bytes()).hexdigest())
    return [*found, sha256(model.score(generate_week(weeks, rows=rows)).scores.tobytes()).hexdigest()]


def send_digests(connection: Any, tasks: Sequence[tuple[int, int, int]], broken: bool) -> None:
    """Send the digests of each task through ``connection``."""
    with ExitStack() as stack:
        if broken:
            stack.enter_context(drawn_by_order())
        connection.send([digests(*task) for task in tasks])


def drawn_by_order() -> Any:
    """Let an update take another seed for each order of the columns, as one that looped over them would."""
    whole: Any = fitted.update

    def update(known: Any, frame: Any, settings: Any, roles: Any, *rest: Any) -> Any:
        seed = (settings.seed + hash(tuple(frame.columns)) % 1000) % 2**32
        return whole(known, frame, type(settings)(**{**settings.__dict__, "seed": seed}), roles, *rest)

    return patch.object(fitted, "update", update)
