"""Why a row scores as it does, in words: its strongest contributions, beside what is usual for the column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.behaviour import derived_usual, derived_words
from detector.core.fitted import Fitted
from detector.core.forest import Floats
from detector.core.intake import Way, read_again
from detector.core.later import pd, types
from detector.core.reading import Reading
from detector.core.schema import Feature
from detector.core.statistics import FeatureStatistics
from detector.core.wording import share_text, time_text, value_text
from detector.errors import excerpt

#: What contributions are measured in.
UNIT = "log2 of the anomaly score"
#: Reasons listed for a row.
REASONS = 5
#: Beyond these shares of the values seen, a number is called high or low.
HIGH, LOW = 0.95, 0.05


@dataclass(frozen=True)
class Reason:
    """One column's part in a row's score.

    Parameters
    ----------
    feature : the source column.
    value : as the row has it; the sentence tells it in the unit and the spelling of training.
    contribution : in :data:`UNIT`; positive makes the row more anomalous.
    usual : what is usual for the column, and for the row's own entity where its habit is known, in words.
    sentence : the reason in words.
    """

    feature: str
    value: Any
    contribution: float
    usual: str
    sentence: str


def reasons_for(
    known: Fitted, frame: pd.DataFrame, values: Floats, ways: Mapping[str, Way]
) -> tuple[tuple[Reason, ...], ...]:
    """Return, for each row, its strongest reasons to be anomalous, strongest first.

    Parameters
    ----------
    frame : n rows as they came, with the features that are derived from what their entities did.
    values : (n, features) what each learned feature contributes.
    ways : how each feature that came was read, by its name.
    """
    listed = strongest(values)
    said: dict[int, dict[int, Reason]] = {}
    for place, feature in enumerate(known.schema.learned):
        rows = np.flatnonzero(((listed == place) & (np.take_along_axis(values, listed, axis=1) > 0.0)).any(axis=1))
        if len(rows):
            contributions = values[rows, place].tolist()
            way = ways[feature.name]
            usual = _usual_texts(known, feature, frame.iloc[rows], ways)
            told = _of_column(known, feature, frame[way.column].iloc[rows], way, contributions, usual)
            said[place] = dict(zip(rows.tolist(), told, strict=True))
    return tuple(
        tuple(said[place][row] for place in places if row in said.get(place, {}))
        for row, places in enumerate(listed.tolist())
    )


def strongest(values: Floats) -> NDArray[np.intp]:
    """Return (n, at most 5) places of the features that make each row more anomalous, strongest first.

    Places of values at or below 0 come behind and are no reasons.
    """
    return np.argsort(-values, axis=1, kind="stable")[:, :REASONS]


def _of_column(
    known: Fitted, feature: Feature, column: pd.Series, way: Way, contributions: list[float], usual: list[str]
) -> list[Reason]:
    if feature.derived:
        words = derived_words(feature)
        told = [f": {words(value)}" for value in column.tolist()]
    else:
        reading = read_again(column, way, known.matcher.known[feature.name])
        told = [f" {words}" for words in _told(reading, known.statistics[feature.name])]
    return [
        Reason(feature.name, _shown(value), contribution, normal, f"{feature.name}{words}; {normal}.")
        for value, words, contribution, normal in zip(column, told, contributions, usual, strict=True)
    ]


def _usual_texts(known: Fitted, feature: Feature, frame: pd.DataFrame, ways: Mapping[str, Way]) -> list[str]:
    """Return, for each row, what is usual for a feature, and for an amount what its entity usually has."""
    usual = usual_text(feature, known.statistics[feature.name])
    found = None if known.behaviour is None else known.behaviour.habit_of(feature.name, frame.columns)
    if found is None or found.amount not in ways:
        return [usual] * len(frame)
    way = ways[found.amount]
    amounts = read_again(frame[way.column], way, known.matcher.known[found.amount]).values
    # What an amount is compared with is what it is as many times as the comparison says.
    with np.errstate(divide="ignore", invalid="ignore"):
        habits = np.abs(amounts) / frame[found.ratio].to_numpy(np.float64)
    return [
        f"{usual}; this {excerpt(found.entity)} usually about {value_text(float(f'{habit:.2g}'))}"
        if 0.0 < habit < np.inf
        else usual
        for habit in habits.tolist()
    ]


def usual_text(feature: Feature, statistics: FeatureStatistics) -> str:
    """Return what is usual for a feature: the middle nine tenths of its numbers, or its most frequent values."""
    if statistics.present <= 0.0:
        return "nothing is known about it"
    if feature.derived:
        return derived_usual(feature, statistics)
    if feature.kind == "numeric":
        low, high = (value_text(value) for value in statistics.quantile([0.05, 0.95]).tolist())
        return f"usually {low}" if low == high else f"usually {low} to {high}"
    if feature.kind == "datetime":
        parts = {part.split()[0] for part in feature.parts}
        return f"its {parts.pop()} counts" if len(parts) == 1 else "its hour and weekday count"
    return "most often " + ", ".join(f"{excerpt(name)} ({share_text(share)})" for name, share in statistics.top(3))


def _told(reading: Reading, statistics: FeatureStatistics) -> list[str]:
    """Return what is to be said of each value, from "is" on."""
    if reading.kind == "numeric":
        given = np.nan_to_num(reading.values)
        # How many lie strictly below decides: most rows may hold the greatest value there is.
        below, up_to = statistics.cdf(np.nextafter(given, -np.inf)), statistics.cdf(given)
        words = list(map(_number_told, given.tolist(), below.tolist(), up_to.tolist(), [statistics] * len(given)))
    elif reading.kind == "datetime":
        words = [f"is {time_text(seconds)}" for seconds in np.nan_to_num(reading.values).tolist()]
    else:
        names = reading.categories or ("false", "true")
        of_name = [f"is {excerpt(name)}, {_category_told(statistics.share(name))}" for name in names]
        words = [of_name[place] for place in np.nan_to_num(reading.values).astype(int).tolist()] if names else []
    absent = f"has no value, as {share_text(statistics.share_absent)} of rows"
    return [absent if gone else said for gone, said in zip(np.isnan(reading.values).tolist(), words, strict=True)]


def _number_told(value: float, below: float, up_to: float, statistics: FeatureStatistics) -> str:
    text = f"is {value_text(value)}"
    if value > statistics.maximum:
        return f"{text}, higher than any value seen"
    if value < statistics.minimum:
        return f"{text}, lower than any value seen"
    if below > HIGH:
        return f"{text}, higher than {_most(below)} values seen"
    if up_to < LOW:
        return f"{text}, lower than {_most(1.0 - up_to)} values seen"
    return f"{text}, not unusual by itself"


def _most(share: float) -> str:
    return "nearly all" if share > 0.999 else f"{share_text(share)} of"


def _category_told(share: float) -> str:
    return "never seen before" if share == 0.0 else f"seen in {share_text(share)} of rows"


def _shown(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if types.is_scalar(value) and pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
