from __future__ import annotations

import numpy as np
import pytest

from detector.synthetic.world import CATEGORY_NAMES, CITIES, CITY_SHOPS, build_world, kilometres


def test_merchants_have_names_of_their_own() -> None:
    world = build_world(7, 100)
    assert len(set(world.merchant_name)) == len(world.merchant_name)


def test_merchants_do_not_depend_on_the_number_of_customers() -> None:
    small, large = build_world(7, 100), build_world(7, 500)
    np.testing.assert_array_equal(small.merchant_name, large.merchant_name)
    np.testing.assert_array_equal(small.merchant_country, large.merchant_country)


def test_favourites_in_person_are_in_the_home_city() -> None:
    world = build_world(7, 300)
    cities = world.merchant_city[world.favourites]
    assert ((cities == world.home[:, None]) | (cities == -1)).all()


def test_a_city_offers_every_category_that_is_sold_in_person() -> None:
    world = build_world(7, 100)
    picks = np.linspace(0, 1, 500, endpoint=False)
    shops = world.shops_in(np.full(500, 3), picks)
    assert (world.merchant_city[shops] == 3).all()
    assert {CATEGORY_NAMES[category] for category in world.merchant_category[shops]} == set(CITY_SHOPS)


def test_online_shops_are_in_no_city() -> None:
    world = build_world(7, 100)
    assert (world.merchant_city[world.shops_online(np.linspace(0, 1, 50, endpoint=False))] == -1).all()


def test_distances_agree_with_the_map() -> None:
    names = [name for name, *_ in CITIES]
    london, paris, sydney = (np.array([names.index(name)]) for name in ("London", "Paris", "Sydney"))
    assert kilometres(london, paris)[0] == pytest.approx(344, abs=5)
    assert kilometres(london, sydney)[0] == pytest.approx(16_990, abs=60)
    assert kilometres(paris, paris)[0] == 0
