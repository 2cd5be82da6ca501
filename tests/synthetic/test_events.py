from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detector.synthetic.events import (
    DAY,
    ENTRY_MODES,
    Events,
    account_take_over,
    bad_merchant,
    card_testing,
    join,
    night_burst,
    purchases,
)
from detector.synthetic.world import World, build_world

FRAUDS = (card_testing, account_take_over, bad_merchant, night_burst)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(7, 200)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("kind", FRAUDS)
@pytest.mark.parametrize("size", [0, 1, 17])
def test_a_fraud_has_as_many_events_as_asked_and_all_are_labelled(
    kind: Callable[..., Events], size: int, world: World, random: np.random.Generator
) -> None:
    events = kind(world, size, random)
    assert len(events) == size
    assert (events.fraud == 1).all()
    assert ((events.second >= 0) & (events.second < 7 * DAY)).all()


def test_purchases_are_not_labelled_and_lie_within_the_week(world: World, random: np.random.Generator) -> None:
    events = purchases(world, 3000, random)
    assert (events.fraud == 0).all()
    assert ((events.second >= 0) & (events.second < 7 * DAY)).all()
    assert set(np.unique(events.entry)) == set(range(len(ENTRY_MODES)))


def test_card_testing_is_tiny_amounts_at_one_shop_within_hours(world: World, random: np.random.Generator) -> None:
    events = card_testing(world, 30, random)
    assert events.amount.max() < 3
    assert len(np.unique(events.merchant)) == 1
    assert len(np.unique(events.customer)) > 10
    assert np.ptp(events.second) <= 2 * 3600


def test_a_take_over_is_dear_and_comes_in_runs_on_one_account(world: World, random: np.random.Generator) -> None:
    events = account_take_over(world, 30, random)
    assert np.median(events.amount) > 5 * np.median(purchases(world, 1000, random).amount)
    assert len(np.unique(events.customer)) <= 10


def test_a_bad_merchant_charges_round_amounts_by_day_at_one_shop(world: World, random: np.random.Generator) -> None:
    events = bad_merchant(world, 30, random)
    assert len(np.unique(events.merchant)) == 1
    assert (events.amount % 10 == 9).all()
    assert ((events.second % DAY) // 3600 >= 9).all()


def test_a_night_burst_is_at_night_and_never_at_home(world: World, random: np.random.Generator) -> None:
    events = night_burst(world, 30, random)
    assert ((events.second % DAY) // 3600 < 5).all()
    assert (world.merchant_city[events.merchant] != world.home[events.customer]).all()


def test_join_puts_all_events_in_the_order_of_time(world: World, random: np.random.Generator) -> None:
    whole = join([purchases(world, 200, random), card_testing(world, 10, random)])
    assert len(whole) == 210
    assert (np.diff(whole.second) >= 0).all()
    assert whole.fraud.sum() == 10
