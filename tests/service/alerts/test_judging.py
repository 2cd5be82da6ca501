"""Each rule fires, does not fire on noise, and resolves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from detector.service.alerts.inputs import EndedJob, Inputs
from detector.service.alerts.judging import LIVE, MANY_COLUMNS, NEWEST_FILE, REQUESTS, judge
from detector.service.alerts.observed import Observed
from detector.service.alerts.rules import RULES
from tests.service.alerts.conftest import NOON, a_run, inputs

Look = Callable[..., list[tuple[str, str, str]]]
LATER = timedelta(minutes=20)


def scored(rows: int, flagged: int, **given: object) -> Observed:
    return Observed(requests=rows, rows=rows, flagged=flagged, expected=rows * 0.1, **given)


def fires(rule: str, found: Inputs) -> bool:
    return bool(judge(rule, found, RULES[rule].defaults()).firing)


CASES = {
    "flagged_high on requests": (
        ("flagged_high", LIVE),
        inputs(scored(2_000, 700)),
        inputs(scored(2_000, 215)),
    ),
    "flagged_high on a file": (
        ("flagged_high", NEWEST_FILE),
        inputs(run=a_run(flagged=900)),
        inputs(run=a_run(id=8, flagged=215)),
    ),
    "flagged_low on requests": (("flagged_low", LIVE), inputs(scored(2_000, 0)), inputs(scored(2_000, 185))),
    "flagged_low on a file": (
        ("flagged_low", NEWEST_FILE),
        inputs(run=a_run(flagged=3)),
        inputs(run=a_run(id=8, flagged=185)),
    ),
    "drifting": (
        ("drifting", NEWEST_FILE),
        inputs(run=a_run(drift="drifting", drifted_columns=3)),
        inputs(run=a_run(id=8)),
    ),
    "drift_watch": (
        ("drift_watch", NEWEST_FILE),
        inputs(run=a_run(drift="watch", drifted_columns=1)),
        inputs(run=a_run(id=8)),
    ),
    "column_gone from requests": (
        ("column_gone", "amount"),
        inputs(scored(1_000, 100, missing={"amount": 900})),
        inputs(scored(1_000, 100, missing={"amount": 40})),
    ),
    "column_gone from a file": (
        ("column_gone", "amount"),
        inputs(run=a_run(missing=("amount",))),
        inputs(run=a_run(id=8)),
    ),
    "column_new in requests": (
        ("column_new", "device"),
        inputs(scored(1_000, 100, new={"device": 500})),
        inputs(scored(1_000, 100, new={"device": 3})),
    ),
    "column_new in a file": (("column_new", "device"), inputs(run=a_run(new=("device",))), inputs(run=a_run(id=8))),
    "error_rate": (
        ("error_rate", LIVE),
        inputs(Observed(requests=500, errors=100)),
        inputs(Observed(requests=500, errors=1)),
    ),
    "job_failed": (
        ("job_failed", "train"),
        inputs(jobs=(EndedJob("a", "train", "failed", "The disk is full."),)),
        inputs(jobs=(EndedJob("b", "train", "done", ""),)),
    ),
    "model_unreadable": (("model_unreadable", "champion"), inputs(unreadable=(3, "Its file is gone.")), inputs()),
    "delivery_dead": (("delivery_dead", "On-call"), inputs(dead=(("w", "On-call", 2),)), inputs()),
}


def test_there_is_a_case_for_every_rule() -> None:
    assert {rule for (rule, _), _, _ in CASES.values()} == set(RULES)


@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_once_and_resolves(name: str, look: Look) -> None:
    (rule, subject), bad, good = CASES[name]
    assert (rule, subject, "open") in look(bad)
    again = look(bad, NOON + timedelta(minutes=2))
    assert [found[:2] for found in again].count((rule, subject)) == 1
    look(good, NOON + timedelta(minutes=3))
    assert (rule, subject, "open") not in look(good, NOON + LATER)


@pytest.mark.parametrize("rule", ["flagged_high", "flagged_low"])
def test_noise_around_the_expected_share_raises_nothing(rule: str) -> None:
    random = np.random.default_rng(5)
    for rows in (500, 2_000, 20_000):
        for flagged in random.binomial(rows, 0.1, 500):
            assert not fires(rule, inputs(scored(rows, int(flagged)), run=a_run(rows=rows, flagged=int(flagged))))


def test_few_rows_say_nothing() -> None:
    assert not fires("flagged_high", inputs(scored(100, 100), run=a_run(rows=100, flagged=100)))
    assert not fires("flagged_low", inputs(scored(100, 0), run=a_run(rows=100, flagged=0)))
    assert not fires("column_gone", inputs(scored(100, 10, missing={"amount": 100})))


def test_noise_in_failed_requests_raises_nothing() -> None:
    random = np.random.default_rng(6)
    for requests in (20, 200, 5_000):
        for errors in random.binomial(requests, 0.005, 500):
            assert not fires("error_rate", inputs(Observed(requests=requests, errors=int(errors))))


def test_a_share_that_came_back_only_just_below_its_line_keeps_the_alert() -> None:
    judged = judge("flagged_high", inputs(scored(2_000, 390)), RULES["flagged_high"].defaults())
    assert (judged.firing, judged.between) == ((), frozenset({LIVE}))


def test_without_rows_an_alert_on_requests_stays(look: Look) -> None:
    assert look(inputs(scored(2_000, 700)))
    assert look(inputs(), NOON + timedelta(days=1)) == [("flagged_high", LIVE, "open")]


def test_without_requests_their_failures_are_over(look: Look) -> None:
    assert look(inputs(Observed(requests=500, errors=100)))
    assert look(inputs(), NOON + timedelta(minutes=1))
    assert look(inputs(), NOON + timedelta(minutes=7)) == []


def test_an_alert_on_requests_is_resolved_only_after_some_calm(look: Look) -> None:
    bad, good = inputs(scored(2_000, 700)), inputs(scored(2_000, 200))
    look(bad)
    assert look(good, NOON + timedelta(minutes=1))
    assert look(bad, NOON + timedelta(minutes=10))
    # The calm begins anew.
    assert look(good, NOON + timedelta(minutes=11))
    assert look(good, NOON + timedelta(minutes=20))
    assert look(good, NOON + timedelta(minutes=27)) == []


def test_many_columns_raise_one_alert(look: Look) -> None:
    names = tuple(f"c{number}" for number in range(40))
    assert look(inputs(run=a_run(missing=names))) == [("column_gone", MANY_COLUMNS, "open")]


def test_names_that_begin_alike_do_not_collide(look: Look) -> None:
    names = tuple("x" * 100 + str(number) for number in range(3))
    assert len(look(inputs(run=a_run(missing=names)))) == 1


def test_a_name_of_control_characters_is_told_escaped() -> None:
    judged = judge("column_new", inputs(run=a_run(new=("a\n\u202eb",))), RULES["column_new"].defaults())
    assert judged.firing[0].subject == "a\\n\\u202eb"


def test_where_everything_is_to_be_flagged_nothing_is_too_much() -> None:
    everything = Observed(requests=1_000, rows=1_000, flagged=1_000, expected=1_000.0)
    judged = judge("flagged_high", inputs(everything), RULES["flagged_high"].defaults())
    assert REQUESTS in judged.silent
