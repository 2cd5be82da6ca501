"""Rows of a run with what they have to be seen with: how a row is scored depends on the file that it came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError, NotFoundError
from detector.service.runs import PAGE_ROWS, Run, get_run, run_path
from detector.service.workspace import Workspace
from detector.store import run_files, run_lookups

#: Rows of a run by which it is decided how its columns are read when a few of its rows are explained.
CONTEXT_ROWS = 2_048
#: Rows of the same entities that are looked at, at most; of more, the last ones.
ALIKE_ROWS = 100_000


@dataclass(frozen=True, eq=False)
class RunRows:
    """Some rows of a run, and what they have to be seen with to be scored as they were.

    Parameters
    ----------
    run : the run.
    rows : the rows in the order of the file, under its own column names; the index, ``row``, counts from 1.
    scored : what scoring said of them then, see ``run_files.SCORED_COLUMNS``.
    context : rows of their batch, taken evenly, of the whole run where they are of several: how columns are read is
        decided by more rows than a few.
    alike : what tells of entities, of all rows of the same ones up to the last batch in which there is one of
        ``rows``; ``None`` when no entity is named.
    batch_rows : rows of a batch. Within one, rows are compared by their times, in whatever order they are.
    """

    run: Run
    rows: pd.DataFrame
    scored: pd.DataFrame
    context: pd.DataFrame
    alike: pd.DataFrame | None
    batch_rows: int

    def with_habits(self, detector: DynamicAnomalyDetector, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return ``rows``, as they are or with other values, and the context, with what is derived from habits.

        It is found as when the run was made: batch by batch, each row beside those of its entity that came before it.
        """
        if self.alike is None:
            return rows, self.context
        columns = list(self.alike.columns)
        known = pd.concat([self.alike.drop(index=rows.index, errors="ignore"), rows[columns]]).sort_index()
        follower, report = detector.follower(), detector.alignment(self.context)
        batches = known.groupby((known.index - 1) // self.batch_rows)
        derived = pd.concat([follower.beside(batch, report) for _, batch in batches])
        return rows.join(derived.loc[rows.index].drop(columns=columns)), detector.beside(self.context)


def run_rows_in_context(ws: Workspace, run_id: int, rows: Sequence[int]) -> RunRows:
    """Return rows of a run with what they have to be seen with; at most 200, by their numbers from 1.

    Raises
    ------
    NotFoundError
        When there is no such run or row, or the run's rows are gone from the disk.
    InputError
        When more than 200 rows are asked for.
    """
    if len(rows) > PAGE_ROWS:
        raise InputError(f"At most {PAGE_ROWS} rows are explained at a time.", rows=len(rows))
    run = get_run(ws, run_id)
    path = run_path(ws, run_id)
    names = run_files.file_names(run.columns)
    size = ws.settings.batch_rows
    batches = {(row - 1) // size for row in rows}
    first, last = 1, run.rows
    if len(batches) == 1:
        first = min(batches) * size + 1
        last = min(first + size - 1, run.rows)
    beside = run_lookups.evenly(first, last, CONTEXT_ROWS)
    found = run_lookups.read_rows(path, rows, beside=beside)
    missing = sorted(set(rows) - set(found.index))
    if missing:
        raise NotFoundError(f"Run {run_id} has no row {missing[0]}.", run=run_id, row=missing[0])
    asked = found[found.index.isin(list(rows))]
    own = own_columns(found, names)
    context = own[own.index.isin(beside)]
    alike = _alike(ws.detector(run.version), path, names, context, own.loc[asked.index], size)
    return RunRows(run, own.loc[asked.index], asked[list(run_files.SCORED_COLUMNS)], context, alike, size)


def own_columns(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Return a run's rows with the columns of the file alone, under its names for them."""
    return frame[list(names)].rename(columns=names)


def _alike(
    detector: DynamicAnomalyDetector,
    path: Path,
    names: dict[str, str],
    context: pd.DataFrame,
    rows: pd.DataFrame,
    batch_rows: int,
) -> pd.DataFrame | None:
    """Return the columns that tell of entities, of all rows of the same ones up to the batch of the last row."""
    behaviour = detector.behaviour
    if behaviour is None or rows.empty:
        return None
    kept = {own: name for name, own in names.items()}
    ways = detector.alignment(context).ways
    sources = {ways[name].column if name in ways else name for name in behaviour.sources}
    columns = [name for name in rows.columns if name in sources]
    found = [
        run_lookups.read_alike(
            path,
            kept[plan.entity],
            rows[plan.entity].dropna().unique().tolist(),
            [kept[name] for name in columns],
            up_to=-(-int(rows.index.max()) // batch_rows) * batch_rows,
            most=ALIKE_ROWS,
        )
        for plan in behaviour.plans
        if plan.entity in columns
    ]
    if not found:
        return None
    together = pd.concat(found)
    return together[~together.index.duplicated()].sort_index().rename(columns=names)
