"""The schema since the first training: when each column came, was learned, changed and left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from detector.core.wording import AS_KIND, value_text
from detector.service.versions.updating import list_versions
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.versions import VersionInfo

#: So many of the newest runs are part of the history.
RUNS_SHOWN = 200


@dataclass(frozen=True)
class SchemaStep:
    """A version that was made, or a run that was scored.

    ``label`` is short enough for a chart. ``states``: the state of each column then, a status of
    :class:`~detector.core.report.ColumnFinding` or ``"absent"``.
    """

    kind: Literal["version", "run"]
    number: int
    at: datetime
    label: str
    states: Mapping[str, str]


@dataclass(frozen=True)
class SchemaEvent:
    """Something that became of a column; ``step`` is the label of the step, ``sentence`` says what."""

    at: datetime
    step: str
    column: str
    sentence: str


@dataclass(frozen=True)
class SchemaTimeline:
    """All steps and events, oldest first; ``columns`` in the order in which they first came."""

    steps: tuple[SchemaStep, ...]
    events: tuple[SchemaEvent, ...]
    columns: tuple[str, ...]


def schema_timeline(ws: Workspace) -> SchemaTimeline:
    """Return the history of the schema, from the versions in the registry and the reports of runs."""
    steps: list[SchemaStep] = []
    events: list[SchemaEvent] = []
    found: list[tuple[datetime, int, VersionInfo | Mapping[str, Any]]] = []
    found += [(info.created_at, 0, info) for info in list_versions(ws)]
    found += [(run["created_at"], 1, run) for run in _runs(ws)]
    learned: dict[int, tuple[str, ...]] = {}
    said: dict[str, str] = {}
    told: list[tuple[str, str]]
    for at, _, item in sorted(found, key=lambda one: one[:2]):
        if isinstance(item, VersionInfo):
            known = learned.get(item.parent) if item.parent is not None else None
            learned[item.number] = item.features
            step = SchemaStep("version", item.number, at, f"v{item.number}", _states_of_version(item, known))
            told = list(_of_version(item, known))
            changed = _of_report(_update_report(item), said, step.states)
            for column, _ in told:
                said.pop(column, None)
        else:
            report = item["report"]
            step = SchemaStep("run", item["id"], at, f"run {item['id']}", _states(report))
            told, changed = [], _of_report(report, said, step.states)
        steps.append(step)
        events += [SchemaEvent(at, step.label, column, sentence) for column, sentence in (*changed, *told)]
    columns = tuple(dict.fromkeys(column for step in steps for column in step.states))
    return SchemaTimeline(tuple(steps), tuple(events), columns)


def _runs(ws: Workspace) -> list[Mapping[str, Any]]:
    columns = (tables.runs.c.id, tables.runs.c.created_at, tables.runs.c.report)
    with ws.database.read() as connection:
        found = connection.execute(select(*columns).order_by(tables.runs.c.id.desc()).limit(RUNS_SHOWN)).mappings()
        return [dict(row) for row in found]


def _states_of_version(info: VersionInfo, known: Collection[str] | None) -> dict[str, str]:
    if info.origin == "updated" and known is not None:
        states = _states(_update_report(info))
        return states | {name: "new" for name in info.features if name not in known}
    left_out = (info.figures.get("training") or {}).get("left_out", ())
    return dict.fromkeys(info.features, "matched") | {str(name): "left out" for name, _ in left_out}


def _update_report(info: VersionInfo) -> Mapping[str, Any]:
    return (info.figures.get("update") or {}).get("report") or {}


def _states(report: Mapping[str, Any]) -> dict[str, str]:
    return {str(column["name"]): str(column["status"]) for column in report.get("columns", ())}


def _of_version(info: VersionInfo, known: Collection[str] | None) -> Iterable[tuple[str, str]]:
    if known is None:
        how = {"imported": "Known to the model that was imported"}.get(info.origin, "Learned in training")
        yield from ((name, f"{how}, version {info.number}.") for name in info.features)
        return
    yield from (
        (name, f"Learned: version {info.number} scores with it.") for name in info.features if name not in known
    )
    yield from (
        (name, f"Retired: version {info.number} no longer expects it.") for name in known if name not in info.features
    )


def _of_report(report: Mapping[str, Any], said: dict[str, str], states: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Return what a report says that the one before it did not; ``said`` remembers."""
    found = []
    for column in report.get("columns", ()):
        name, sentence = str(column["name"]), _sentence(column)
        if sentence is None:
            if said.pop(name, None) is not None and states.get(name) == "matched":
                found.append((name, "Came as learned again."))
        elif said.get(name) != sentence:
            said[name] = sentence
            found.append((name, sentence))
    return found


def _sentence(column: Mapping[str, Any]) -> str | None:
    kind, kind_found, status = column.get("kind"), column.get("kind_found"), str(column["status"])
    if status == "new":
        return f"Arrived, with {AS_KIND[kind_found]}." if kind_found else "Arrived."
    if status == "missing":
        return "Did not come."
    if status == "retyped":
        if kind and kind_found and kind != kind_found:
            return f"Changed its type from {AS_KIND[kind]} to {AS_KIND[kind_found]}."
        return "Came in another spelling."
    if status == "unfamiliar":
        return "Came with other categories."
    if status == "renamed":
        return f"Came under the name {column.get('came_as')}."
    if status == "rescaled":
        factor = float(column.get("factor") or 1.0)
        if factor == 1.0:
            return "Came in the first unit again."
        times = f"{value_text(factor)} times as large" if factor > 1.0 else f"{value_text(1.0 / factor)} times smaller"
        return f"Came in another unit, {times}."
    return None
