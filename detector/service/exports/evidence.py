"""Everything that is known of one case, as one file that can be printed, sent and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import structlog
from sqlalchemy import RowMapping, select

from detector.core.model import DynamicAnomalyDetector
from detector.core.reasons import UNIT, Reason
from detector.errors import DetectorError, NotFoundError
from detector.service.access import needs
from detector.service.exports import html_pages
from detector.service.reasons.explaining import explain_in_context
from detector.service.reasons.run_context import RunRows, run_rows_in_context
from detector.service.runs import Run, chosen_rows, get_run, run_path
from detector.service.workspace import Workspace
from detector.store import audit, run_columns, tables
from detector.version import VERSION

#: Rows of the case's entity that are shown, at most, and columns of them.
ENTITY_ROWS, ENTITY_COLUMNS = 50, 7
#: Entries of the timeline that are shown, at most, the newest.
MOST_EVENTS = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Now:
    """What the champion says of the row today."""

    version: int
    severity: float
    cutoff: float


@needs("read")
def evidence_pack(ws: Workspace, run_id: int, row: int, *, actor: str | None = None) -> str:
    """Return a case as one HTML document that needs nothing else: no script, no picture, no address.

    It tells the row's values, its severity when it was detected and with the champion now, the reasons by the version
    that scored it, decisions, notes and timeline, the latest rows of its entity in the run (at most 50), and
    what all of this rests on, with checksums. Whatever comes from a file or a person is escaped.

    Parameters
    ----------
    row
        The data row of the run, from 1.
    actor
        Who takes it away, for the log; without it nothing is written there.

    Raises
    ------
    NotFoundError
        When there is no such run or row, or the run's rows are gone from the disk.
    """
    run = get_run(ws, run_id)
    if not 1 <= row <= run.rows:
        raise NotFoundError(f"Run {run_id} has no row {row}; it has {run.rows:,}.", run=run_id, row=row)
    values = chosen_rows(ws, run_id, [row])
    scored = run_columns.rows_at(run_path(ws, run_id), [row], ["severity", "flagged", "score"]).iloc[0]
    found = run_rows_in_context(ws, run_id, [row])
    version = ws.registry.info(run.version)
    case, decisions, events, queue = _kept(ws, run_id, row)
    made = datetime.now(UTC)
    taken = f"Row {row:,} of {run.name}. Made {_time(made)}{f' by {actor}' if actor else ''}"
    content = html_pages.document(
        f"Case {run_id}-{row}",
        f"{taken} with version {VERSION} of the program.",
        {
            "The case": _facts(run, row, scored, _now(ws, found), case, decisions),
            "Why it stands out": _reasons(ws.detector(run.version), found),
            "Values of the row": html_pages.table(
                ("Column", "Value"), ((name, values[name].iloc[0]) for name in values)
            ),
            "Decisions": _decisions(decisions),
            "Timeline and notes": _timeline(events, decisions),
            "Rows of the same entity": _entity_rows(ws, run, row, queue),
            "What this rests on": html_pages.table(
                ("What", "Value"),
                (
                    ("File", run.name),
                    ("SHA-256 of the file", run.sha256 or "not known"),
                    ("Scored", f"{_time(run.created_at)} by {run.actor}"),
                    ("Model", f"version {version.number}, {version.origin} {_time(version.created_at)}"),
                    ("SHA-256 of the model", version.sha256),
                    ("Cutoff at that time", run.cutoff),
                ),
            ),
        },
    )
    if actor is not None:
        with ws.database.write() as connection:
            audit.record(connection, actor=actor, action="evidence taken", subject=f"case {run_id}-{row}")
    return content


def _now(ws: Workspace, found: RunRows) -> _Now | None:
    champion = ws.champion()
    if champion is None:
        return None
    try:
        (told,) = explain_in_context(champion.detector, found)
    except DetectorError:
        # A champion of other columns has no word on this row.
        return None
    return _Now(champion.version, told.severity, champion.cutoff)


def _kept(
    ws: Workspace, run_id: int, row: int
) -> tuple[RowMapping | None, Sequence[RowMapping], Sequence[RowMapping], RowMapping | None]:
    cases, made, events, queues = tables.cases.c, tables.decisions.c, tables.case_events.c, tables.queues.c
    with ws.database.read() as connection:
        case = connection.execute(select(tables.cases).where(cases.run == run_id, cases.row == row)).mappings()
        decisions = connection.execute(
            select(tables.decisions).where(made.run == run_id, made.row == row).order_by(made.number)
        ).mappings()
        told = connection.execute(
            select(tables.case_events)
            .where(events.run == run_id, events.row == row)
            .order_by(events.number.desc())
            .limit(MOST_EVENTS)
        ).mappings()
        queue = connection.execute(select(tables.queues).where(queues.run == run_id)).mappings()
        return case.one_or_none(), decisions.all(), told.all()[::-1], queue.one_or_none()


def _facts(
    run: Run, row: int, scored: pd.Series, now: _Now | None, case: RowMapping | None, decisions: Sequence[RowMapping]
) -> str:
    standing = [one for one in decisions if one["ended_at"] is None]
    flagged = "flagged" if scored["flagged"] else "not flagged"
    then = f"{scored['severity']:.1f} of 100 with version {run.version}; {flagged} at the cutoff {run.cutoff:g}"
    facts: list[tuple[str, object]] = [
        ("Case", f"{run.id}-{row}"),
        ("Status", case["status"] if case else "never opened"),
        ("Assigned to", (case["assignee"] if case else None) or "nobody"),
        ("Decision", standing[-1]["outcome"] if standing else "none"),
        ("Severity when detected", then),
        ("Anomaly score when detected", f"{scored['score']:.4f}"),
    ]
    if now is None:
        facts.append(("Severity now", "not known: the champion does not know these columns"))
    else:
        said = "above" if now.severity > now.cutoff else "not above"
        facts.append(
            (
                "Severity now",
                f"{now.severity:.1f} with version {now.version}, the champion; {said} its cutoff {now.cutoff:g}",
            )
        )
    return html_pages.table(("What", "Value"), facts)


def _reasons(detector: DynamicAnomalyDetector, found: RunRows) -> str:
    version = found.run.version
    try:
        (told,) = explain_in_context(detector, found)
    except DetectorError as error:
        _log.error("no explanation", version=version, reason=error.message)
        return html_pages.note("There is no explanation: its parts do not add up to the score.")
    reasons: Sequence[Reason] = told.reasons
    if not reasons:
        return html_pages.note("No single column makes this row stand out.")
    table = html_pages.table(
        ("Column", "In words", "Contribution"),
        ((one.feature, one.sentence, f"{one.contribution:+.3f}") for one in reasons),
    )
    return table + html_pages.note(
        f"By version {version}. Contribution: {UNIT}; more is more anomalous. The strongest are shown."
    )


def _decisions(decisions: Sequence[RowMapping]) -> str:
    if not decisions:
        return html_pages.note("Nobody has decided on this case.")
    return html_pages.table(
        ("When", "Who", "Decision", "Reason", "Severity then", "Version", "Taken back or replaced"),
        (
            (
                _time(one["made_at"]),
                one["made_by"],
                one["outcome"],
                one["reason"],
                f"{one['severity']:.1f}",
                one["version"],
                f"{_time(one['ended_at'])} by {one['ended_by']}" if one["ended_at"] else "no",
            )
            for one in decisions
        ),
    )


def _timeline(events: Sequence[RowMapping], decisions: Sequence[RowMapping]) -> str:
    lines = [
        (one["at"], one["actor"], one["action"], _change(one["before"], one["after"]), one["note"]) for one in events
    ]
    batches = {one["batch"] for one in events}
    for one in decisions:
        # The workbench writes an event beside each decision; a decision without one still belongs here.
        if one["batch"] not in batches:
            lines.append((one["made_at"], one["made_by"], "decided", f"{one['outcome']}, {one['reason']}", ""))
    if not lines:
        return html_pages.note("Nothing has happened to this case since it was scored.")
    lines.sort(key=lambda line: line[0])
    return html_pages.table(("When", "Who", "What", "Change", "Note"), ((_time(at), *rest) for at, *rest in lines))


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    told = []
    for name, value in (after or {}).items():
        old = (before or {}).get(name)
        if old != value:
            words = str(name).replace("_", " ")
            new = html_pages.plain(value)
            told.append(f"{words}: {new}" if old is None else f"{words}: {html_pages.plain(old)} to {new}")
    return "; ".join(told)


def _entity_rows(ws: Workspace, run: Run, row: int, queue: RowMapping | None) -> str:
    roles = {feature.role: feature.name for feature in ws.detector(run.version).schema_ if not feature.derived}
    named: Mapping[str, Any] = {} if queue is None else dict(queue)
    chosen = {
        role: next((name for name in (named.get(role), roles.get(role)) if name in run.columns), None)
        for role in ("entity", "time", "amount")
    }
    entity = chosen["entity"]
    if entity is None:
        return html_pages.note("No column of this file says whose a row is.")
    path = run_path(ws, run.id)
    kinds = run_columns.column_kinds(path)
    time = chosen["time"] if chosen["time"] is not None and kinds[chosen["time"]] == "time" else None
    first = [name for name in (chosen["time"], chosen["amount"], entity) if name is not None]
    columns = [*first, *(name for name in run.columns if name not in first)][:ENTITY_COLUMNS]
    found = run_columns.rows_sharing(path, row, entity, ["severity", "flagged", *columns], most=ENTITY_ROWS, time=time)
    if found.empty:
        return html_pages.note("This row has no value in the column that says whose it is.")
    table = html_pages.table(
        ("Row", "Severity", "Flagged", *columns),
        (
            (f"{number}, this case" if number == row else number, f"{severity:.1f}", "yes" if flagged else "no", *cells)
            for number, severity, flagged, *cells in found.itertuples(name=None)
        ),
    )
    most = f"The latest {ENTITY_ROWS}" if len(found) == ENTITY_ROWS else "All"
    return table + html_pages.note(f"{most} rows up to this one with the same {entity}, newest first, from this run.")


def _time(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
