from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detector.errors import ConflictError, InputError
from detector.service import runs, scoring
from detector.service.cutoff import cutoffs, judged, segments
from detector.service.cutoff.cutoffs import Spread
from detector.service.cutoff.judged import Judged
from detector.service.runs import Run
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.run_columns import SeverityCounts
from tests.decisions import decide
from tests.service.conftest import PARAMETERS, transactions

Give = Callable[..., Upload]


@pytest.fixture
def run(ws: Workspace, trained: TrainResult, give: Give) -> Run:
    return scoring.score_file(ws, give(transactions(250, seed=2)).id, actor="ada")


def ranked(ws: Workspace, run: Run) -> list[int]:
    """Rows of the run, the most severe first."""
    return [
        *runs.run_rows(ws, run.id).index.tolist(),
        *runs.run_rows(ws, run.id, offset=200).index.tolist(),
    ]


def test_the_present_cutoff_flags_what_the_run_flagged(ws: Workspace, run: Run) -> None:
    plan = cutoffs.plan_at(cutoffs.spread(ws, run), run.cutoff)
    assert plan.flagged == run.flagged
    assert plan.share == run.flagged / run.rows
    assert plan.a_day == pytest.approx(run.flagged / len(run.periods))


@pytest.mark.parametrize("share", [0.0, 0.013, 0.1, 0.5, 1.0])
def test_a_share_leads_to_the_lowest_cutoff_that_does_not_exceed_it(ws: Workspace, run: Run, share: float) -> None:
    spread = cutoffs.spread(ws, run)
    plan = cutoffs.plan_for_share(spread, share)
    assert plan.flagged <= share * run.rows + 1e-9
    assert plan == cutoffs.plan_at(spread, plan.cutoff)
    lower = spread.counts.severities[spread.counts.severities < plan.cutoff]
    if plan.flagged < run.rows and len(lower) > 1:
        assert cutoffs.plan_at(spread, float(lower[-2])).flagged > share * run.rows - 1e-9


def test_cases_a_day_lead_to_a_cutoff_and_back(ws: Workspace, run: Run) -> None:
    spread = cutoffs.spread(ws, run)
    plan = cutoffs.plan_for_cases(spread, 3.0)
    assert spread.days == len(run.periods) == 10
    assert plan.a_day is not None
    assert plan.a_day <= 3.0
    assert cutoffs.plan_for_share(spread, plan.share).flagged == plan.flagged


def test_the_cutoff_found_has_no_more_decimals_than_it_needs() -> None:
    spread = Spread(SeverityCounts(np.array([10.0, 98.7654, 99.9]), np.array([90, 8, 2])), None)
    assert cutoffs.plan_for_share(spread, 0.02).cutoff == 98.8
    assert cutoffs.plan_for_share(spread, 0.1).cutoff == 10.0


def test_a_file_without_days_says_so(ws: Workspace, trained: TrainResult, give: Give) -> None:
    run = scoring.score_file(ws, give(transactions(60).drop(columns="at")).id, actor="ada")
    spread = cutoffs.spread(ws, run)
    assert cutoffs.plan_at(spread, 90.0).a_day is None
    with pytest.raises(InputError, match="has no days"):
        cutoffs.plan_for_cases(spread, 10)


def test_the_histogram_counts_all_rows_from_where_it_begins(ws: Workspace, run: Run) -> None:
    spread = cutoffs.spread(ws, run)
    assert cutoffs.histogram(spread) == run.histogram
    assert cutoffs.histogram(spread, 90.0).rows == sum(run.histogram.counts[90:])


def test_nothing_is_measured_without_decisions(ws: Workspace, run: Run) -> None:
    found = judged.judged(ws, run)
    assert len(found) == 0
    caught = cutoffs.caught(cutoffs.spread(ws, run), found, 90.0)
    assert caught.precision.value is caught.recall.value is caught.precision.interval is None
    assert found.money(90.0).value is None


def test_precision_recall_and_money_count_decided_rows_alone(ws: Workspace, run: Run) -> None:
    order = ranked(ws, run)
    decide(
        ws,
        run,
        {order[0]: "fraud", order[1]: "fraud", order[2]: "legitimate", order[3]: "unclear", order[-1]: "fraud"},
    )
    found = judged.judged(ws, run)
    caught = cutoffs.caught(cutoffs.spread(ws, run), found, run.cutoff)
    assert (caught.precision.hits, caught.precision.of) == (2, 3)
    assert (caught.recall.hits, caught.recall.of) == (2, 3)
    assert (caught.reviewed_above.hits, caught.reviewed_above.of) == (3, run.flagged)
    assert (caught.reviewed_below.hits, caught.reviewed_below.of) == (1, run.rows - run.flagged)
    assert found.unclear == 1
    amounts = dict(zip(found.rows.tolist(), found.amounts.tolist(), strict=True))
    money = found.money(run.cutoff)
    assert money.caught == pytest.approx(amounts[order[0]] + amounts[order[1]])
    assert money.of == pytest.approx(money.caught + amounts[order[-1]])
    assert money.interval is None


def test_a_decision_that_was_taken_back_does_not_count(ws: Workspace, run: Run) -> None:
    decide(ws, run, {1: "fraud"}, ended=True)
    assert len(judged.judged(ws, run)) == 0
    decide(ws, run, {1: "fraud"})
    decide(ws, run, {1: "legitimate"})
    assert judged.judged(ws, run).frauds.tolist() == [False]


def test_decisions_on_a_file_hold_when_it_is_scored_by_another_version(ws: Workspace, run: Run, give: Give) -> None:
    decide(ws, run, {5: "fraud", 9: "legitimate"})
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    again = scoring.score_file(ws, give(transactions(250, seed=2)).id, actor="ada")
    found = judged.judged(ws, again)
    assert found.rows.tolist() == [5, 9]
    page = runs.run_rows(ws, again.id, order="row")
    assert found.severities.tolist() == page.loc[[5, 9], "severity"].tolist()


def test_money_has_an_interval_from_ten_frauds_on_and_it_is_the_same_each_time() -> None:
    random = np.random.default_rng(1)
    found = Judged(np.arange(40), random.random(40) * 100, np.ones(40, bool), random.gamma(2, 50, 40), 0)
    money = found.money(40.0)
    assert money.interval is not None
    low, high = money.interval
    assert 0 <= low < money.value < high <= 1
    assert found.money(40.0) == money


def test_the_curve_begins_with_everything_caught_and_is_bounded() -> None:
    random = np.random.default_rng(1)
    n = 2_000
    found = Judged(np.arange(n), random.random(n) * 100, random.random(n) < 0.3, random.gamma(2, 50, n), 0)
    points = cutoffs.curve(found)
    assert len(points) <= cutoffs.CURVE_POINTS
    assert points[0].recall.value == 1.0
    recalls = [point.recall.hits for point in points]
    assert recalls == sorted(recalls, reverse=True)


def test_applying_a_cutoff_moves_the_champions_alone_and_trains_nothing(ws: Workspace, run: Run) -> None:
    version = ws.require_champion().version
    cutoffs.apply_cutoff(ws, 97.5, seen=90.0, actor="eve", reason=" too many cases ")
    assert ws.require_champion().cutoff == 97.5
    assert ws.require_champion().version == version
    assert runs.get_run(ws, run.id).cutoff == 90.0
    (change,) = cutoffs.cutoff_history(ws)
    assert (change.before, change.cutoff, change.version) == (90.0, 97.5, version)
    assert (change.actor, change.reason) == ("eve", "too many cases")
    assert cutoffs.has_own_cutoff(ws)
    cutoffs.apply_cutoff(ws, None, seen=97.5, actor="eve", reason="a holiday is over")
    assert ws.require_champion().cutoff == 90.0
    assert [one.cutoff for one in cutoffs.cutoff_history(ws)] == [None, 97.5]


def test_a_cutoff_is_not_moved_without_a_reason_or_over_somebody_else(ws: Workspace, trained: TrainResult) -> None:
    with pytest.raises(InputError, match="Say why"):
        cutoffs.apply_cutoff(ws, 95.0, seen=90.0, actor="eve", reason="  ")
    ws.set_cutoff(93.0, actor="bob")
    with pytest.raises(ConflictError, match="moved to 93 in the meantime"):
        cutoffs.apply_cutoff(ws, 95.0, seen=90.0, actor="eve", reason="fewer")
    assert ws.require_champion().cutoff == 93.0


def test_the_capacity_is_kept_and_its_change_is_logged(ws: Workspace) -> None:
    assert cutoffs.capacity(ws) is None
    cutoffs.set_capacity(ws, 120, actor="eve")
    assert cutoffs.capacity(ws) == 120.0
    with pytest.raises(InputError, match="above 0"):
        cutoffs.set_capacity(ws, 0, actor="eve")
    with ws.database.read() as connection:
        (entry,) = audit.entries(connection)
    assert (entry.actor, entry.action, entry.details["value"]) == ("eve", "capacity set", 120.0)


def test_segments_add_up_to_the_run(ws: Workspace, run: Run) -> None:
    decide(ws, run, {row: "fraud" if row % 2 else "legitimate" for row in range(1, 41)})
    decided = judged.decided_rows(ws, run)
    choices = segments.segment_choices(ws, run)
    assert [(choice.column, choice.bands) for choice in choices] == [("amount", True), ("country", False)]
    for choice in choices:
        found = segments.segments(ws, run, choice, decided, now=90.0, then=70.0)
        assert sum(one.rows for one in found) == run.rows
        assert sum(one.flagged_now.hits for one in found) == run.flagged
        assert sum(one.flagged_then.hits for one in found) >= run.flagged
        assert sum(one.decided for one in found) == 40
        assert sum(one.frauds for one in found) == 20


def test_a_column_that_cannot_be_cut_by_is_refused(ws: Workspace, run: Run) -> None:
    with pytest.raises(InputError, match="cannot be cut by 'at'"):
        segments.segments(ws, run, segments.SegmentChoice("at", False), (), now=90.0, then=70.0)
