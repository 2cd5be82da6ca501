from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", (DOCS / "how-it-works.md").read_text())


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "pictures.py"))


def test_the_document_shows_every_picture_that_is_made(script: dict[str, Any]) -> None:
    assert sorted(SHOWN) == sorted(script["PICTURES"])
    assert sorted(SHOWN) == sorted(path.name for path in (DOCS / "pictures").iterdir())


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_what_the_script_draws_today(script: dict[str, Any], name: str) -> None:
    draw: Callable[[], str] = script["PICTURES"][name]
    assert draw() == (DOCS / "pictures" / name).read_text()


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_small_has_a_title_and_a_light_sheet_of_its_own(name: str) -> None:
    path = DOCS / "pictures" / name
    assert path.stat().st_size < 40_000
    title, sheet, *_ = ElementTree.fromstring(path.read_text())
    assert title.text
    assert sheet.get("fill") == "#ffffff"


def test_ours_keeps_the_flagged_share_where_medians_go_quiet(script: dict[str, Any]) -> None:
    for gone, ours, medians in script["flagged_shares"]():
        assert 0.08 < ours < 0.12
        assert medians < 0.03 or gone < 0.4


def test_after_a_half_life_half_of_the_older_rows_are_left(script: dict[str, Any]) -> None:
    _, shares = script["ages"]()
    later, earlier = shares[-1], shares[-11]
    assert later[:4] == pytest.approx(earlier[:4] / 2, abs=0.02)


def test_the_script_writes_all_pictures(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(script["main"].__globals__, "PICTURES", {"a.svg": lambda: "<svg/>"})
    script["main"](tmp_path / "pictures")
    assert (tmp_path / "pictures" / "a.svg").read_text() == "<svg/>"
