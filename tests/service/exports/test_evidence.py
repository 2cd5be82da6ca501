from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser

import pandas as pd
import pytest
from sqlalchemy import insert

from detector.errors import NotFoundError
from detector.service import runs, scoring
from detector.service.exports import evidence
from detector.service.runs import Run
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.workspace import Workspace
from detector.store import audit, tables
from tests.decisions import decide
from tests.service.conftest import PARAMETERS, transactions

Give = Callable[..., Upload]

HOSTILE = "<script>alert(1)</script>"


class Told(HTMLParser):
    """All tags with their attributes, and the text by section."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.sections: dict[str, str] = {}
        self._heading = ""
        self._in_heading = False
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self._in_heading = tag == "h2"

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self._heading = data
        self.sections[self._heading] = self.sections.get(self._heading, "") + data + " "


def hostile(rows: int, seed: int) -> pd.DataFrame:
    frame = transactions(rows, seed)
    frame["card"] = [f"c{place % 9}" for place in range(rows)]
    frame[HOSTILE] = ['"><img src=x onerror=alert(2)>', "\u202egnp.exe", "é & b"] * (rows // 3)
    return frame


@pytest.fixture
def run(ws: Workspace, give: Give) -> Run:
    roles = {"card": "entity", "at": "time", "amount": "amount"}
    training.train_file(ws, give(hostile(300, 0)).id, PARAMETERS, roles, actor="ada")
    return scoring.score_file(ws, give(hostile(900, 2), "<b>april</b>.csv").id, actor="ada")


def worst(ws: Workspace, run: Run) -> int:
    return int(runs.run_rows(ws, run.id, limit=1).index[0])


def test_the_pack_tells_the_case_its_reasons_and_what_it_rests_on(ws: Workspace, run: Run) -> None:
    row = worst(ws, run)
    told = Told(evidence.evidence_pack(ws, run.id, row)).sections
    scored = runs.run_rows(ws, run.id, limit=1).iloc[0]
    assert f"{scored['severity']:.1f} of 100 with version 1; flagged at the cutoff 90" in told["The case"]
    assert "with version 1, the champion" in told["The case"]
    assert "amount is 5,000, " in told["Why it stands out"]
    assert "5000.0" in told["Values of the row"]
    assert "Nobody has decided" in told["Decisions"]
    assert ws.registry.info(1).sha256 in told["What this rests on"]
    assert str(run.sha256) in told["What this rests on"]


def test_severity_now_is_the_champions(ws: Workspace, run: Run) -> None:
    training.train_rows(ws, transactions(seed=8), PARAMETERS, actor="ada")
    told = Told(evidence.evidence_pack(ws, run.id, worst(ws, run))).sections
    assert "with version 1; flagged" in told["The case"]
    assert "with version 2, the champion" in told["The case"]
    assert "By version 1." in told["Why it stands out"]


def test_nothing_of_a_hostile_file_becomes_markup(ws: Workspace, run: Run) -> None:
    content = evidence.evidence_pack(ws, run.id, 1, actor="<i>eve</i>")
    told = Told(content)
    expected = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "div",
        "section",
        "table",
        "thead",
        "tbody",
    }
    assert set(told.tags) <= expected | {"tr", "th", "td", "bdi"}
    assert not {name for name in told.attributes if name.startswith("on") or name in ("src", "href")}
    assert "http://" not in content
    assert "https://" not in content
    assert "\u202e" not in evidence.evidence_pack(ws, run.id, 2)
    assert HOSTILE in told.sections["Values of the row"]
    assert str(ws.settings.home) not in content


def test_decisions_notes_and_events_are_in_their_order(ws: Workspace, run: Run) -> None:
    row = worst(ws, run)
    decide(ws, run, {row: "legitimate"}, ended=True)
    decide(ws, run, {row: "fraud"})
    with ws.database.write() as connection:
        for minute, action, note in ((1, "note", f"asked {HOSTILE}"), (0, "assign", "")):
            connection.execute(
                insert(tables.case_events).values(
                    run=run.id,
                    row=row,
                    batch="e" * 32,
                    at=datetime(2026, 3, 1, 9, minute, tzinfo=UTC),
                    actor="eve",
                    action=action,
                    before={"assignee": None},
                    after={"assignee": "eve"},
                    note=note,
                )
            )
        values = {"status": "open", "assignee": "eve", "revision": 1, "changed_by": "eve"}
        connection.execute(insert(tables.cases).values(run=run.id, row=row, changed_at=datetime.now(UTC), **values))
    told = Told(evidence.evidence_pack(ws, run.id, row)).sections
    assert "legitimate" in told["Decisions"]
    assert told["Decisions"].index("legitimate") < told["Decisions"].index("fraud")
    timeline = told["Timeline and notes"]
    assert timeline.index("assign") < timeline.index("asked") < timeline.index("decided")
    assert f"asked {HOSTILE}" in timeline
    assert "open" in told["The case"]


def test_the_entitys_latest_rows_begin_with_the_case_and_are_bounded(ws: Workspace, run: Run) -> None:
    content = evidence.evidence_pack(ws, run.id, 700)
    found = Told(content).sections["Rows of the same entity"]
    assert found.split(HOSTILE)[1].strip().startswith("700, this case")
    assert "The latest 50 rows up to this one with the same card" in found
    assert content.split("Rows of the same entity")[1].split("</section>")[0].count("<tr>") == 51


def test_a_row_that_is_not_there_has_no_evidence(ws: Workspace, run: Run) -> None:
    with pytest.raises(NotFoundError, match="Run 1 has no row 901; it has 900"):
        evidence.evidence_pack(ws, run.id, 901)
    with pytest.raises(NotFoundError, match="no run 8"):
        evidence.evidence_pack(ws, 8, 1)


def test_taking_evidence_away_is_written_down(ws: Workspace, run: Run) -> None:
    evidence.evidence_pack(ws, run.id, 3, actor="eve")
    with ws.database.read() as connection:
        (entry,) = audit.entries(connection, limit=1)
    assert (entry.actor, entry.action, entry.subject) == ("eve", "evidence taken", "case 1-3")
