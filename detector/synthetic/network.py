"""Made-up network connections of an office: ordinary traffic, port scans and data that is carried out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.synthetic.world import Floats, Ints

NETWORK_DAYS = (1, 2, 3, 4)
DAY_SECONDS = 86_400
FIRST_DAY = np.datetime64("2026-03-02T00:00:00")
HOSTS = 120

#: What happens to the columns, for people.
NETWORK_STORY = {
    1: "Seven columns and the host.",
    2: "The same columns; the first attacks.",
    3: "A provider adds destination_age_days at noon; it is empty before.",
    4: "destination_age_days is there all day, and flag is gone.",
}

#: Service, protocol, its share, and medians: seconds, bytes sent, bytes received.
_SERVICES = (
    ("https", "tcp", 0.46, 1.6, 1_400.0, 14_000.0),
    ("dns", "udp", 0.30, 0.02, 60.0, 160.0),
    ("http", "tcp", 0.08, 0.9, 700.0, 7_000.0),
    ("smtp", "tcp", 0.05, 1.2, 9_000.0, 400.0),
    ("ssh", "tcp", 0.03, 180.0, 6_000.0, 9_000.0),
    ("ntp", "udp", 0.05, 0.03, 48.0, 48.0),
    ("ftp", "tcp", 0.02, 12.0, 30_000.0, 60_000.0),
    ("other", "tcp", 0.01, 0.4, 300.0, 300.0),
)
_FLAGS = ("finished", "reset", "refused", "unanswered")
_FLAG_SHARES = (0.94, 0.03, 0.01, 0.02)
_SCAN_SHARE, _CARRIED_SHARE = 0.014, 0.006


def generate_network_day(day: int, *, rows: int = 5000, seed: int = 7) -> pd.DataFrame:
    """Return the connections of one day, in the order of time.

    Parameters
    ----------
    day
        1 to 4; see ``NETWORK_STORY`` for what each does to the columns. Day 1 has no attacks; later 1.4 % of the
        connections are a port scan by one host, and 0.6 % carry data out of the house.
    rows
        How many connections, 500 or more.
    seed
        Names the office.

    Returns
    -------
    pandas.DataFrame
        ``time`` (ISO 8601, UTC), ``host`` (who opened the connection), ``service``, ``protocol``, ``flag`` (how it
        ended), ``duration_s``, ``bytes_sent``, ``bytes_received``, from day 3 on ``destination_age_days`` (since the
        other side was first seen anywhere), and last the label ``attack``: none, port scan or exfiltration.

    Raises
    ------
    ValueError
        When there is no such day, or there are too few rows.
    """
    if day not in NETWORK_DAYS:
        raise ValueError(f"day must be one of 1 to 4, not {day!r}")
    if rows < 500:
        raise ValueError(f"rows must be 500 or more, not {rows!r}")
    random = np.random.default_rng([seed, day])
    scans, carried = (round(share * rows) if day > 1 else 0 for share in (_SCAN_SHARE, _CARRIED_SHARE))
    usual = rows - scans - carried
    kind = np.repeat([0, 1, 2], [usual, scans, carried])
    shares = np.array([share for _, _, share, *_ in _SERVICES])
    service = random.choice(len(_SERVICES), rows, p=shares / shares.sum())
    service[kind == 1] = random.integers(0, len(_SERVICES), scans)
    service[kind == 2] = 0
    seconds, sent, received = (_around(service, column, random) for column in (3, 4, 5))
    flag = random.choice(len(_FLAGS), rows, p=_FLAG_SHARES)
    flag[kind == 1] = random.choice([1, 2, 3], scans, p=[0.2, 0.5, 0.3])
    nothing = flag >= 2
    seconds[nothing] = np.round(random.exponential(0.01, int(nothing.sum())), 3)
    sent[nothing], received[nothing] = 40.0 * random.integers(1, 3, int(nothing.sum())), 0.0
    # What is carried out goes over https like most traffic, in long uploads to places that hardly anybody knows.
    sent[kind == 2] = np.round(random.lognormal(np.log(60_000.0), 0.8, carried))
    received[kind == 2] = np.round(random.lognormal(np.log(900.0), 0.4, carried))
    seconds[kind == 2] = np.round(random.lognormal(np.log(25.0), 0.7, carried), 2)
    age = np.round(random.gamma(2.0, 700.0, rows))
    age[kind == 2] = random.integers(0, 6, carried)
    second = _working_day(rows, random)
    second[kind == 1] = random.integers(0, DAY_SECONDS - 900) + random.integers(0, 900, scans)
    second[kind == 2] = random.integers(0, DAY_SECONDS, carried)
    guilty = random.permutation(HOSTS)[:3]
    host = random.integers(0, HOSTS, rows)
    host[kind == 1] = guilty[0]
    host[kind == 2] = guilty[1:][random.integers(0, 2, carried)]
    frame = pd.DataFrame(
        {
            "time": np.datetime_as_string(FIRST_DAY + (day - 1) * np.timedelta64(DAY_SECONDS, "s") + second),
            "host": [f"10.0.{number // 60}.{10 + number % 60}" for number in host.tolist()],
            "service": np.array([name for name, *_ in _SERVICES])[service],
            "protocol": np.array([protocol for _, protocol, *_ in _SERVICES])[service],
            "flag": np.array(_FLAGS)[flag],
            "duration_s": seconds,
            "bytes_sent": sent.astype(np.int64),
            "bytes_received": received.astype(np.int64),
            "destination_age_days": age,
            "attack": np.array(["none", "port scan", "exfiltration"])[kind],
        }
    )
    order = np.argsort(second, kind="stable")
    return _columns(frame.iloc[order].reset_index(drop=True), second[order], day)


def _columns(frame: pd.DataFrame, second: Ints, day: int) -> pd.DataFrame:
    if day == 3:
        return frame.assign(destination_age_days=frame["destination_age_days"].where(second >= DAY_SECONDS // 2))
    return frame.drop(columns="flag" if day == 4 else "destination_age_days")


def _around(service: Ints, column: int, random: np.random.Generator) -> Floats:
    """Return values spread around the medians of each connection's service."""
    medians = np.array([float(row[column]) for row in _SERVICES])[service]
    digits = 3 if column == 3 else 0
    return np.asarray(np.round(medians * random.lognormal(0.0, 0.9, len(service)), digits), np.float64)


def _working_day(size: int, random: np.random.Generator) -> Ints:
    hour: Floats = np.where(random.random(size) < 0.75, random.normal(13.0, 3.0, size), random.uniform(0.0, 24.0, size))
    return np.asarray(np.mod(hour, 24.0) * 3600.0).astype(np.int64)
