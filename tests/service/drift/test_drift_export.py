"""The report stands alone, says what it holds, and runs nothing that a file's names may hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from detector.service.drift import drift_export, drifting
from detector.service.drift.drift_results import RunDrift
from detector.service.scoring import score_file
from detector.service.uploads import Upload
from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, transactions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>'\"&</td><script>alert(2)</script>"
#: Turns the rest of a line around, so that what is read is not what stands there.
TURNING = "safe\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.attributes += attrs


@pytest.fixture
def drift(ws: Workspace, give: Callable[..., Upload]) -> RunDrift:
    frame = transactions(600, 1).rename(columns={"items": HOSTILE, "amount": "money"})
    train_rows(ws, frame, PARAMETERS, actor="ada")
    changed = transactions(600, 2).rename(columns={"items": HOSTILE, "amount": "money"})
    changed.loc[:200, "country"] = HOSTILE
    changed.loc[201:260, "country"] = TURNING
    changed.loc[261, "country"] = "Ann Doe, Elm Street 5"
    changed[HOSTILE] = changed[HOSTILE] * 7
    changed["=cmd()|' /C calc'!A0" + HOSTILE] = np.random.default_rng(0).choice(["p", "q"], 600)
    run = score_file(ws, give(changed, f"{HOSTILE}.csv").id, actor="ada")
    found = drifting.drift_of_run(ws, run.id)
    assert found is not None
    return found


def test_hostile_names_are_text_in_the_report(drift: RunDrift) -> None:
    html = drift_export.report_html(drift, now=NOW).decode()
    tags = Tags()
    tags.feed(html)
    assert {"script", "img"}.isdisjoint(tags.opened)
    assert not any(name.startswith("on") for name, _ in tags.attributes)
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in html
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html


def test_the_report_asks_for_nothing_from_elsewhere(drift: RunDrift) -> None:
    html = drift_export.report_html(drift, now=NOW).decode()
    tags = Tags()
    tags.feed(html)
    assert {"link", "iframe", "object", "base", "form"}.isdisjoint(tags.opened)
    assert {name for name, _ in tags.attributes}.isdisjoint({"src", "href", "action"})
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html


def test_the_report_serves_light_and_dark(drift: RunDrift) -> None:
    assert b"prefers-color-scheme:dark" in drift_export.report_html(drift, now=NOW)


@pytest.mark.parametrize("make", [drift_export.report_html, drift_export.report_json])
def test_a_category_of_one_row_is_in_no_report(drift: RunDrift, make: Callable[..., bytes]) -> None:
    assert b"Ann Doe" not in make(drift, now=NOW)


def test_json_holds_what_the_page_shows_and_the_limits(drift: RunDrift) -> None:
    told = json.loads(drift_export.report_json(drift, now=NOW))
    assert told["made_at"] == "2026-03-01 12:00 UTC"
    assert told["limits"] == drift_export.LIMITS
    assert told["contents"] == drift_export.CONTENTS
    assert {column["drift"]["name"] for column in told["columns"]} == {column.name for column in drift.columns}


def test_the_same_comparison_gives_the_same_bytes(drift: RunDrift) -> None:
    assert drift_export.report_html(drift, now=NOW) == drift_export.report_html(drift, now=NOW)


def test_a_run_without_rows_has_a_report_too(drift: RunDrift) -> None:
    empty = replace(drift, columns=(), schema=(), rows=0)
    assert b"There are no columns to compare." in drift_export.report_html(empty, now=NOW)


def test_names_that_are_no_unicode_do_not_stop_the_report(drift: RunDrift) -> None:
    broken = replace(drift, name="half a \ud800 pair.csv")
    assert "half a \N{REPLACEMENT CHARACTER} pair.csv" in drift_export.report_html(broken, now=NOW).decode()
    assert "half a \\ud800 pair.csv" in drift_export.report_json(broken, now=NOW).decode()


@pytest.mark.parametrize(("p", "text"), [(0.0, "< 0.0001"), (0.0123, "0.0123"), (0.5, "0.50")])
def test_p_values_are_told_as_people_read_them(p: float, text: str) -> None:
    assert drift_export.p_text(p) == text


def test_a_report_is_named_after_what_it_compares(drift: RunDrift) -> None:
    assert drift_export.file_name(drift, "html") == f"drift_run{drift.run}.html"
    assert drift_export.file_name(replace(drift, against_run=3), "json") == f"drift_run{drift.run}_against_run3.json"
