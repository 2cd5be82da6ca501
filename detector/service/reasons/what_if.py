"""What if a row had been another: change its values, in the columns of its file, and see score and reasons at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from detector.core.model import DynamicAnomalyDetector
from detector.core.schema import Feature
from detector.errors import InputError
from detector.service.reasons.explaining import RowReasons, explain_in_context
from detector.service.reasons.run_context import RunRows
from detector.service.workspace import Workspace

#: Categories to choose from, the most frequent first.
MOST_OPTIONS = 100

Value = float | str | bool | datetime | None


@dataclass(frozen=True)
class Control:
    """What one column of a row may be changed to.

    Parameters
    ----------
    feature, column : the learned feature, and the column of the file that it is read from.
    kind : number, choice, flag or time.
    value : what the row has; ``None`` for no value.
    low, high : for a number, what nearly all rows that were learned lie between, and this row's value; as in the file.
    whole : for a number, whether it is a whole one.
    options : for a choice, the known categories, the most frequent first, and this row's.
    """

    feature: str
    column: str
    kind: Literal["number", "choice", "flag", "time"]
    value: Value
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class WhatIf:
    """A row as it is and as it was changed; ``cutoff`` is that of its run, above which a severity is flagged."""

    before: RowReasons
    after: RowReasons
    cutoff: float

    @property
    def flagged_before(self) -> bool:
        """Whether the row as it is lies above the cutoff."""
        return self.before.severity > self.cutoff

    @property
    def flagged_after(self) -> bool:
        """Whether the changed row lies above the cutoff."""
        return self.after.severity > self.cutoff


def controls(ws: Workspace, found: RunRows) -> tuple[Control, ...]:
    """Return what can be changed in a row (``found`` holds one): the columns of its file that are scored."""
    detector = ws.detector(found.run.version)
    ways = detector.alignment(found.context).ways
    made = []
    for feature in detector.schema_.learned:
        way = ways.get(feature.name)
        if feature.derived or way is None or way.form is not None:
            continue
        control = _control(detector, feature, found.rows[way.column].iloc[0], found.rows[way.column], way.factor)
        if control is not None:
            made.append(control)
    return tuple(made)


def what_if(ws: Workspace, found: RunRows, changes: Mapping[str, Value], before: RowReasons | None = None) -> WhatIf:
    """Score and explain a row (``found`` holds one) with other values.

    What its entity did before stays as it was: the changed row is compared with it anew.

    Parameters
    ----------
    changes : column of the file to value.
    before : what was said of the row as it is, where it has been asked already.

    Raises
    ------
    InputError
        When the file has no such column.
    """
    detector = ws.detector(found.run.version)
    changed = found.rows.copy()
    for column, value in changes.items():
        if column not in changed.columns:
            raise InputError(f"The file has no column {column!r}.", column=column)
        changed[column] = _like(changed[column], value)
    if before is None:
        (before,) = explain_in_context(detector, found)
    (after,) = explain_in_context(detector, found, changed) if changes else (before,)
    return WhatIf(before, after, found.run.cutoff)


def _control(
    detector: DynamicAnomalyDetector, feature: Feature, given: Any, column: pd.Series, factor: float
) -> Control | None:
    statistics = detector.statistics_[feature.name]
    value = None if pd.isna(given) else given
    kind, name = feature.kind, str(column.name)
    if kind == "numeric":
        if column.dtype.kind not in "iuf":
            return None
        low, high = (np.array(statistics.quantile([0.005, 0.995])) * factor).tolist()
        own = None if value is None else float(value)
        reach = [low, high] if own is None else [low, high, own]
        whole = column.dtype.kind in "iu"
        return Control(feature.name, name, "number", own, min(reach), max(reach), whole)
    if kind == "datetime":
        time = pd.to_datetime(given, errors="coerce", utc=True)
        return Control(feature.name, name, "time", None if pd.isna(time) else time.to_pydatetime())
    if kind == "boolean" and column.dtype.kind == "b":
        return Control(feature.name, name, "flag", None if value is None else bool(value))
    options = [option for option, _ in statistics.top(MOST_OPTIONS)]
    own_text = None if value is None else str(value)
    if own_text is not None and own_text not in options:
        options.append(own_text)
    return Control(feature.name, name, "choice", own_text, options=tuple(options))


def _like(column: pd.Series, value: Value) -> pd.Series:
    """Return a column with another value, as its file would have held it."""
    if value is None:
        return pd.Series([None], index=column.index, dtype=object)
    if isinstance(value, datetime):
        time = pd.Timestamp(value)
        if column.dtype.kind != "M":
            return pd.Series([time.isoformat()], index=column.index, dtype=object)
        zone = getattr(column.dt, "tz", None)
        utc = time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
        return pd.Series([utc.tz_convert(zone) if zone is not None else utc.tz_localize(None)], index=column.index)
    if column.dtype.kind in "iuf" and isinstance(value, str):
        value = float(value)
    if column.dtype.kind in "iu" and isinstance(value, float) and value.is_integer():
        value = int(value)
    return pd.Series([value], index=column.index)
