"""Why rows of a run stand out: some rows for a page, or those that go to the queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core.alignment import AlignmentReport
from detector.core.explain import Explanation, Reason
from detector.core.model import DynamicAnomalyDetector
from detector.errors import DetectorError
from detector.service.progress import Progress, no_progress
from detector.service.reasons.run_context import RunRows, own_columns, run_rows_in_context
from detector.service.runs import get_run, run_path
from detector.service.workspace import Workspace
from detector.store import run_files

#: Scores of a row then and now are the same when they differ by less.
SAME_SCORE = 1e-6


@dataclass(frozen=True)
class Contribution:
    """What one column does to a row's score; ``contribution`` is positive when it makes the row more anomalous."""

    feature: str
    value: object
    contribution: float


@dataclass(frozen=True)
class RowReasons:
    """Why one row scores as it does.

    Parameters
    ----------
    row : its number in the file's data rows, from 1.
    version : that scored it, and explains it.
    score, severity : what is explained: 0-1 and 0-100.
    base, output : log2 of the score to expect of a row of which nothing is known, and of this one; the contributions
        of all columns lead from one to the other.
    parts : every learned column, the strongest contribution first.
    reasons : the strongest ones that make it more anomalous, in words.
    severity_then : what was said when the run was made; ``None`` for a row that was changed.
    as_then : whether that is what is explained. It is not where histories of entities have gone on since.
    """

    row: int
    version: int
    score: float
    severity: float
    base: float
    output: float
    parts: tuple[Contribution, ...]
    reasons: tuple[Reason, ...]
    severity_then: float | None
    as_then: bool


@dataclass(frozen=True, eq=False)
class ReasonsBatch:
    """Rows of one batch of a run, and why they score as they do.

    Parameters
    ----------
    rows : (k,) numbers of the data rows, from 1, ascending.
    frame : k rows as they were scored, with what was derived from earlier rows of their entities.
    explanation : of these k rows.
    """

    rows: NDArray[np.int64]
    frame: pd.DataFrame
    explanation: Explanation


def reasons_of(ws: Workspace, run_id: int, rows: Sequence[int]) -> tuple[RowReasons, ...]:
    """Explain up to 200 rows of a run by the version that scored it, in the order asked for.

    Parameters
    ----------
    rows : numbers of data rows, from 1.

    Raises
    ------
    NotFoundError
        When there is no such run or row, or the run's rows are gone from the disk.
    InputError
        When more than 200 rows are asked for.
    DetectorError
        When contributions do not add up to the score; no explanation is better than a wrong one.
    """
    found = run_rows_in_context(ws, run_id, rows)
    explained = {item.row: item for item in explain_in_context(ws.detector(found.run.version), found)}
    return tuple(explained[row] for row in rows)


def run_reasons(
    ws: Workspace, run_id: int, rows: NDArray[np.int64], *, progress: Progress = no_progress
) -> Iterator[ReasonsBatch]:
    """Explain rows of a run, batch by batch.

    The run is gone through as when it was scored, so that columns are read and entities compared as they were.

    Parameters
    ----------
    rows : (k,) numbers of data rows, from 1, ascending.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    DetectorError
        When contributions do not add up to the score.
    Cancelled
        When ``progress`` raised it.
    """
    run = get_run(ws, run_id)
    detector = ws.detector(run.version).follower()
    names = run_files.file_names(run.columns)
    report: AlignmentReport | None = None
    done = told = 0
    for batch in run_files.batches(run_path(ws, run_id), ws.settings.batch_rows):
        if told == len(rows):
            break
        progress(done, run.rows, f"Finding reasons in {run.name}")
        here = rows[told : np.searchsorted(rows, done + len(batch), side="right")]
        frame = detector.beside(own_columns(batch, names), report)
        places = (here - done - 1).astype(np.intp)
        found = _added_up(detector, frame, places, after=report)
        report = found.report if report is None else report.merged(found.report)
        done += len(batch)
        told += len(here)
        if len(here):
            yield ReasonsBatch(here, frame.iloc[places], found)
    progress(run.rows, run.rows, f"Finding reasons in {run.name}")


def explain_in_context(
    detector: DynamicAnomalyDetector, found: RunRows, changed: pd.DataFrame | None = None
) -> tuple[RowReasons, ...]:
    """Explain rows of a run as they are, or as they are ``changed``: rows with the same columns and numbers."""
    rows = found.rows if changed is None else changed
    rows, explanation = _explained(detector, found, rows)
    scores = np.exp2(explanation.output)
    then = None if changed is not None else found.scored
    return tuple(
        RowReasons(
            row=int(number),
            version=found.run.version,
            score=float(scores[place]),
            severity=float(explanation.severities[place]),
            base=float(explanation.base[place]),
            output=float(explanation.output[place]),
            parts=_parts(explanation, place, rows.iloc[place]),
            reasons=explanation.reasons[place],
            severity_then=None if then is None else float(then["severity"].iloc[place]),
            as_then=then is None or bool(abs(then["score"].iloc[place] - scores[place]) < SAME_SCORE),
        )
        for place, number in enumerate(rows.index)
    )


def _explained(
    detector: DynamicAnomalyDetector, found: RunRows, rows: pd.DataFrame
) -> tuple[pd.DataFrame, Explanation]:
    """Return the rows with the columns that are derived from what their entities did, and what explains them."""
    rows, context = found.with_habits(detector, rows)
    both = pd.concat([context, rows])
    return rows, _added_up(detector, both, np.arange(len(context), len(both)))


def _added_up(
    detector: DynamicAnomalyDetector,
    frame: pd.DataFrame,
    only: NDArray[np.intp],
    *,
    after: AlignmentReport | None = None,
) -> Explanation:
    try:
        return detector.explain(frame, after=after, only=only)
    except ArithmeticError as error:
        # No explanation is better than a wrong one, and a page has to say so.
        raise DetectorError("The contributions do not add up to the score, so they are not shown.") from error


def _parts(explanation: Explanation, place: int, row: pd.Series) -> tuple[Contribution, ...]:
    values = explanation.values[place]
    ways = explanation.report.ways
    parts = []
    for feature in np.argsort(-np.abs(values), kind="stable").tolist():
        name = explanation.features[feature]
        column = ways[name].column if name in ways else name
        parts.append(Contribution(name, _plain(row.get(column)), float(values[feature])))
    return tuple(parts)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NaT or value != value else value  # noqa: PLR0124 - what is no number
