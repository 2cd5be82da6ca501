"""A week of transactions as a frame, with the columns that this week's file happens to have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.synthetic.events import (
    DAY,
    ENTRY_MODES,
    IN_PERSON,
    Events,
    account_take_over,
    bad_merchant,
    card_testing,
    join,
    night_burst,
    purchases,
)
from detector.synthetic.world import CATEGORY_NAMES, CITIES, Floats, Ints, World, build_world, kilometres

WEEKS = (1, 2, 3, 4, 5)
FIRST_MONDAY = np.datetime64("2026-03-02T00:00:00")
MOST_ROWS = 10_000_000

#: What happens to the columns, for people.
COLUMN_STORY = {
    1: "Ten features, an id and a label.",
    2: "A provider's device_score appears.",
    3: "ip_distance_km appears; it is empty where the card itself was present.",
    4: "entry_mode and device_score vanish.",
    5: "card_present changes its type: yes and no instead of 1 and 0.",
}

_FRAUD_RATE = {1: 0.021, 2: 0.023, 3: 0.022, 4: 0.024, 5: 0.026}
_KINDS = ((card_testing, 0.28), (account_take_over, 0.30), (bad_merchant, 0.17), (night_burst, 0.25))
_VANISHED_IN_WEEK_4 = ("entry_mode", "device_score")


def generate_week(week: int, *, rows: int = 2000, seed: int = 7) -> pd.DataFrame:
    """Return one week of card transactions in the order of time.

    Parameters
    ----------
    week
        1 to 5; see ``COLUMN_STORY`` for what each does to the columns.
    rows
        How many transactions, 100 to 10,000,000; between 2.1 and 2.6 % of them are frauds.
    seed
        Names the world. Weeks of one seed and one ``rows`` share their customers and merchants.

    Returns
    -------
    pandas.DataFrame
        Text: ``transaction_id``, ``timestamp`` (ISO 8601, UTC), ``customer_id``, ``merchant``, ``merchant_category``,
        ``merchant_city``, ``country``, ``entry_mode``. Numbers: ``amount`` (euro), ``transactions_24h`` (the customer's
        earlier ones in the last day), ``card_present`` (0 or 1), ``device_score`` (0-100, high is bad),
        ``ip_distance_km``. Last the label ``is_fraud`` (0 or 1).

    Raises
    ------
    ValueError
        When ``week`` or ``rows`` is out of range.
    """
    if week not in WEEKS:
        raise ValueError(f"week must be one of 1 to 5, not {week!r}")
    if not 100 <= rows <= MOST_ROWS:
        raise ValueError(f"rows must be between 100 and {MOST_ROWS:,}, not {rows!r}")
    world = build_world(seed, customers=max(60, rows // 10))
    random = np.random.default_rng([seed, week])
    frauds = round(rows * _FRAUD_RATE[week])
    sizes = [int(frauds * share) for _, share in _KINDS]
    sizes[0] += frauds - sum(sizes)
    ordinary = purchases(world, rows - frauds, random)
    happened = join([ordinary, *(kind(world, size, random) for (kind, _), size in zip(_KINDS, sizes, strict=True))])
    return _columns(_frame(happened, world, week, random), week)


def _frame(happened: Events, world: World, week: int, random: np.random.Generator) -> pd.DataFrame:
    """Return all columns that a week could have."""
    category = world.merchant_category[happened.merchant]
    city = world.merchant_city[happened.merchant]
    cities = np.array([*(name for name, _, _, _ in CITIES), "Online"])
    present = happened.entry < IN_PERSON
    start = FIRST_MONDAY + np.timedelta64(7 * (week - 1), "D")
    away = kilometres(world.home[happened.customer], happened.origin)
    distance = np.round(away + random.gamma(1.2, 9.0, size=len(happened)), 1)
    return pd.DataFrame(
        {
            "transaction_id": _numbered("T", week * MOST_ROWS + np.arange(1, len(happened) + 1), 8),
            "timestamp": np.datetime_as_string(start + happened.second.astype("timedelta64[s]"), unit="s"),
            "customer_id": _numbered("C", happened.customer + 1, 5),
            "merchant": world.merchant_name[happened.merchant],
            "merchant_category": np.array(CATEGORY_NAMES)[category],
            "merchant_city": cities[city],
            "country": world.merchant_country[happened.merchant],
            "amount": happened.amount,
            "entry_mode": np.array(ENTRY_MODES)[happened.entry],
            "card_present": present.astype(np.int64),
            "transactions_24h": _earlier_within_a_day(happened, world, random),
            "device_score": np.round(100.0 * happened.risk, 1),
            "ip_distance_km": np.where(present, np.nan, distance),
            "is_fraud": happened.fraud,
        }
    )


def _columns(frame: pd.DataFrame, week: int) -> pd.DataFrame:
    """Return the columns of this week's file."""
    if week < 2:
        frame = frame.drop(columns="device_score")
    if week < 3:
        frame = frame.drop(columns="ip_distance_km")
    if week >= 4:
        frame = frame.drop(columns=list(_VANISHED_IN_WEEK_4))
    if week >= 5:
        frame = frame.assign(card_present=frame["card_present"].map({1: "yes", 0: "no"}))
    return frame


def _earlier_within_a_day(happened: Events, world: World, random: np.random.Generator) -> Ints:
    """Return how many transactions each customer had in the 24 hours before.

    The Sunday before the first day was never written down, so it is drawn from the customer's usual pace.
    """
    order = np.lexsort((happened.second, happened.customer))
    # A stride of nine days keeps one customer's window from reaching into the next customer's week.
    place = happened.customer[order] * (9 * DAY) + happened.second[order]
    counts = np.empty(len(happened), dtype=np.int64)
    counts[order] = np.arange(len(happened)) - np.searchsorted(place, place - DAY, side="left")
    unseen: Floats = np.clip(1.0 - happened.second / DAY, 0.0, 1.0)
    usual = world.pace[happened.customer] * len(happened) / 7
    return np.asarray(counts + random.poisson(unseen * usual), dtype=np.int64)


def _numbered(letter: str, numbers: Ints, digits: int) -> list[str]:
    return [f"{letter}{number:0{digits}d}" for number in numbers.tolist()]
