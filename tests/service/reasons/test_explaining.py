"""Reasons of a run's rows: the scores that they explain are those of the run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.core import explain as core
from detector.errors import Cancelled, DetectorError, InputError, NotFoundError
from detector.service.reasons import explaining
from detector.service.reasons.run_context import CONTEXT_ROWS
from detector.service.runs import run_rows
from detector.service.scoring import score_file
from detector.service.versions import training
from detector.service.versions.training import TrainParameters
from tests.service.conftest import PARAMETERS, transactions


def cards(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    frame = transactions(rows, seed)
    frame["card"] = np.random.default_rng(seed).integers(1, 30, rows)
    return frame


@pytest.fixture
def run(ws, trained, give):
    return score_file(ws, give(transactions(400, seed=1)).id, actor="ada")


@pytest.fixture
def carded(open_workspace, give):
    """A workspace that works in batches of 150 rows, and a run of cards whose columns changed their names and units."""
    ws = open_workspace(batch_rows=150)
    training.train_rows(ws, cards(), PARAMETERS, {"card": "entity", "at": "time"}, actor="ada")
    later = cards(500, seed=2)
    later["at"] = later["at"].str.replace("2026-03", "2026-04")
    later = later.assign(amount=100 * later["amount"]).rename(columns={"country": "COUNTRY"})
    later["score"] = 0.5  # as in a file that was exported here
    return ws, score_file(ws, give(later).id, actor="ada")


def test_rows_are_explained_in_the_order_asked_for_and_add_up(ws, run):
    found = explaining.reasons_of(ws, run.id, [7, 3, 399])
    assert [item.row for item in found] == [7, 3, 399]
    for item in found:
        assert item.as_then
        assert item.severity == item.severity_then
        assert item.base + sum(part.contribution for part in item.parts) == pytest.approx(item.output, abs=1e-6)
        assert 2.0**item.output == pytest.approx(item.score)
        sizes = [abs(part.contribution) for part in item.parts]
        assert sizes == sorted(sizes, reverse=True)
        assert {part.feature for part in item.parts} == {"amount", "items", "country", "at"}


def test_an_odd_row_tells_what_is_odd_about_it(ws, run):
    worst = run_rows(ws, run.id, limit=1)
    (found,) = explaining.reasons_of(ws, run.id, [int(worst.index[0])])
    assert found.reasons[0].feature in ("amount", "at")
    parts = {part.feature: part.value for part in found.parts}
    assert parts["amount"] == worst["amount"].iloc[0]


def test_every_row_is_explained_as_it_was_scored_whatever_came_before_it(carded):
    ws, run = carded
    for begin in range(1, 500, 100):
        found = explaining.reasons_of(ws, run.id, list(range(begin, begin + 100)))
        assert all(item.as_then for item in found)
    alone = [explaining.reasons_of(ws, run.id, [row])[0] for row in (1, 160, 500)]
    assert all(item.as_then for item in alone)
    assert any(part.feature.startswith("card: ") and part.contribution for item in alone for part in item.parts)


def test_rows_whose_entities_have_gone_on_say_that_they_are_not_as_then(carded):
    ws, run = carded
    follow = cards(300, seed=9)
    follow["at"] = follow["at"].str.replace("2026-03", "2026-04")
    ws.detector(run.version).follow(follow)
    found = explaining.reasons_of(ws, run.id, list(range(1, 100)))
    assert not all(item.as_then for item in found)
    assert all(item.severity_then is not None for item in found)


def test_a_file_that_begins_unlike_the_rest_of_it_is_read_as_when_it_was_scored(ws, trained, give):
    rows = transactions(3 * CONTEXT_ROWS, seed=1)
    rows.loc[CONTEXT_ROWS:, "country"] = "elsewhere"
    run = score_file(ws, give(rows).id, actor="ada")
    assert {item["name"]: item["status"] for item in run.report["columns"]}["country"] == "unfamiliar"
    found = explaining.reasons_of(ws, run.id, [1, 5_000])
    assert all(item.as_then for item in found)
    assert not any(part.contribution for item in found for part in item.parts if part.feature == "country")


def test_what_is_derived_from_an_entity_is_told_with_its_value(carded):
    ws, run = carded
    (found,) = explaining.reasons_of(ws, run.id, [400])
    values = {part.feature: part.value for part in found.parts}
    assert all(isinstance(values[name], float) for name in values if "card: " in name or "habit" in name)


def together_as_alone(ws, run):
    flagged = run_rows(ws, run.id, flagged_only=True, order="row")
    batches = list(explaining.run_reasons(ws, run.id, flagged.index.to_numpy()))
    rows = np.concatenate([batch.rows for batch in batches])
    assert rows.tolist() == flagged.index.tolist()
    alone = explaining.reasons_of(ws, run.id, rows.tolist())
    told = [found for batch in batches for found in batch.explanation.reasons]
    for item, own in zip(alone, told, strict=True):
        assert [reason.feature for reason in own] == [reason.feature for reason in item.reasons]
        assert [reason.sentence for reason in own] == [reason.sentence for reason in item.reasons]
        assert [reason.contribution for reason in own] == pytest.approx([each.contribution for each in item.reasons])
    assert sum(len(batch.frame) for batch in batches) == len(rows)


def test_all_flagged_rows_get_the_reasons_that_they_get_alone(ws, run):
    together_as_alone(ws, run)


def test_so_do_those_of_cards_whose_columns_changed(carded):
    together_as_alone(*carded)


def test_finding_reasons_tells_how_far_it_is_and_can_be_stopped(carded):
    ws, run = carded
    told = []
    list(explaining.run_reasons(ws, run.id, np.arange(1, 501), progress=lambda *said: told.append(said)))
    assert [said[:2] for said in told] == [(0, 500), (150, 500), (300, 500), (450, 500), (500, 500)]

    def stopped(*_):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        next(explaining.run_reasons(ws, run.id, np.arange(1, 501), progress=stopped))


def test_no_rows_have_no_reasons(ws, run):
    assert list(explaining.run_reasons(ws, run.id, np.empty(0, np.int64))) == []


def test_rows_that_are_not_there_and_too_many_rows_are_refused(ws, run):
    with pytest.raises(NotFoundError, match="no row 401"):
        explaining.reasons_of(ws, run.id, [1, 401])
    with pytest.raises(InputError, match="At most 200 rows"):
        explaining.reasons_of(ws, run.id, list(range(1, 202)))
    with pytest.raises(NotFoundError):
        explaining.reasons_of(ws, 99, [1])
    assert explaining.reasons_of(ws, run.id, []) == ()


def test_contributions_that_do_not_add_up_are_not_shown(ws, run, monkeypatch):
    monkeypatch.setattr(core, "shap_values", lambda forest, rows: (np.zeros(rows.shape), 0.0))
    with pytest.raises(DetectorError, match="do not add up"):
        explaining.reasons_of(ws, run.id, [1])
    with pytest.raises(DetectorError, match="do not add up"):
        list(explaining.run_reasons(ws, run.id, np.array([1, 2])))


def test_the_version_that_scored_a_run_explains_it_after_the_champion_has_changed(ws, run, give):
    training.train_rows(ws, transactions(200, seed=5), TrainParameters(n_estimators=10), actor="ada")
    (found,) = explaining.reasons_of(ws, run.id, [1])
    assert found.version == 1
    assert found.as_then
