"""The figures of a file that is scored batch by batch."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core.alignment import AlignmentReport
from detector.core.collecting import Collector
from detector.core.times import times_of
from detector.errors import InputError, NoKnownColumnsError, Problem, excerpt
from detector.service.champion import Champion
from detector.service.histogram import Histogram

#: Flagged rows whose reasons are counted.
EXPLAINED_ROWS = 200
#: Days that a run tells apart; beyond, a column of times says more about its own errors than about fraud.
MOST_DAYS = 3_660
_FIRST_DAY, _LAST_DAY = np.datetime64(date.min), np.datetime64(date.max)


class ScoredTally:
    """Counts what one champion says about one file, of which ``set_aside`` rows are not scored.

    Batches come in the order of the file. With ``collect`` what a run tells beside its counts is gathered too: the
    statistics of its columns, its most severe rows, its days.
    """

    def __init__(self, champion: Champion, min_importance: float, set_aside: int = 0, *, collect: bool = False) -> None:
        self.champion = champion
        self.set_aside = set_aside
        self.rows = 0
        self.flagged = 0
        self.histogram = Histogram.empty()
        self.report: AlignmentReport | None = None
        self.collected = Collector(champion.detector.schema_, champion.detector.statistics_) if collect else None
        self._min_importance = min_importance
        self._worst: pd.DataFrame | None = None
        self._worst_severities = np.empty(0)
        # Each row sees the rows of its entities in earlier batches.
        self._detector = champion.detector.follower()
        self._days: Counter[date] = Counter()
        self._flagged_days: Counter[date] = Counter()
        self._time_column = next(
            (feature.name for feature in champion.detector.schema_ if feature.role == "time" and feature.takes_part),
            None,
        )

    def score(self, frame: pd.DataFrame, known: pd.DataFrame | None = None) -> pd.DataFrame:
        """Score a batch and count it; return what scoring adds, row for row (see ``run_files.SCORED_COLUMNS``).

        ``known``: what an earlier process returned for this batch; it is counted, and nothing is scored again.

        Raises
        ------
        NoKnownColumnsError
            When the first batch carries too little of what the model knows.
        """
        frame = self._detector.beside(frame, self.report)
        if known is None:
            result = self._detector.score(frame, cutoff=self.champion.cutoff, after=self.report)
            report = result.report
            added = self._added(frame, result.scores, result.severities, result.labels == -1)
        else:
            report, added = self._detector.alignment(frame, self.report), known.set_axis(frame.index)
        if self.report is None:
            require_known(report, self._min_importance)
        if self.collected is not None:
            self.collected.add(frame, report)
        self._count(frame, report, added["severity"].to_numpy(), added["flagged"].to_numpy())
        return added

    def nothing(self, header: pd.DataFrame) -> pd.DataFrame:
        """Return what scoring adds to a file that has a header and no rows."""
        self.report = self.champion.detector.alignment(header)
        return self._added(header, np.empty(0), np.empty(0), np.empty(0, dtype=bool))

    def _added(
        self,
        frame: pd.DataFrame,
        scores: NDArray[np.float64],
        severities: NDArray[np.float64],
        flagged: NDArray[np.bool_],
    ) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "score": scores,
                "severity": severities,
                "flagged": flagged,
                "version": np.int32(self.champion.version),
                "cutoff": self.champion.cutoff,
            },
            index=frame.index,
        )

    def report_dict(self) -> dict[str, Any]:
        """Return the alignment report over all batches as plain values, and the rows set aside if there are any."""
        report = {} if self.report is None else self.report.to_dict()
        return report | {"rows_set_aside": self.set_aside} if self.set_aside else report

    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Return (column, rows): what contributed most to the most severe flagged rows, most frequent first."""
        if self._worst is None or self._worst.empty:
            return ()
        explained = self.champion.detector.explain(self._worst, after=self.report)
        first = Counter(reasons[0].feature for reasons in explained.reasons if reasons)
        return tuple(first.most_common())

    def periods(self) -> tuple[tuple[date, int, int], ...]:
        """Return (day, rows, flagged) in the order of days; empty without a time column."""
        if len(self._days) > MOST_DAYS:
            return ()
        return tuple((day, rows, self._flagged_days[day]) for day, rows in sorted(self._days.items()))

    def _count(
        self,
        frame: pd.DataFrame,
        report: AlignmentReport,
        severities: NDArray[np.float64],
        flagged: NDArray[np.bool_],
    ) -> None:
        self.rows += len(frame)
        self.flagged += int(flagged.sum())
        self.histogram = self.histogram.plus(Histogram.of(severities))
        self.report = report if self.report is None else self.report.merged(report)
        if self.collected is None:
            return
        self._keep_worst(frame, severities, flagged)
        if self._time_column in frame.columns and len(self._days) <= MOST_DAYS:
            days = times_of(frame[self._time_column]).dt.tz_localize(None).to_numpy().astype("datetime64[D]")
            self._days.update(_by_day(days))
            self._flagged_days.update(_by_day(days[flagged]))

    def _keep_worst(self, frame: pd.DataFrame, severities: NDArray[np.float64], flagged: NDArray[np.bool_]) -> None:
        # Of equally severe rows the first ones stay: once there are enough, only a more severe one gets in.
        enough = len(self._worst_severities) == EXPLAINED_ROWS
        found = np.flatnonzero(flagged & (severities > self._worst_severities[-1]) if enough else flagged)
        if not len(found):
            return
        found = found[np.argsort(-severities[found], kind="stable")[:EXPLAINED_ROWS]]
        frame, severities = frame.iloc[found], severities[found]
        if self._worst is not None:
            frame = pd.concat([self._worst, frame], ignore_index=True)
            severities = np.concatenate([self._worst_severities, severities])
        worst = np.argsort(-severities, kind="stable")[:EXPLAINED_ROWS]
        self._worst, self._worst_severities = frame.iloc[worst], severities[worst]


def _by_day(days: NDArray[np.datetime64]) -> dict[date, int]:
    # A calendar ends with the year 9999; what a file dates later belongs to no day.
    found, counts = np.unique(days[(days >= _FIRST_DAY) & (days <= _LAST_DAY)], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def require_known(report: AlignmentReport, min_importance: float) -> None:
    """Raise ``NoKnownColumnsError`` when rows carry less than ``min_importance`` (0-1) of the model's importance."""
    if report.rows and report.importance_carried < min_importance:
        raise NoKnownColumnsError(
            f"The rows carry {report.importance_carried:.1%} of what the model's scores rest on, less than the "
            f"{min_importance:.0%} that a score needs. Missing: {', '.join(report.missing[:10])}.",
            importance_carried=report.importance_carried,
            missing=list(report.missing),
        )


def no_unreadable(report: AlignmentReport) -> None:
    """Raise ``InputError`` when values cannot be read as what their field holds, naming each by row and field."""
    if not report.unreadable_total:
        return
    problems = tuple(
        Problem(
            "unreadable_value",
            f"Row {cell.row + 1}, field {excerpt(cell.column)!r}: {excerpt(cell.value)!r} does not fit the field.",
            cell.row + 1,
            None,
            excerpt(cell.column),
            excerpt(cell.value),
        )
        for cell in report.unreadable
    )
    raise InputError(problems[0].message, problems, report.unreadable_total)
