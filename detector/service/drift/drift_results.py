"""What is kept of a comparison: aggregates of columns, JSON-ready, and no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.core.drift import FeatureDrift, State
from detector.core.drift_bins import NAMED_ROWS, Overlay, may_be_named
from detector.core.statistics import FeatureStatistics
from detector.service.drift.schema_changes import SchemaChange

#: Grows when a comparison that was kept before could not be read any more; such a run is measured again.
FORMAT = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ColumnDrift:
    """How one column has changed, and how that is drawn.

    Parameters
    ----------
    drift : the figures
    importance : share (0-1) of the importance among the columns compared
    before, now : figures of either side, see :func:`figures_of`; empty for a column that did not come
    overlay : both distributions over the same bins; without bins where nothing can be drawn
    """

    drift: FeatureDrift
    importance: float
    before: Mapping[str, Any]
    now: Mapping[str, Any]
    overlay: Overlay

    @property
    def name(self) -> str:
        """The column."""
        return self.drift.name

    @property
    def state(self) -> State:
        """``"calm"``, ``"watch"`` or ``"drifting"``."""
        return self.drift.state

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain values."""
        return {
            "drift": self.drift.to_dict(),
            "importance": self.importance,
            "before": dict(self.before),
            "now": dict(self.now),
            "overlay": self.overlay.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ColumnDrift:
        """Return the column that :meth:`to_dict` wrote."""
        bins = {name: tuple(shares) for name, shares in value["overlay"].items()}
        return cls(FeatureDrift(**value["drift"]), value["importance"], value["before"], value["now"], Overlay(**bins))


@dataclass(frozen=True)
class RunDrift:
    """How a run differs from what was known before it, or from another run.

    Parameters
    ----------
    run, name, rows, version : the run, its file, its rows, and the version that scored it
    against, against_run, against_rows : what it is compared with: in words, the other run if it is one, and its rows
    state, sentence : of the whole, see :class:`~detector.core.drift.DriftReport`
    columns : those first whose change weighs most
    new : columns that were not known before
    schema : the columns that came otherwise than the version knows them
    importance_carried : share (0-1) of the version's importance that the run carries
    severity_shift : population stability index of the run's severities against the even spread of training rows
    flagged_share, expected_share : share (0-1) of the rows flagged, and what rows like those of training would give
    """

    run: int
    name: str
    rows: int
    version: int
    against: str
    against_run: int | None
    against_rows: int
    state: State
    sentence: str
    columns: tuple[ColumnDrift, ...]
    new: tuple[str, ...]
    schema: tuple[SchemaChange, ...]
    importance_carried: float
    severity_shift: float
    flagged_share: float
    expected_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return told | {
            "format": FORMAT,
            "columns": [column.to_dict() for column in self.columns],
            "new": list(self.new),
            "schema": [asdict(change) for change in self.schema],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> RunDrift:
        """Return the comparison that :meth:`to_dict` wrote.

        Raises
        ------
        ValueError, KeyError, TypeError
            When it is of another format, or damaged.
        """
        if value["format"] != FORMAT:
            raise ValueError("the comparison is of another format")
        plain = {name: value[name] for name in cls.__dataclass_fields__}
        return cls(
            **plain
            | {
                "columns": tuple(ColumnDrift.from_dict(column) for column in value["columns"]),
                "new": tuple(value["new"]),
                "schema": tuple(SchemaChange(**change) for change in value["schema"]),
            }
        )

    def column(self, name: str) -> ColumnDrift | None:
        """Return one column; ``None`` when it was not compared."""
        return next((column for column in self.columns if column.name == name), None)


def figures_of(statistics: FeatureStatistics) -> dict[str, Any]:
    """Return the figures of one side of a column: aggregates, and the most frequent category where it may be named.

    Keys: ``rows``, ``absent`` (0-1), ``distinct``; for numbers ``low``, ``median``, ``high`` (at 5, 50 and 95 % of the
    values; times as ISO 8601 to the day); for others ``most_frequent`` and its ``share`` (0-1). Of fewer than five
    values nothing is told but how many there are.
    """
    found: dict[str, Any] = {
        "rows": statistics.rows,
        "absent": statistics.share_absent,
        "distinct": statistics.distinct,
    }
    if statistics.present < NAMED_ROWS:
        return found
    if statistics.kind == "numeric":
        return found | dict(
            zip(("low", "median", "high"), statistics.quantile([0.05, 0.5, 0.95]).tolist(), strict=True)
        )
    if statistics.kind == "datetime":
        days = [_day(seconds) for seconds in statistics.quantile([0.05, 0.5, 0.95]).tolist()]
        return found | dict(zip(("low", "median", "high"), days, strict=True))
    top = statistics.top(1)
    if top and may_be_named(top[0][0], statistics):
        return found | {"most_frequent": top[0][0], "share": top[0][1]}
    return found


def _day(seconds: float) -> str | None:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).date().isoformat()
    except OverflowError:
        return None
