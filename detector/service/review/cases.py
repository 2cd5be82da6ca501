"""One case: what it is, what was said of it, what its entity did, and which rows share a value with it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from detector.service.review.case_changes import among, from_plain, pieces
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import REASONS
from detector.service.review.inbox import CaseState
from detector.service.runs import runs_folder
from detector.service.workspace import Workspace
from detector.store import queue_files, run_queries, tables
from detector.store.run_files import file_names

#: Rows of an entity's history that are shown, at most.
HISTORY_ROWS = 200
#: Other scored files in which the entity is looked for.
OTHER_FILES = 11
#: Other amounts of an entity that say what is usual for it.
ROWS_FOR_USUAL = 5
#: A value links at most so many rows, and at most so large a share of its file; what more rows share links nothing.
LINKED_BY_VALUE, LINKED_SHARE = 200, 0.01
#: Of a short file this many rows may be linked by one value nevertheless.
LINKED_AT_LEAST = 10
#: Linked rows that are shown, at most.
LINKED_ROWS = 60


@dataclass(frozen=True)
class CaseReason:
    """One column's part in the case's score when it was detected; see ``core.reasons.Reason``."""

    feature: str
    badge: str
    contribution: float
    sentence: str


@dataclass(frozen=True)
class CasePart:
    """What one column contributes to the score, in log2 of it; positive makes the case more anomalous.

    ``value``: as the row has it, ``None`` where it has none.
    """

    feature: str
    value: Any
    contribution: float


@dataclass(frozen=True)
class Event:
    """Something that somebody did to a case. ``told``: in words. ``note``: what was written with it."""

    at: datetime
    actor: str
    action: str
    told: str
    note: str
    batch: str


@dataclass(frozen=True)
class Case:
    """A case.

    ``severity`` and ``score``: when it was detected, by ``version`` and ``cutoff``. ``priority``: its severity now,
    with what was learned from decisions. ``values``: the row's own columns, in the order of the file. ``reasons``:
    those to be anomalous, strongest first. ``parts``: all that leads to the score, strongest first. ``timeline``:
    oldest first.
    """

    id: CaseId
    file: str
    version: int
    cutoff: float
    severity: float
    score: float
    priority: float
    entity_column: str | None
    entity: str | None
    time_column: str | None
    time: datetime | None
    amount_column: str | None
    amount: float | None
    values: Mapping[str, Any]
    reasons: tuple[CaseReason, ...]
    parts: tuple[CasePart, ...]
    pattern: str
    state: CaseState
    timeline: tuple[Event, ...]
    opened_at: datetime


@dataclass(frozen=True)
class EntityHistory:
    """What the case's entity did in this file and in other scored ones, oldest first, with the case itself.

    ``rows``: at most 200 of each file, those nearest in time to the case. Columns: ``case`` (as text), ``file``,
    ``time``, ``amount``, ``severity``, ``flagged`` and ``outcome`` (of a decision, else ``None``). ``total``: rows of
    the entity in all these files, ``files`` of them.
    ``last_hour``, ``last_day``, ``last_week``: (rows, sum of amounts) in the time up to the case, itself included;
    ``None`` where the file has no times.
    ``usual``: the middle nine tenths of its other amounts, ``None`` with fewer than five.
    """

    column: str
    entity: str
    rows: pd.DataFrame
    total: int
    files: int
    last_hour: tuple[int, float] | None
    last_day: tuple[int, float] | None
    last_week: tuple[int, float] | None
    usual: tuple[float, float] | None


@dataclass(frozen=True)
class Link:
    """A value that the case shares with other rows of its file."""

    column: str
    value: str
    rows: int


@dataclass(frozen=True)
class LinkedRows:
    """Rows that share a rare value with the case.

    ``links``: the values, rarest first. ``rows``: at most 60, those that share most first, then most severe. Columns:
    ``case`` (as text), ``shared`` (names of the columns), ``entity``, ``time``, ``amount``, ``severity``, ``flagged``
    and ``outcome``.
    """

    links: tuple[Link, ...]
    rows: pd.DataFrame


def get_case(ws: Workspace, case: CaseId) -> Case:
    """Return a case; raises ``NotFoundError`` when it is not in the queue or its files are gone."""
    table, position = ws.inbox.find(case)
    queue = table.queue
    path = ws.inbox.folder / queue.file
    told = queue_files.read_cases(path, [position]).iloc[0]
    row = queue_files.read_rows_at(path, [position]).iloc[0]
    with ws.database.read() as connection:
        run = connection.execute(
            select(tables.runs.c.columns, tables.runs.c.cutoff, tables.runs.c.report).where(
                tables.runs.c.id == case.run
            )
        ).one()
        events = connection.execute(
            select(tables.case_events)
            .where(tables.case_events.c.run == case.run, tables.case_events.c.row == case.row)
            .order_by(tables.case_events.c.number)
        ).mappings().all()  # fmt: skip
    came_as = {column["name"]: column.get("came_as") or column["name"] for column in run.report.get("columns", ())}
    parts = [
        CasePart(name, _or_none(row.get(came_as.get(name, name))), float(value))
        for name, value in zip(told["parts"], told["values"], strict=True)
    ]
    return Case(
        id=case,
        file=queue.name,
        version=queue.version,
        cutoff=run.cutoff,
        severity=float(told["severity"]),
        score=float(told["score"]),
        priority=float(table.priorities[position]),
        entity_column=queue.entity,
        entity=_or_none(told["entity"]),
        time_column=queue.time,
        time=None if pd.isna(told["time"]) else told["time"].to_pydatetime(),
        amount_column=queue.amount,
        amount=_or_none(told["amount"]),
        values={kept: _or_none(row[name]) for kept, name in file_names(run.columns).items()},
        reasons=tuple(
            CaseReason(feature, badge, float(part), sentence)
            for feature, badge, part, sentence in zip(
                told["reasons"], told["badges"], told["contributions"], told["sentences"], strict=True
            )
        ),
        parts=tuple(sorted(parts, key=lambda part: -abs(part.contribution))),
        pattern=str(told["group"]),
        state=table.state(position),
        timeline=tuple(
            Event(event["at"], event["actor"], event["action"], _in_words(dict(event)), event["note"], event["batch"])
            for event in events
        ),
        opened_at=queue.created_at,
    )


def entity_history(ws: Workspace, case: Case) -> EntityHistory | None:
    """Return what the case's entity did, ``None`` where the file names none; raises ``NotFoundError``."""
    column = case.entity_column
    if column is None or case.entity is None:
        return None
    value, moment = case.values[column], case.time
    parts, total = [], 0
    for run_id, name, path, columns in _files_with(ws, case, column):
        named = run_queries.Named(column, _kept(case.time_column, columns), _kept(case.amount_column, columns))
        rows, number = run_queries.rows_where(path, named, column, value, near=moment, limit=HISTORY_ROWS)
        if number:
            rows.insert(0, "case", [f"{run_id}-{row}" for row in rows["row"].tolist()])
            rows.insert(1, "file", name)
            parts.append(rows)
            total += number
        if run_id == case.id.run:
            here = (path, named)
    rows = pd.concat(parts, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    rows["outcome"] = _outcomes(ws, rows["case"])
    hour, day, week = None, None, None
    if moment is not None:
        hour, day, week = run_queries.rows_before(*here, column, value, moment, (3_600, 86_400, 604_800))
    others = rows.loc[rows["case"] != str(case.id), "amount"].dropna()
    usual = (float(others.quantile(0.05)), float(others.quantile(0.95))) if len(others) >= ROWS_FOR_USUAL else None
    return EntityHistory(column, case.entity, rows.drop(columns="row"), total, len(parts), hour, day, week, usual)


def linked_rows(ws: Workspace, case: Case) -> LinkedRows:
    """Return the rows of the case's file that share a rare value with it; raises ``NotFoundError``."""
    path = _run_file(ws, case.id.run)
    roles = {feature.name: feature.role for feature in ws.detector(case.version).schema_}
    values = {
        column: value
        for column, value in case.values.items()
        if column not in (case.entity_column, case.time_column, case.amount_column)
        and (isinstance(value, str) or (_is_whole(value) and roles.get(column) in ("entity", "id", "ignored")))
    }
    shared, total = run_queries.how_many_share(path, values)
    most = min(LINKED_BY_VALUE, max(LINKED_AT_LEAST, int(LINKED_SHARE * total)))
    links = sorted((count, column) for column, count in shared.items() if 2 <= count <= most)
    if not links:
        columns = ["case", "shared", "entity", "time", "amount", "severity", "flagged", "outcome"]
        return LinkedRows((), pd.DataFrame(columns=columns))
    named = run_queries.Named(case.entity_column, case.time_column, case.amount_column)
    chosen = {column: values[column] for _, column in links}
    rows = run_queries.rows_that_share(path, named, chosen, but=case.id.row, limit=LINKED_ROWS)
    rows.insert(0, "case", [f"{case.id.run}-{row}" for row in rows["row"].tolist()])
    rows["outcome"] = _outcomes(ws, rows["case"])
    told = tuple(Link(column, str(values[column]), count) for count, column in links)
    return LinkedRows(told, rows.drop(columns="row"))


def _in_words(event: Mapping[str, Any]) -> str:
    state = from_plain(event["after"])
    if event["action"] == "decided" and state.outcome is not None and state.reason is not None:
        return f"decided: {state.outcome}, {REASONS[state.outcome][state.reason].lower()}"
    if event["action"] == "snoozed" and state.snoozed_until is not None:
        return f"put away until {state.snoozed_until:%Y-%m-%d %H:%M} UTC"
    if event["action"] == "escalated":
        return f"escalated to {state.assignee}" if state.assignee else "escalated"
    if event["action"] == "assigned":
        return f"given to {state.assignee}" if state.assignee else "given to nobody"
    if event["action"] == "undone":
        return f"took the last step back: {state.outcome or state.status} again"
    return {"reopened": "opened again", "noted": "noted"}[event["action"]]


def _files_with(ws: Workspace, case: Case, column: str) -> list[tuple[int, str, Path, list[str]]]:
    """Return (run, name, rows, columns) of the case's run and of the newest run of each other file with the column."""
    runs = tables.runs
    newest = select(func.max(runs.c.id)).group_by(func.coalesce(runs.c.sha256, runs.c.file))
    own_file = select(runs.c.sha256).where(runs.c.id == case.id.run).scalar_subquery()
    query = (
        select(runs.c.id, runs.c.name, runs.c.file, runs.c.columns)
        .where((runs.c.id == case.id.run) | (runs.c.id.in_(newest) & (runs.c.sha256 != own_file)))
        .order_by(runs.c.id.desc())
    )
    with ws.database.read() as connection:
        found = connection.execute(query).all()
    others = [row for row in found if row.id != case.id.run and column in row.columns][:OTHER_FILES]
    own = next(row for row in found if row.id == case.id.run)
    folder = runs_folder(ws)
    return [
        (row.id, row.name, folder / row.file, row.columns)
        for row in (own, *others)
        if row is own or (folder / row.file).is_file()
    ]


def _outcomes(ws: Workspace, cases: pd.Series) -> list[str | None]:
    """Return what was decided of rows, ``None`` where nothing was."""
    ids = [CaseId.parse(case) for case in cases]
    decisions = tables.decisions
    query = select(decisions.c.run, decisions.c.row, decisions.c.outcome).where(decisions.c.ended_at.is_(None))
    known: dict[CaseId, str] = {}
    with ws.database.read() as connection:
        for some in pieces(ids):
            for row in connection.execute(query.where(among(decisions, some))):
                known[CaseId(row.run, row.row)] = row.outcome
    return [known.get(case) for case in ids]


def _run_file(ws: Workspace, run_id: int) -> Path:
    with ws.database.read() as connection:
        file = connection.scalar(select(tables.runs.c.file).where(tables.runs.c.id == run_id))
    return runs_folder(ws) / str(file)


def _kept(column: str | None, columns: Collection[str]) -> str | None:
    return column if column in columns else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _or_none(value: Any) -> Any:
    """Return a plain value, ``None`` for one that is missing."""
    if hasattr(value, "item"):
        value = value.item()
    return None if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)) else value
