"""Made-up log lines of a small cluster, already turned into rows: who said what, how loudly and at what length."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.synthetic.world import Floats, Ints

LOG_DAYS = (1, 2, 3)
DAY_SECONDS = 86_400
FIRST_DAY = np.datetime64("2026-03-02T00:00:00")
NODES = 24

#: What happens to the columns, for people.
LOG_STORY = {
    1: "Six columns from the old log shipper.",
    2: "The same six; two kinds of lines that were never seen.",
    3: "A new log shipper: level is gone, message_length is called msg_length, and queue_depth comes.",
}

#: Component, level, template, usual length, and how often it is said.
_TEMPLATES = (
    ("web", "INFO", "GET * took * ms", 74, 30.0),
    ("web", "INFO", "POST * took * ms", 81, 12.0),
    ("web", "WARN", "slow request * took * ms", 96, 1.4),
    ("web", "ERROR", "upstream * did not answer", 88, 0.35),
    ("auth", "INFO", "session opened for *", 52, 9.0),
    ("auth", "INFO", "session closed for *", 53, 8.5),
    ("auth", "WARN", "wrong password for * from *", 67, 1.1),
    ("database", "INFO", "checkpoint complete: * buffers", 63, 4.0),
    ("database", "INFO", "connection received from *", 58, 7.0),
    ("database", "WARN", "query took * ms: *", 180, 1.2),
    ("database", "ERROR", "deadlock detected between * and *", 142, 0.2),
    ("scheduler", "INFO", "job * started", 41, 6.0),
    ("scheduler", "INFO", "job * finished in * s", 49, 5.9),
    ("scheduler", "ERROR", "job * failed with status *", 77, 0.25),
    ("storage", "INFO", "scrubbed * blocks", 44, 3.0),
    ("storage", "WARN", "volume * is * percent full", 61, 0.5),
    ("storage", "ERROR", "write to * failed: *", 118, 0.3),
    ("kernel", "INFO", "link * is up", 38, 0.8),
    ("kernel", "WARN", "clock of cpu * throttled", 57, 0.6),
)
_FAILING = 16  # the template of which an error burst is made
#: What nobody has said before day 2.
_NEW = (
    ("kernel", "WARN", "machine check: corrected error in bank *", 133),
    ("auth", "INFO", "token for * issued by unknown issuer *", 109),
)
_NEW_SHARE, _BURST_SHARE = 0.006, 0.012
_BURST_MINUTES = 6


def generate_log_day(day: int, *, rows: int = 4000, seed: int = 7) -> pd.DataFrame:
    """Return the log lines of one day, in the order of time.

    Parameters
    ----------
    day
        1 to 3; see ``LOG_STORY`` for what each does to the columns. Day 1 has no incidents; of the later ones 1.2 % of
        the lines are a burst of errors on one node, and 0.6 % are of templates that were never seen.
    rows
        How many lines, 500 or more.
    seed
        Names the cluster.

    Returns
    -------
    pandas.DataFrame
        ``time`` (ISO 8601, UTC), ``node``, ``component``, ``level``, ``template`` (the message without its variable
        parts), ``message_length`` in characters, on day 3 ``queue_depth``, and last the label ``incident``: none, burst
        or new template.

    Raises
    ------
    ValueError
        When there is no such day, or there are too few rows.
    """
    if day not in LOG_DAYS:
        raise ValueError(f"day must be one of 1 to 3, not {day!r}")
    if rows < 500:
        raise ValueError(f"rows must be 500 or more, not {rows!r}")
    random = np.random.default_rng([seed, day])
    burst, new = (round(share * rows) if day > 1 else 0 for share in (_BURST_SHARE, _NEW_SHARE))
    usual = rows - burst - new
    often = np.array([weight for *_, weight in _TEMPLATES])
    template = np.concatenate(
        [
            random.choice(len(_TEMPLATES), usual, p=often / often.sum()),
            np.full(burst, _FAILING),
            len(_TEMPLATES) + random.integers(0, len(_NEW), new),
        ]
    )
    start = random.integers(3600, DAY_SECONDS - 3600)
    second = np.concatenate(
        [
            _by_day(usual, random),
            start + random.integers(0, 60 * _BURST_MINUTES, burst),
            random.integers(0, DAY_SECONDS, new),
        ]
    )
    busy = random.permutation(NODES)
    node = np.concatenate([random.integers(0, NODES, usual), np.full(burst, busy[0]), busy[random.integers(1, 4, new)]])
    said = [(component, level, text, length) for component, level, text, length, _ in _TEMPLATES] + list(_NEW)
    length = np.array([usual_length for *_, usual_length in said])[template]
    frame = pd.DataFrame(
        {
            "time": np.datetime_as_string(FIRST_DAY + (day - 1) * np.timedelta64(DAY_SECONDS, "s") + second),
            "node": [f"node-{number:02d}" for number in (node + 1).tolist()],
            "component": [said[number][0] for number in template.tolist()],
            "level": [said[number][1] for number in template.tolist()],
            "template": [said[number][2] for number in template.tolist()],
            "message_length": np.maximum(12, np.rint(length * random.lognormal(0.0, 0.12, rows))).astype(np.int64),
            "queue_depth": random.poisson(np.where(np.arange(rows) < usual, 3.0, 9.0)),
            "incident": np.repeat(["none", "burst", "new template"], [usual, burst, new]),
        }
    )
    frame = frame.iloc[np.argsort(second, kind="stable")].reset_index(drop=True)
    if day == 3:
        return frame.drop(columns="level").rename(columns={"message_length": "msg_length"})
    return frame.drop(columns="queue_depth")


def _by_day(size: int, random: np.random.Generator) -> Ints:
    """Return seconds of a day, of which most are in working hours."""
    hour: Floats = np.where(random.random(size) < 0.6, random.normal(13.0, 3.0, size), random.uniform(0.0, 24.0, size))
    return np.asarray(np.mod(hour, 24.0) * 3600.0).astype(np.int64)
