"""A made-up pump: readings of its sensors minute by minute, with leaks, a valve that sticks, and sensors that age."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.synthetic.world import Floats, Ints

MACHINE_DAYS = (1, 2, 3, 4)
MINUTES = 1440
FIRST_DAY = np.datetime64("2026-03-02T00:00:00")

#: What happens to the columns, for people.
MACHINE_STORY = {
    1: "Eight sensors, all in order.",
    2: "The same eight.",
    3: "The vibration sensor dies at noon: no values from then on.",
    4: "vibration_mm_s is gone, pressure_bar comes in kilopascal, and the oil sensor reads higher by the hour.",
}

#: Kinds of faults, and how many minutes each lasts.
_FAULTS = (("leak", 25), ("stuck valve", 25))
_PASCAL = 100.0  # kilopascal in one bar


def generate_machine_day(day: int, *, seed: int = 7) -> pd.DataFrame:
    """Return one day of a pump, a row a minute, in the order of time.

    Parameters
    ----------
    day
        1 to 4; see ``MACHINE_STORY`` for what each does to the columns.
    seed
        Names the machine. Each day has one leak and one stuck valve, of 25 minutes each.

    Returns
    -------
    pandas.DataFrame
        1,440 rows. ``time`` (ISO 8601, UTC), ``valve_percent`` (the opening that is asked for), ``speed_rpm``,
        ``flow_l_min``, ``pressure_bar``, ``current_a``, ``vibration_mm_s``, ``bearing_c``, ``oil_c``, and last the
        label ``fault``: none, leak or stuck valve.

    Raises
    ------
    ValueError
        When there is no such day.
    """
    if day not in MACHINE_DAYS:
        raise ValueError(f"day must be one of 1 to 4, not {day!r}")
    random = np.random.default_rng([seed, day])
    fault = _faults(random)
    leaks, sticks = fault == 1, fault == 2
    minute = np.arange(MINUTES)
    load = 0.55 + 0.2 * np.sin(2 * np.pi * (minute - 480) / MINUTES) + _wandering(random, 0.09, 0.9)
    asked = np.clip(100.0 * load, 20.0, 95.0)
    # A valve that sticks stays where it was nearly closed, whatever is asked of it.
    opening = np.where(sticks, 8.0, asked) / 100.0
    speed = 1450.0 + 250.0 * load + random.normal(0.0, 6.0, MINUTES)
    flow = 0.28 * speed * opening**0.8 + random.normal(0.0, 3.0, MINUTES)
    pressure = 9.0 * (speed / 1600.0) ** 2 - 4.5 * (flow / 400.0) ** 2 + random.normal(0.0, 0.06, MINUTES)
    flow = np.where(leaks, flow * 1.12, flow)
    pressure = np.where(leaks, pressure * 0.72, pressure)
    current = 6.0 + 0.0055 * flow * pressure + random.normal(0.0, 0.15, MINUTES)
    vibration = 1.2 * (speed / 1600.0) ** 3 * random.gamma(40.0, 1 / 40.0, MINUTES) + np.where(sticks, 0.9, 0.0)
    frame = pd.DataFrame(
        {
            "time": np.datetime_as_string(FIRST_DAY + ((day - 1) * MINUTES + minute) * np.timedelta64(60, "s")),
            "valve_percent": asked.round(1),
            "speed_rpm": speed.round(0),
            "flow_l_min": flow.round(1),
            "pressure_bar": pressure.round(3),
            "current_a": current.round(2),
            "vibration_mm_s": vibration.round(3),
            "bearing_c": (38.0 + 1.1 * _slowly(current, 0.97) + random.normal(0.0, 0.2, MINUTES)).round(1),
            "oil_c": (41.0 + 0.6 * _slowly(current, 0.99) + random.normal(0.0, 0.15, MINUTES)).round(1),
            "fault": np.array(["none", *(name for name, _ in _FAULTS)])[fault],
        }
    )
    return _columns(frame, day)


def _columns(frame: pd.DataFrame, day: int) -> pd.DataFrame:
    """Return what the sensors that are left say on this day."""
    minute = np.arange(MINUTES)
    if day == 3:
        return frame.assign(vibration_mm_s=frame["vibration_mm_s"].where(minute < MINUTES // 2))
    if day == 4:
        return frame.drop(columns="vibration_mm_s").assign(
            pressure_bar=(frame["pressure_bar"] * _PASCAL).round(1),
            oil_c=(frame["oil_c"] + 9.0 * minute / MINUTES).round(1),
        )
    return frame


def _faults(random: np.random.Generator) -> Ints:
    """Return for each minute which fault there is, 0 for none; one in the first half of the day, one in the second."""
    fault = np.zeros(MINUTES, dtype=np.int64)
    half = MINUTES // len(_FAULTS)
    for place, kind in enumerate(random.permutation(len(_FAULTS)).tolist()):
        length = _FAULTS[kind][1]
        start = place * half + int(random.integers(60, half - length - 60))
        fault[start : start + length] = kind + 1
    return fault


def _wandering(random: np.random.Generator, spread: float, keeps: float) -> Floats:
    """Return (minutes,) values that wander around 0 with so much spread; each keeps so much of the one before."""
    steps = random.normal(0.0, spread * np.sqrt(1.0 - keeps**2), MINUTES)
    return _filtered(steps, keeps, 0.0)


def _slowly(values: Floats, keeps: float) -> Floats:
    """Return what a slow sensor makes of ``values`` (minutes,)."""
    return _filtered((1.0 - keeps) * values, keeps, float(values.mean()))


def _filtered(steps: Floats, keeps: float, before: float) -> Floats:
    out = np.empty(len(steps))
    for place, step in enumerate(steps.tolist()):
        before = keeps * before + step
        out[place] = before
    return out
