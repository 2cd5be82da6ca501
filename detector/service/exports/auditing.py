"""The log of changes as people read it: filtered, a page at a time, in words, and to take away."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO, TextIOWrapper
from typing import Any, Literal

import pyarrow as pa
from sqlalchemy import ColumnElement, func, select

from detector.errors import InputError
from detector.files.writing import harmless
from detector.service.access import needs
from detector.service.exports.log_words import in_words
from detector.service.workspace import Workspace
from detector.store import audit, tables
from detector.store.audit import AuditEntry

#: Most entries of a page, and of one step of a download.
PAGE_ENTRIES, STEP = 200, 2_000
#: Where a text names a place on a disk, its last part says enough.
_PLACE = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\"]+[\\/])+([^\\/\s'\"]*)")

_entry = tables.audit.c


@dataclass(frozen=True)
class AuditFilter:
    """Which entries: by whom, of which action, whose subject holds a text, made on the days ``since`` to ``until``.

    Days are in UTC and both count; what is ``None`` or empty does not narrow.
    """

    actor: str | None = None
    action: str | None = None
    subject: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class LogLine:
    """An entry in words. ``details`` are as they were written down, but for places on a disk."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    words: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class LogPage:
    """Some entries, the newest first, and how many there are of the kind asked for."""

    lines: tuple[LogLine, ...]
    total: int


def audit_page(ws: Workspace, wanted: AuditFilter | None = None, *, offset: int = 0, limit: int = 50) -> LogPage:
    """Return a page of the log, newest first.

    Raises
    ------
    InputError
        When ``offset`` or ``limit`` is out of range.
    """
    if offset < 0 or not 1 <= limit <= PAGE_ENTRIES:
        raise InputError(f"A page holds 1 to {PAGE_ENTRIES} entries and begins at 0 or later.")
    conditions = _conditions(wanted or AuditFilter())
    query = select(*audit.ENTRY).where(*conditions).order_by(_entry.number.desc()).offset(offset).limit(limit)
    with ws.database.read() as connection:
        total = connection.scalar(select(func.count()).select_from(tables.audit).where(*conditions)) or 0
        found = [AuditEntry(**row) for row in connection.execute(query).mappings()]
    return LogPage(tuple(_line(entry) for entry in found), total)


def audit_choices(ws: Workspace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return who and which actions the log knows, each in order."""
    with ws.database.read() as connection:
        actors = connection.scalars(select(_entry.actor).distinct()).all()
        actions = connection.scalars(select(_entry.action).distinct()).all()
    # Here, since every database has an order of its own for texts.
    return tuple(sorted(actors)), tuple(sorted(actions))


def log_length(ws: Workspace) -> int:
    """Return how many entries the log has, as its head says."""
    with ws.database.read() as connection:
        return audit.head(connection).entries


def verify_log(ws: Workspace, *, noted: tuple[int, str] | None = None) -> audit.Chain:
    """Follow the log from its first entry to its end and tell the first one that does not fit, if any.

    ``noted``: number and hash of an entry as they were written down elsewhere, see :func:`audit.follow`. Takes some
    seconds for 100,000 entries.
    """
    with ws.database.read() as connection:
        return audit.follow(connection, noted=noted)


@needs("read")
def export_audit(
    ws: Workspace, wanted: AuditFilter | None = None, format: Literal["jsonl", "csv"] = "jsonl", *, actor: str
) -> BytesIO:
    """Return all entries that a filter lets through, oldest first, as a file in memory.

    In CSV, texts that a spreadsheet would run as formulas are made harmless. The download is itself written down.

    Raises
    ------
    InputError
        When the format is neither ``jsonl`` nor ``csv``.
    """
    if format not in ("jsonl", "csv"):
        raise InputError(f"The log is exported as jsonl or csv, not as {format!r}.")
    with ws.database.write() as connection:
        audit.record(connection, actor=actor, action="log exported", subject="audit log", format=format)
    file = BytesIO()
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\n")
    if format == "csv":
        rows.writerow(("number", "at", "actor", "action", "subject", "words", "details"))
    for lines in _steps(ws, wanted or AuditFilter()):
        if format == "csv":
            rows.writerows(_csv_rows(lines))
        else:
            text.writelines(json.dumps(_as_dict(line), ensure_ascii=False, default=str) + "\n" for line in lines)
    text.flush()
    text.detach()
    file.seek(0)
    return file


def _steps(ws: Workspace, wanted: AuditFilter) -> Iterator[list[LogLine]]:
    conditions, last = _conditions(wanted), 0
    while True:
        # By number and not by offset: entries that come meanwhile neither repeat nor push out others.
        query = select(*audit.ENTRY).where(*conditions, _entry.number > last).order_by(_entry.number).limit(STEP)
        with ws.database.read() as connection:
            lines = [_line(AuditEntry(**row)) for row in connection.execute(query).mappings()]
        if not lines:
            return
        last = lines[-1].number
        yield lines


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.actor:
        conditions.append(_entry.actor == wanted.actor)
    if wanted.action:
        conditions.append(_entry.action == wanted.action)
    if wanted.subject.strip():
        conditions.append(_entry.subject.icontains(wanted.subject.strip(), autoescape=True))
    if wanted.since:
        conditions.append(_entry.at >= datetime.combine(wanted.since, time.min, UTC))
    if wanted.until:
        conditions.append(_entry.at < datetime.combine(wanted.until, time.min, UTC) + timedelta(days=1))
    return conditions


def _line(entry: AuditEntry) -> LogLine:
    details = _without_places(entry.details)
    words = in_words(entry.action, entry.subject, details)
    return LogLine(entry.number, entry.at, entry.actor, entry.action, entry.subject, words, details)


def _without_places(value: Any) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(r"\1", value)
    if isinstance(value, Mapping):
        return {str(name): _without_places(part) for name, part in value.items()}
    return [_without_places(part) for part in value] if isinstance(value, list | tuple) else value


def _as_dict(line: LogLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "at": line.at.isoformat(),
        "actor": line.actor,
        "action": line.action,
        "subject": line.subject,
        "words": line.words,
        "details": dict(line.details),
    }


def _csv_rows(lines: list[LogLine]) -> Iterator[tuple[Any, ...]]:
    told = [_as_dict(line) | {"details": json.dumps(line.details, ensure_ascii=False, default=str)} for line in lines]
    texts = [
        harmless(pa.array([one[name] for one in told], pa.string())).to_pylist()
        for name in ("actor", "action", "subject", "words", "details")
    ]
    return zip([one["number"] for one in told], [one["at"] for one in told], *texts, strict=True)
