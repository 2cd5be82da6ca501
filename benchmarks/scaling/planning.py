"""From measured growth to a plan: what a thousand requests a second and a billion rows a day take.

Every line is arithmetic with figures of the axes; what is assumed is named here and told beside the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scaling.growth import Slope
from benchmarks.scaling.results import Results
from benchmarks.scaling.telling import plain, shown, table

REQUESTS = 1_000
ROWS_A_DAY = 1_000_000_000
DAY = 86_400
#: How many times the mean of the day its busiest hour brings.
BUSIEST = 4
#: Share of its processors that a machine is to use at the busiest hour.
FULL = 0.6
#: Cases that a team decides on in a day.
DECISIONS_A_DAY = 10_000
#: Updates a day, each of which makes a version.
UPDATES_A_DAY = 24
#: Days for which scored rows are kept.
DAYS_KEPT = 90
#: Entities that a model remembers unless told otherwise.
ENTITIES = 1_000_000


@dataclass(frozen=True)
class Line:
    """One line of the plan: what is asked, how it is worked out, and what comes of it."""

    asked: str
    worked_out: str
    answer: str


def plan(results: Results) -> str:
    """Return the plan as a Markdown table; lines whose figures were not measured are left out."""
    lines: list[Line] = []
    for some in (_requests, _rows, _learning, _memory, _database, _storage):
        try:
            lines += some(results)
        except LookupError:  # what it follows from was not measured
            continue
    rows = [["what", "worked out", "comes to"], *([line.asked, line.worked_out, line.answer] for line in lines)]
    return table(rows, numbers=False)


def _growing(results: Results, axis: str, work: str) -> Slope:
    """Return how a work grows; raises ``LookupError`` where that was not measured, or is hidden by noise."""
    found = results.slope(axis, work)
    if found is None or not found.each:
        raise LookupError(work)
    return found


def _requests(results: Results) -> list[Line]:
    scored, let_in = (results.last("entities", f"one request {what}") for what in ("scored", "let in"))
    share = REQUESTS * (scored + let_in)
    grown = results.last("signatures", "first request of each")
    return [
        Line(
            f"{REQUESTS:,} requests a second with an entity: the detector's part",
            f"{REQUESTS:,} x ({shown(scored, 's')} scored + {shown(let_in, 's')} let in)",
            f"{share:.0%} of one processor",
        ),
        Line(
            "a billion rows a day as single requests, at the busiest hour",
            f"{ROWS_A_DAY:,} / {DAY:,} s x {BUSIEST} / {REQUESTS:,} a second",
            f"{-int(-BUSIEST * ROWS_A_DAY / DAY // REQUESTS):,} replicas",
        ),
        Line(
            "a request of a signature that is not in memory", "its view is grown first",
            f"{shown(grown, 's')}; at most {plain(1 / grown)} a second on one processor",
        ),
    ]  # fmt: skip


def _rows(results: Results) -> list[Line]:
    found = _growing(results, "rows", "score")
    a_second, mean = 1.0 / found.each, ROWS_A_DAY / DAY
    machines = BUSIEST * mean / (FULL * a_second)
    processors = results.machine["rows"]["processors"]
    return [
        Line(
            "rows scored in a second, frames in memory", f"1 / {shown(found.each, 's')}",
            f"{plain(a_second)} on a machine of {processors} processors",
        ),
        Line(
            "a billion rows a day, at the busiest hour", f"{ROWS_A_DAY:,} / {DAY:,} s x {BUSIEST}",
            f"{plain(BUSIEST * mean)} rows a second",
        ),
        Line(
            "machines for scoring them", f"{plain(BUSIEST * mean)} / ({FULL:.0%} of {plain(a_second)})",
            f"{machines:.2f}: {max(2, -int(-machines // 1))}, so that one can be away",
        ),
        Line(
            "processors for scoring a day's rows within an hour, whatever brings the rows to them",
            f"{ROWS_A_DAY:,} x {shown(found.each, 's')} x {processors} / 3,600 s",
            f"{-int(-ROWS_A_DAY * found.each * processors / 3600 // 1):,}",
        ),
    ]  # fmt: skip


def _learning(results: Results) -> list[Line]:
    found = _growing(results, "rows", "fit")
    return [
        Line(
            "learning from all rows of a day", f"{ROWS_A_DAY:,} x {shown(found.each, 's')}",
            f"{ROWS_A_DAY * found.each / 60:,.0f} minutes on one machine",
        ),
    ]  # fmt: skip


def _memory(results: Results) -> list[Line]:
    each = results.last("entities", "memory of histories") / results.values("entities", "memory of histories")[0][-1]
    written = _growing(results, "entities", "histories written")
    file = _growing(results, "entities", "histories file")
    return [
        Line(
            f"{ENTITIES:,} entities in the memory of a process", f"{ENTITIES:,} x {plain(each)} B",
            shown(ENTITIES * each, "B"),
        ),
        Line(
            "all that is remembered of them as a file",
            f"{ENTITIES:,} x {plain(file.each)} B",
            f"{shown(ENTITIES * file.each, 'B')}, written in {shown(ENTITIES * written.each, 's')}",
        ),
    ]  # fmt: skip


def _database(results: Results) -> list[Line]:
    alone = results.last("cases", "one decided")
    size = results.last("cases", "database for a decision")
    statements = sum(results.written.values())
    return [
        Line(
            "decisions a second, one after the other", f"1 / {shown(alone, 's')}",
            f"{plain(1 / alone)}; {statements} statements that write, in one transaction",
        ),
        Line(
            f"the database after a year of {DECISIONS_A_DAY:,} decisions a day",
            f"{DECISIONS_A_DAY:,} x 365 x {shown(size, 'B')}", shown(DECISIONS_A_DAY * 365 * size, "B"),
        ),
    ]  # fmt: skip


def _storage(results: Results) -> list[Line]:
    row, model = results.last("rows", "a scored row on disk"), results.last("rows", "model file")
    return [
        Line(
            f"scored rows of {DAYS_KEPT} days", f"{DAYS_KEPT} x {ROWS_A_DAY:,} x {shown(row, 'B')}",
            shown(DAYS_KEPT * ROWS_A_DAY * row, "B"),
        ),
        Line(
            f"versions of a year, {UPDATES_A_DAY} updates a day", f"365 x {UPDATES_A_DAY} x {shown(model, 'B')}",
            f"{365 * UPDATES_A_DAY:,} versions, {shown(365 * UPDATES_A_DAY * model, 'B')}",
        ),
    ]  # fmt: skip
