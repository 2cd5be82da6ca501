"""The figures of the first page and of the status strip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, func, select

from detector.service.api_probe import ApiState
from detector.service.drift.drift_results import RunDrift
from detector.service.drift.drifting import drift_of_run
from detector.service.drift.schema_changes import changed_columns
from detector.service.histogram import Histogram, severity_shift
from detector.service.review.queue import open_cases
from detector.service.review.review_figures import ReviewFigures, review_figures
from detector.service.runs import Run, list_runs
from detector.service.workspace import Workspace
from detector.store import tables

Drift = Literal["calm", "watch", "drifting", "unknown"]

#: Population stability index of the severities from which a shift is worth a look, and from which it is a drift.
WATCH, DRIFTING = 0.1, 0.25
#: Less of the model's importance than this in a file is worth a look; less than the second is a drift.
CARRIED_WATCH, CARRIED_DRIFTING = 0.999, 0.8
#: With fewer rows the index says nothing.
ROWS_FOR_INDEX = 500
#: Runs that the first page draws on.
RUNS_SHOWN = 100
#: Runs whose drifted columns are drawn as a line.
RUNS_IN_LINE = 30


@dataclass(frozen=True)
class Status:
    """The strip on every page.

    ``drift`` is judged on the newest run: ``drifting`` when its severities have shifted by a population stability
    index of 0.25 or more against the model's own rows (whose severities are even by construction), or when it carries
    less than 80 % of the model's importance; ``watch`` from 0.1 on, or when a column is new, missing or of another
    type; else ``calm``; ``unknown`` without a run. ``drifted_columns``: its columns that are new, missing or of
    another type. ``open_flagged``: flagged rows of the newest run of each file. ``open_cases``: cases in the queue that
    wait for a decision, ``None`` while no run is in the queue. ``api``: whether it answers at ``settings.api_url``.
    """

    champion_version: int | None
    champion_trained_at: datetime | None
    cutoff: float | None
    drift: Drift
    drifted_columns: int
    open_flagged: int
    open_cases: int | None
    api: ApiState
    notice: str | None


@dataclass(frozen=True)
class Overview:
    """The first page.

    ``flagged_today``: flagged rows of the runs made today (UTC). ``flagged_share``: 0-1, of the newest run.
    ``flagged_per_period``: (day, rows, flagged) by the files' own time column, oldest first, each day as the newest
    run that has it counts it; by the day of the run for files without one. ``reasons``: (column, rows), most frequent
    first. ``open_cases``: as in the strip. ``review``: how the decisions of the last 30 days went.
    ``drift_by_run``: drifted columns of the newest runs, oldest first.
    """

    champion_version: int | None
    champion_trained_at: datetime | None
    champion_rows: int | None
    runs: int
    rows_scored: int
    flagged_today: int
    open_flagged: int
    flagged_share: float | None
    drift: Drift
    drifted_columns: int
    flagged_per_period: tuple[tuple[date, int, int], ...]
    reasons: tuple[tuple[str, int], ...]
    latest_run: Run | None
    open_cases: int | None
    review: ReviewFigures
    drift_by_run: tuple[int, ...]


def overview(ws: Workspace) -> Overview:
    """Return the figures of the first page."""
    champion = ws.champion()
    runs = list_runs(ws, limit=RUNS_SHOWN)
    with ws.database.read() as connection:
        many, rows = connection.execute(select(func.count(), func.coalesce(func.sum(tables.runs.c.rows), 0))).one()
    latest = runs[0] if runs else None
    measured = drift_of_run(ws, latest.id) if latest else None
    newest = _newest_of_each_file(runs)
    today = datetime.now(UTC).date()
    reasons = Counter[str]()
    for run in newest:
        reasons.update(dict(run.reasons))
    return Overview(
        champion_version=champion.version if champion else None,
        champion_trained_at=champion.created_at if champion else None,
        champion_rows=champion.rows if champion else None,
        runs=int(many),
        rows_scored=int(rows),
        flagged_today=sum(run.flagged for run in newest if run.created_at.date() == today),
        open_flagged=sum(run.flagged for run in newest),
        flagged_share=latest.flagged / latest.rows if latest and latest.rows else None,
        drift=_drift(latest.report, latest.histogram, measured) if latest else "unknown",
        drifted_columns=len(_drifted(latest.report, measured)) if latest else 0,
        flagged_per_period=_periods(newest),
        reasons=tuple(reasons.most_common()),
        latest_run=latest,
        open_cases=open_cases(ws),
        review=review_figures(ws),
        drift_by_run=tuple(
            len(_drifted(run.report, drift_of_run(ws, run.id))) for run in reversed(runs[:RUNS_IN_LINE])
        ),
    )


def status(ws: Workspace) -> Status:
    """Return the status strip; cheap enough for every rerun of every page. Not for the API: it would ask itself."""
    champion = ws.champion()
    with ws.database.read() as connection:
        latest: RowMapping | None = (
            connection.execute(
                select(tables.runs.c.id, tables.runs.c.report, tables.runs.c.histogram)
                .order_by(tables.runs.c.id.desc())
                .limit(1)
            )
            .mappings()
            .one_or_none()
        )
        last = select(func.max(tables.runs.c.id)).group_by(func.coalesce(tables.runs.c.sha256, tables.runs.c.file))
        flagged = connection.scalar(select(func.sum(tables.runs.c.flagged)).where(tables.runs.c.id.in_(last)))
    measured = drift_of_run(ws, latest["id"]) if latest else None
    return Status(
        champion_version=champion.version if champion else None,
        champion_trained_at=champion.created_at if champion else None,
        cutoff=champion.cutoff if champion else None,
        drift=_drift(latest["report"], Histogram.from_dict(latest["histogram"]), measured) if latest else "unknown",
        drifted_columns=len(_drifted(latest["report"], measured)) if latest else 0,
        open_flagged=int(flagged or 0),
        open_cases=open_cases(ws),
        api=ws.api.state(),
        notice=_notice(ws),
    )


def _notice(ws: Workspace) -> str | None:
    behind = ws.behind
    if behind is None:
        return ws.notice
    return f"Version {behind.version} is champion, and cannot be read here; the one before goes on. {behind.reason}"


def newest_drift(ws: Workspace) -> tuple[Drift, int]:
    """Return the drift of the newest run and its drifted columns, as the strip tells them; does not ask the API."""
    newest = list_runs(ws, limit=1)
    if not newest:
        return "unknown", 0
    run, measured = newest[0], drift_of_run(ws, newest[0].id)
    return _drift(run.report, run.histogram, measured), len(_drifted(run.report, measured))


def _drift(report: Any, histogram: Histogram, measured: RunDrift | None) -> Drift:
    """Return the graver of what the run as a whole and its columns one by one say."""
    carried = report.get("importance_carried", 1.0)
    shift = severity_shift(histogram) if histogram.rows >= ROWS_FOR_INDEX else 0.0
    columns = "calm" if measured is None else measured.state
    if shift >= DRIFTING or carried < CARRIED_DRIFTING or columns == "drifting":
        return "drifting"
    if shift >= WATCH or carried < CARRIED_WATCH or columns == "watch" or _drifted(report, measured):
        return "watch"
    return "calm"


def _drifted(report: Any, measured: RunDrift | None) -> set[str]:
    """Return the columns that came otherwise than learned, and those whose values have drifted."""
    came = {name for name, status in changed_columns(report).items() if status != "partly missing"}
    return came | {column.name for column in (measured.columns if measured else ()) if column.state == "drifting"}


def _newest_of_each_file(runs: tuple[Run, ...]) -> list[Run]:
    seen: set[str | int] = set()
    newest = []
    for run in runs:
        file = run.sha256 or run.id
        if file not in seen:
            seen.add(file)
            newest.append(run)
    return newest


def _periods(newest_first: list[Run]) -> tuple[tuple[date, int, int], ...]:
    days: dict[date, tuple[int, int]] = {}
    for run in newest_first:
        own = run.periods or ((run.created_at.date(), run.rows, run.flagged),)
        for day, rows, flagged in own:
            days.setdefault(day, (rows, flagged))
    return tuple((day, rows, flagged) for day, (rows, flagged) in sorted(days.items()))
