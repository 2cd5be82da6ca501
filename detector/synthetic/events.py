"""What happens in a week: ordinary purchases, and four kinds of fraud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from detector.synthetic.world import (
    CATEGORIES,
    CATEGORY_NAMES,
    CITIES,
    FAVOURITES,
    HOME_CITIES,
    Floats,
    Ints,
    World,
)

DAY = 86_400
ENTRY_MODES = ("contactless", "chip", "swipe", "ecommerce", "recurring", "keyed")
CONTACTLESS, CHIP, SWIPE, ECOMMERCE, RECURRING, KEYED = range(6)
IN_PERSON = 3  # entry modes below this one need the card itself


@dataclass(frozen=True)
class Events:
    """Transactions as equally long arrays.

    ``customer`` and ``merchant`` are positions in the world, ``second`` counts from the start of the week, ``entry``
    is a position in ``ENTRY_MODES``, ``origin`` the city that the buyer's device is in, ``risk`` the device's
    reputation from 0 (good) to 1, ``fraud`` 0 or 1.
    """

    customer: Ints
    merchant: Ints
    second: Ints
    amount: Floats
    entry: Ints
    origin: Ints
    risk: Floats
    fraud: Ints

    def __len__(self) -> int:
        return len(self.customer)


def join(parts: Sequence[Events]) -> Events:
    """Return the events of all ``parts`` in the order of time."""
    whole = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Events)}
    order = np.argsort(whole["second"], kind="stable")
    return Events(**{name: values[order] for name, values in whole.items()})


def purchases(world: World, size: int, random: np.random.Generator) -> Events:
    """Return ``size`` ordinary purchases: mostly habit, at times a journey, an impulse or a big day."""
    customer = random.choice(len(world.pace), size=size, p=world.pace)
    dearest = np.minimum(random.exponential(2.5, size=size).astype(np.int64), FAVOURITES - 1)
    merchant = world.favourites[customer, dearest]
    habit = random.random(size)
    merchant = np.where(habit < 0.14, world.shops_in(world.home[customer], random.random(size)), merchant)
    merchant = np.where(habit < 0.06, world.shops_online(random.random(size)), merchant)

    day = random.choice(7, size=size, p=np.array([13, 13, 13, 14, 16, 17, 14]) / 100)
    origin = _on_journeys(world, customer, day, random)
    abroad = (origin != world.home[customer]) & (world.merchant_city[merchant] >= 0)
    merchant = np.where(abroad, world.shops_in(origin, random.random(size)), merchant)

    category = world.merchant_category[merchant]
    median, spread, usual_hour = (_of_category(position)[category] for position in (0, 1, 2))
    hour = 0.55 * usual_hour + 0.45 * world.hour[customer] + random.normal(0.0, 2.6, size=size)
    second = day * DAY + (np.mod(hour, 24.0) * 3600).astype(np.int64)
    amount = median * world.level[customer] ** 0.7 * np.exp(spread * random.standard_normal(size))
    big = random.random(size) < 0.015
    amount = np.where(big, amount * (1.0 + random.pareto(1.4, size=size)), amount)

    online = world.merchant_city[merchant] < 0
    draw = random.random(size)
    entry = np.select([draw < 0.60, draw < 0.90, draw < 0.96], [CONTACTLESS, CHIP, SWIPE], KEYED)
    entry = np.where(category == CATEGORY_NAMES.index("cash"), CHIP, entry)
    entry = np.where(online, np.where(draw < 0.94, ECOMMERCE, KEYED), entry)
    entry = np.where(category == CATEGORY_NAMES.index("subscription"), RECURRING, entry)
    # Some people sit behind a network far away; that alone is no fraud.
    tunnel = random.random(size) < 0.03
    origin = np.where(tunnel & online, random.integers(0, len(CITIES), size=size), origin)
    return _events(
        customer=customer,
        merchant=merchant,
        second=second,
        amount=amount,
        entry=entry,
        origin=origin,
        risk=random.beta(1.6, 6.0, size=size),
        fraud=0,
    )


def card_testing(world: World, size: int, random: np.random.Generator) -> Events:
    """Return tiny charges on many stolen cards at one online merchant, minutes apart."""
    shop = random.choice(world.shops_of("digital_goods"))
    customer = random.choice(len(world.home), size=size)
    start = random.integers(0, 7 * DAY - 3 * 3600)
    second = start + np.sort(random.integers(0, 2 * 3600, size=size))
    amount = np.round(
        random.choice([0.5, 0.99, 1.0, 1.01, 1.5, 2.0], size=size) + random.integers(0, 4, size=size) / 100, 2
    )
    entry = np.where(random.random(size) < 0.3, KEYED, ECOMMERCE)
    origin = np.full(size, random.integers(HOME_CITIES, len(CITIES)))
    return _events(
        customer=customer,
        merchant=np.full(size, shop),
        second=second,
        amount=amount,
        entry=entry,
        origin=origin,
        risk=random.beta(4.5, 3.5, size=size),
        fraud=1,
    )


def account_take_over(world: World, size: int, random: np.random.Generator) -> Events:
    """Return runs of dear purchases abroad from a strange device, two to four on each account."""
    run = _runs(size, 3)
    runs = int(run[-1]) + 1 if size else 0
    customer = random.choice(len(world.home), size=runs)[run]
    shops = world.shops_of("electronics", "travel", "online_retail", "jewellery")
    merchant = random.choice(shops, size=size)
    second = random.integers(0, 7 * DAY - 8 * 3600, size=runs)[run] + random.integers(0, 6 * 3600, size=size)
    amount = np.exp(random.normal(np.log(300.0), 0.9, size=size))
    entry = np.where(world.merchant_city[merchant] < 0, ECOMMERCE, KEYED)
    origin = random.integers(HOME_CITIES, len(CITIES), size=runs)[run]
    return _events(
        customer=customer,
        merchant=merchant,
        second=second,
        amount=amount,
        entry=entry,
        origin=origin,
        risk=random.beta(4.5, 3.0, size=size),
        fraud=1,
    )


def bad_merchant(world: World, size: int, random: np.random.Generator) -> Events:
    """Return charges that one dishonest online shop makes on its customers' cards: round, by day, and never ordered."""
    shop = random.choice(world.shops_of("online_retail")[::5])
    customer = random.choice(len(world.home), size=size)
    second = random.integers(0, 7, size=size) * DAY + random.integers(9 * 3600, 18 * 3600, size=size)
    amount = np.array([49.0, 79.0, 99.0, 149.0, 199.0, 249.0])[random.integers(0, 6, size=size)]
    origin = np.where(random.random(size) < 0.5, world.home[customer], random.integers(HOME_CITIES, len(CITIES)))
    return _events(
        customer=customer,
        merchant=np.full(size, shop),
        second=second,
        amount=amount,
        entry=np.full(size, ECOMMERCE),
        origin=origin,
        risk=random.beta(3.5, 4.0, size=size),
        fraud=1,
    )


def night_burst(world: World, size: int, random: np.random.Generator) -> Events:
    """Return bursts with a copied card between one and five at night, in a city where its owner is not."""
    run = _runs(size, 5)
    runs = int(run[-1]) + 1 if size else 0
    customer = random.choice(len(world.home), size=runs)[run]
    city = (world.home[customer] + random.integers(1, len(CITIES), size=runs)[run]) % len(CITIES)
    shops = world.shops_of("cash", "fuel", "electronics", "grocery").reshape(len(CITIES), -1)
    merchant = shops[city, random.integers(0, shops.shape[1], size=size)]
    start = random.integers(0, 7, size=runs) * DAY + random.integers(3600, 4 * 3600, size=runs)
    second = start[run] + random.integers(0, 3600, size=size)
    amount = 10.0 * np.ceil(np.exp(random.normal(np.log(12.0), 0.6, size=size)))
    entry = np.where(random.random(size) < 0.6, SWIPE, CHIP)
    return _events(
        customer=customer,
        merchant=merchant,
        second=second,
        amount=amount,
        entry=entry,
        origin=city,
        risk=random.beta(3.0, 5.0, size=size),
        fraud=1,
    )


def _on_journeys(world: World, customer: Ints, day: Ints, random: np.random.Generator) -> Ints:
    """Return the city that each customer is in on that day: home, or abroad for three days for one in twelve."""
    people = len(world.home)
    away = random.random(people) < 0.08
    first = random.integers(-1, 7, size=people)
    where = random.integers(0, len(CITIES), size=people)
    travelling = away[customer] & (day >= first[customer]) & (day < first[customer] + 3)
    return np.where(travelling, where[customer], world.home[customer])


def _runs(size: int, length: int) -> Ints:
    """Return 0, 0, 0, 1, 1, 1, ...: which run each of ``size`` events belongs to."""
    return np.arange(size, dtype=np.int64) // length


def _of_category(position: int) -> Floats:
    return np.array([CATEGORIES[name][position] for name in CATEGORY_NAMES], dtype=np.float64)


def _events(
    *, customer: Ints, merchant: Ints, second: Ints, amount: Floats, entry: Ints, origin: Ints, risk: Floats, fraud: int
) -> Events:
    return Events(
        customer=customer.astype(np.int64),
        merchant=merchant.astype(np.int64),
        second=second.astype(np.int64),
        amount=np.maximum(np.round(amount, 2), 0.5),
        entry=entry.astype(np.int64),
        origin=origin.astype(np.int64),
        risk=risk,
        fraud=np.full(len(customer), fraud, dtype=np.int64),
    )
