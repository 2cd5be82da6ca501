"""Changing values of a row: the score is the one that the changed row would get."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from detector.errors import InputError
from detector.service.reasons import what_if
from detector.service.reasons.run_context import run_rows_in_context
from detector.service.runs import run_rows
from detector.service.scoring import score_file
from detector.service.versions import training
from tests.service.conftest import PARAMETERS, transactions
from tests.service.reasons.test_explaining import cards


@pytest.fixture
def odd(ws, trained, give):
    """The most severe row of a run."""
    run = score_file(ws, give(transactions(400, seed=1)).id, actor="ada")
    return run_rows_in_context(ws, run.id, [int(run_rows(ws, run.id, limit=1).index[0])])


def test_every_scored_column_can_be_changed_in_the_terms_of_its_file(ws, odd):
    found = {control.feature: control for control in what_if.controls(ws, odd)}
    assert {name: control.kind for name, control in found.items()} == {
        "amount": "number", "items": "number", "country": "choice", "at": "time",
    }  # fmt: skip
    row = odd.rows.iloc[0]
    assert found["amount"].value == row["amount"]
    assert found["amount"].low < found["amount"].high
    assert found["amount"].low <= row["amount"] <= found["amount"].high
    assert found["items"].whole
    assert not found["amount"].whole
    assert set(found["country"].options) == {"DE", "FR", "IT"}
    assert found["at"].value == pd.Timestamp(row["at"])


def test_without_a_change_nothing_changes(ws, odd):
    same = what_if.what_if(ws, odd, {})
    assert same.before == same.after
    assert same.before.severity == same.before.severity_then
    assert same.flagged_before
    assert same.flagged_after
    assert what_if.what_if(ws, odd, {"items": 2}, same.before).before is same.before


def test_ordinary_values_make_an_odd_row_ordinary(ws, odd):
    changed = what_if.what_if(ws, odd, {"amount": 25.0, "at": datetime(2026, 3, 5, 12, 15, tzinfo=UTC)})
    assert changed.flagged_before
    assert not changed.flagged_after
    parts = {part.feature: part for part in changed.after.parts}
    assert parts["amount"].value == 25.0
    before = {part.feature: part for part in changed.before.parts}
    assert parts["amount"].contribution < before["amount"].contribution


def test_a_changed_row_gets_the_score_that_it_would_have_had(ws, odd):
    changed = what_if.what_if(ws, odd, {"amount": 25.0, "items": 5, "country": "IT"})
    row = odd.rows.assign(amount=25.0, items=5, country="IT")
    assert changed.after.score == pytest.approx(ws.detector(1).score(pd.concat([odd.context, row])).scores[-1])


def test_a_value_can_be_taken_away(ws, odd):
    changed = what_if.what_if(ws, odd, {"amount": None})
    assert {part.feature: part.value for part in changed.after.parts}["amount"] is None
    assert changed.after.severity < changed.before.severity


def test_a_changed_amount_is_compared_anew_with_the_habit_of_its_entity(ws, give):
    training.train_rows(ws, cards(), PARAMETERS, {"card": "entity", "at": "time"}, actor="ada")
    later = cards(300, seed=2)
    later["at"] = later["at"].str.replace("2026-03", "2026-04")
    run = score_file(ws, give(later).id, actor="ada")
    found = run_rows_in_context(ws, run.id, [200])
    changed = what_if.what_if(ws, found, {"amount": 1.0})
    habit = "amount against this card's habit"
    before = {part.feature: part.contribution for part in changed.before.parts}
    after = {part.feature: part.contribution for part in changed.after.parts}
    assert changed.before.as_then
    assert after[habit] < before[habit]
    assert habit not in {control.feature for control in what_if.controls(ws, found)}


def test_columns_of_another_unit_are_changed_in_that_of_the_file(ws, trained, give):
    cents = transactions(400, seed=1).assign(amount=lambda frame: 100 * frame["amount"])
    run = score_file(ws, give(cents).id, actor="ada")
    found = run_rows_in_context(ws, run.id, [5])
    (amount,) = (control for control in what_if.controls(ws, found) if control.feature == "amount")
    assert amount.high > 10_000
    changed = what_if.what_if(ws, found, {"amount": 500_000.0})
    assert changed.after.severity > changed.before.severity


def test_a_column_that_the_file_does_not_have_is_refused(ws, odd):
    with pytest.raises(InputError, match="no column 'colour'"):
        what_if.what_if(ws, odd, {"colour": "blue"})
