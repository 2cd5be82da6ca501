"""What a model's scores rest on: how large contributions are over a stated sample of rows, and what they depend on.

Where ``get_feature_importance`` of a detector says how much the splits on a column set the model's own rows apart, here
it is said how much a column moves the scores of given rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detector.core.studying import StudiedColumn, Study
from detector.errors import NotFoundError
from detector.service.reasons.run_context import own_columns
from detector.service.runs import get_run, run_path
from detector.service.workspace import Workspace
from detector.store import run_files, run_lookups

#: Rows of a sample.
SAMPLE_ROWS = 2_000
#: Points of a swarm, over all its columns.
SWARM_POINTS = 2_000
#: Columns of a swarm.
SWARM_COLUMNS = 10
#: Categories told apart; the others are one group.
MOST_GROUPS = 12
_HOUR, _DAY = 3_600.0, 86_400.0
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColumnImportance:
    """How much a column matters.

    ``mean_size`` is the mean size of its contributions over the sample, in log2 of the anomaly score; ``share`` (0-1)
    is its part of that of all columns, ``model_share`` its part of what sets the model's own rows apart.
    """

    feature: str
    mean_size: float
    share: float
    model_share: float


@dataclass(frozen=True, eq=False)
class SampleStudy:
    """A sample of rows, column by column.

    Parameters
    ----------
    version : that explains them, which is the one that scored them.
    run_id : of the run that they are of; ``None`` for the model's own rows.
    of_rows : rows that the sample is taken from, evenly.
    rows : (n,) numbers of data rows, from 1; counted through for the model's own.
    study : what they hold and what each column contributes.
    importance : of every column, the most important first.
    """

    version: int
    run_id: int | None
    of_rows: int
    rows: NDArray[np.int64]
    study: Study
    importance: tuple[ColumnImportance, ...]


@dataclass(frozen=True)
class Swarm:
    """One column of a swarm, point by point.

    ``contributions`` lie along the axis, ``offsets`` (-0.4 to 0.4) beside it where many are alike. ``ranks`` (0-1) say
    where each value falls among the others, ``None`` where values have no order or there is none; ``shown`` is the
    value in words, ``rows`` the data rows.
    """

    feature: str
    contributions: tuple[float, ...]
    offsets: tuple[float, ...]
    ranks: tuple[float | None, ...]
    shown: tuple[str, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Rows with the same value: how many, and the mean and the middle four fifths of what the column contributes."""

    name: str
    rows: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Dependence:
    """How a column's contribution depends on its value.

    ``kind``: ``points`` (``values``, ``contributions`` and ``rows``, one a row) or ``groups`` (one list of groups for
    each way to group: by category; by hour and by weekday).
    """

    feature: str
    kind: Literal["points", "groups"]
    values: tuple[float, ...] = ()
    contributions: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()
    groups: tuple[tuple[str, tuple[Group, ...]], ...] = ()


def study_run(ws: Workspace, run_id: int, most: int = SAMPLE_ROWS) -> SampleStudy:
    """Study at most ``most`` rows of a run, taken evenly over the file, by the version that scored it.

    Rows are compared with what was known of their entities before the run.

    Raises
    ------
    NotFoundError
        When there is no such run, it has no rows, or they are gone from the disk.
    """
    run = get_run(ws, run_id)
    if not run.rows:
        raise NotFoundError(f"Run {run_id} has no rows.", run=run_id)
    found = run_lookups.read_rows(run_path(ws, run_id), [], beside=run_lookups.evenly(1, run.rows, most))
    detector = ws.detector(run.version)
    study = detector.study(own_columns(found, run_files.file_names(run.columns)))
    rows = found.index.to_numpy(np.int64)
    return SampleStudy(
        run.version, run_id, run.rows, rows, study, _importance(study, detector.get_feature_importance())
    )


def study_model(ws: Workspace, version: int, most: int = SAMPLE_ROWS) -> SampleStudy:
    """Study at most ``most`` of a version's own rows; raises ``NotFoundError`` when there is no such version."""
    detector = ws.detector(version)
    study = detector.study_own_rows(most)
    rows = np.arange(1, len(study.severities) + 1, dtype=np.int64)
    return SampleStudy(
        version, None, detector.rows_seen, rows, study, _importance(study, detector.get_feature_importance())
    )


def swarms(sample: SampleStudy, columns: int = SWARM_COLUMNS) -> tuple[Swarm, ...]:
    """Return the most important columns point by point, over so many rows that all make at most 2,000 points."""
    chosen = [item.feature for item in sample.importance[:columns]]
    n = len(sample.rows)
    some = np.linspace(0, n - 1, min(n, SWARM_POINTS // max(1, len(chosen)))).astype(np.intp)
    places = {column.name: place for place, column in enumerate(sample.study.columns)}
    found = []
    for name in chosen:
        column, values = sample.study.columns[places[name]], sample.study.contributions[some, places[name]]
        given = column.values[some]
        found.append(
            Swarm(
                name,
                tuple(values.tolist()),
                tuple(_offsets(values).tolist()),
                tuple(_ranks(column, given)),
                tuple(_shown(column, value) for value in given.tolist()),
                tuple(sample.rows[some].tolist()),
            )
        )
    return tuple(found)


def dependence(sample: SampleStudy, feature: str) -> Dependence:
    """Return how a column's contribution depends on its value; raises ``NotFoundError`` for a column not learned."""
    place = next((place for place, column in enumerate(sample.study.columns) if column.name == feature), None)
    if place is None:
        raise NotFoundError(f"The model has learned no column {feature!r}.", column=feature)
    column, contributions = sample.study.columns[place], sample.study.contributions[:, place]
    given = ~np.isnan(column.values)
    values, parts = column.values[given], contributions[given]
    if column.kind == "numeric":
        rows = sample.rows[given]
        return Dependence(feature, "points", tuple(values.tolist()), tuple(parts.tolist()), tuple(rows.tolist()))
    groups: list[tuple[str, tuple[Group, ...]]] = []
    if column.kind == "datetime":
        if np.ptp(values % _DAY) if len(values) else False:
            hours = (values % _DAY // _HOUR).astype(np.intp)
            groups.append(("Hour, UTC", _grouped(hours, [f"{hour:02d}" for hour in range(24)], parts)))
        # The first of January 1970 was a Thursday.
        days = ((values // _DAY + 3) % 7).astype(np.intp)
        if len(np.unique(days)) > 1:
            groups.append(("Weekday", _grouped(days, list(_WEEKDAYS), parts)))
        return Dependence(feature, "groups", groups=tuple(groups))
    names = list(column.categories) if column.kind == "categorical" else ["no", "yes"]
    places = values.astype(np.intp)
    counts = np.bincount(places, minlength=len(names))
    kept = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    number = np.full(len(names), len(kept), np.intp)
    number[kept] = np.arange(len(kept))
    others = len(names) - len(kept)
    told = [*(names[name] for name in kept.tolist()), f"{others} other{'s' if others > 1 else ''}"]
    return Dependence(feature, "groups", groups=((feature, _grouped(number[places], told, parts)),))


def _importance(study: Study, of_model: dict[str, float]) -> tuple[ColumnImportance, ...]:
    sizes = np.abs(study.contributions).mean(axis=0) if len(study.contributions) else np.zeros(len(study.columns))
    total = float(sizes.sum()) or 1.0
    found = [
        ColumnImportance(column.name, float(size), float(size) / total, of_model.get(column.name, 0.0))
        for column, size in zip(study.columns, sizes.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda item: (-item.mean_size, item.feature)))


def _grouped(number: NDArray[np.intp], names: list[str], parts: Floats) -> tuple[Group, ...]:
    groups = []
    for place, name in enumerate(names):
        own = parts[number == place]
        if len(own):
            low, high = np.quantile(own, [0.1, 0.9]).tolist()
            groups.append(Group(name, len(own), float(own.mean()), low, high))
    return tuple(groups)


def _offsets(values: Floats, bins: int = 50) -> Floats:
    """Return how far beside the axis each point goes, so that those that are alike do not hide each other."""
    reach = float(np.abs(values).max(initial=0.0)) or 1.0
    bin_of = np.floor((values / reach + 1.0) * bins / 2.0).astype(np.intp)
    order = np.argsort(bin_of, kind="stable")
    starts = np.searchsorted(bin_of[order], bin_of[order], side="left")
    rank = np.empty(len(values), np.intp)
    rank[order] = np.arange(len(values)) - starts
    # One to the left, one to the right, further and further out.
    side = (rank + 1) // 2 * np.where(rank % 2, 1, -1)
    return np.asarray(0.4 * side / max(1, np.abs(side).max(initial=0)), np.float64)


def _ranks(column: StudiedColumn, values: Floats) -> list[float | None]:
    if column.kind == "categorical":
        return [None] * len(values)
    if column.kind == "datetime":
        values = values % _DAY
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return [None] * len(values)
    places = (np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")) / (2.0 * len(known))
    return [None if np.isnan(value) else float(place) for value, place in zip(values, places, strict=True)]


def _shown(column: StudiedColumn, value: float) -> str:
    if np.isnan(value):
        return "no value"
    if column.kind == "categorical":
        return column.categories[int(value)]
    if column.kind == "boolean":
        return "yes" if value else "no"
    if column.kind == "datetime":
        day, second = divmod(value, _DAY)
        return f"{_WEEKDAYS[int(day + 3) % 7]} {int(second // _HOUR):02d}:{int(second % _HOUR // 60):02d}"
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
