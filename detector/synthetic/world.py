"""The world that the transactions happen in: cities, merchants, and customers with habits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: name, country, latitude, longitude; customers live in the first ``HOME_CITIES`` of them.
CITIES = (
    ("London", "GB", 51.51, -0.13),
    ("Paris", "FR", 48.86, 2.35),
    ("Berlin", "DE", 52.52, 13.41),
    ("Madrid", "ES", 40.42, -3.70),
    ("Milan", "IT", 45.46, 9.19),
    ("Amsterdam", "NL", 52.37, 4.90),
    ("Vienna", "AT", 48.21, 16.37),
    ("Lyon", "FR", 45.76, 4.84),
    ("Hamburg", "DE", 53.55, 9.99),
    ("Dublin", "IE", 53.35, -6.26),
    ("New York", "US", 40.71, -74.01),
    ("Singapore", "SG", 1.35, 103.82),
    ("Dubai", "AE", 25.20, 55.27),
    ("Toronto", "CA", 43.65, -79.38),
    ("Sydney", "AU", -33.87, 151.21),
    ("Lisbon", "PT", 38.72, -9.14),
)
HOME_CITIES = 10
HOME_WEIGHTS = np.array([0.2, 0.15, 0.15, 0.1, 0.1, 0.08, 0.07, 0.05, 0.05, 0.05])

#: category: (median amount, spread of its logarithm, usual hour, share of visits, names of shops)
CATEGORIES: dict[str, tuple[float, float, float, float, tuple[str, ...]]] = {
    "grocery": (31.0, 0.60, 17.0, 4.0, ("Grocery", "Food Hall")),
    "restaurant": (29.0, 0.55, 19.5, 2.5, ("Kitchen", "Bistro")),
    "cafe": (5.4, 0.45, 9.5, 2.5, ("Coffee", "Bakery")),
    "fuel": (52.0, 0.35, 13.0, 1.0, ("Fuel",)),
    "pharmacy": (15.0, 0.70, 14.0, 0.8, ("Pharmacy",)),
    "clothing": (54.0, 0.70, 15.0, 0.8, ("Tailors", "Outfitters")),
    "transport": (4.1, 0.80, 11.0, 2.0, ("Tramways", "Taxis")),
    "electronics": (145.0, 0.90, 16.0, 0.4, ("Electronics",)),
    "jewellery": (190.0, 0.80, 15.0, 0.1, ("Jewellers",)),
    "cash": (70.0, 0.55, 13.0, 0.9, ("Cash Point",)),
    "online_retail": (37.0, 0.90, 20.0, 2.5, ("Direct", "Parcel Shop")),
    "digital_goods": (8.5, 0.75, 20.5, 1.2, ("Games", "Downloads")),
    "subscription": (11.5, 0.40, 4.0, 0.8, ("Streaming", "Press")),
    "travel": (220.0, 0.85, 19.0, 0.3, ("Travel", "Flights")),
}
CATEGORY_NAMES = tuple(CATEGORIES)
ONLINE_CATEGORIES = ("online_retail", "digital_goods", "subscription", "travel")

#: The shops of each city, in this order, so that a city's merchants are a slice.
CITY_SHOPS = (
    *("grocery",) * 3,
    *("restaurant",) * 3,
    *("cafe",) * 2,
    *("fuel", "pharmacy", "clothing", "transport", "electronics", "jewellery", "cash"),
)
ONLINE_SHOPS = (*("online_retail",) * 16, *("digital_goods",) * 10, *("subscription",) * 6, *("travel",) * 6)
# fmt: off
FIRST_NAMES = (
    "North", "Riverside", "Harbour", "Central", "Golden", "Station", "Market", "Garden", "Castle", "Meadow", "Bridge",
    "Lantern", "Copper", "Maple", "Swan",
)
FIRST_NAMES_ONLINE = (
    "Quick", "Blue", "Bright", "Nimbus", "Juniper", "Pixel", "Atlas", "Cobalt", "Willow", "Orchid", "Falcon", "Ember",
    "Delta", "Comet", "Linden", "Saffron",
)
# fmt: on
FAVOURITES = 12


@dataclass(frozen=True)
class World:
    """Everything that stays the same from week to week.

    Merchants: ``merchant_name``, ``merchant_category`` (position in ``CATEGORY_NAMES``), ``merchant_city`` (position in
    ``CITIES``; -1 sells online only) and ``merchant_country``, each of length m. Customers: ``home`` (city), ``level``
    (how freely they spend, 1 is usual), ``pace`` (share of all transactions, sums to 1), ``hour`` (the middle of their
    day) and ``favourites`` (n x ``FAVOURITES`` positions of merchants, the dearest first).
    """

    merchant_name: NDArray[np.str_]
    merchant_category: Ints
    merchant_city: Ints
    merchant_country: NDArray[np.str_]
    home: Ints
    level: Floats
    pace: Floats
    hour: Floats
    favourites: Ints

    def shops_in(self, city: Ints, pick: Floats) -> Ints:
        """Return a merchant in each ``city``; ``pick`` in [0, 1) says which, by how much its category is visited."""
        weights = np.cumsum([CATEGORIES[name][3] for name in CITY_SHOPS])
        chosen = np.searchsorted(weights, pick * weights[-1], side="right")
        return np.asarray(city * len(CITY_SHOPS) + chosen, dtype=np.int64)

    def shops_online(self, pick: Floats) -> Ints:
        """Return a merchant that sells online for each ``pick`` in [0, 1)."""
        weights = np.cumsum([CATEGORIES[name][3] for name in ONLINE_SHOPS])
        chosen = np.searchsorted(weights, pick * weights[-1], side="right")
        return np.asarray(len(CITIES) * len(CITY_SHOPS) + chosen, dtype=np.int64)

    def shops_of(self, *categories: str) -> Ints:
        """Return the positions of all merchants of these categories."""
        wanted = [CATEGORY_NAMES.index(name) for name in categories]
        return np.flatnonzero(np.isin(self.merchant_category, wanted))


@lru_cache(maxsize=4)
def build_world(seed: int, customers: int) -> World:
    """Return the world of ``seed`` with so many ``customers``; the merchants depend on ``seed`` alone."""
    random = np.random.default_rng([seed, 0])
    shops, cities, names, countries = [], [], [], []
    for city, (place, country, _, _) in enumerate(CITIES):
        first = random.permutation(FIRST_NAMES)
        for number, category in enumerate(CITY_SHOPS):
            shops.append(CATEGORY_NAMES.index(category))
            cities.append(city)
            countries.append(country)
            names.append(f"{first[number]} {random.choice(CATEGORIES[category][4])} {place}")
    homes = np.array([country for _, country, _, _ in CITIES])
    for number, category in enumerate(ONLINE_SHOPS):
        shops.append(CATEGORY_NAMES.index(category))
        cities.append(-1)
        countries.append(str(random.choice(homes[:HOME_CITIES] if number % 5 else homes[HOME_CITIES:])))
        second = CATEGORIES[category][4][number % 2]
        names.append(f"{FIRST_NAMES_ONLINE[number % len(FIRST_NAMES_ONLINE)]} {second} {number + 1:02d}")

    random = np.random.default_rng([seed, 0, 1])
    home = random.choice(HOME_CITIES, size=customers, p=HOME_WEIGHTS / HOME_WEIGHTS.sum())
    pace = random.gamma(2.0, size=customers) + 0.1
    hour = np.where(random.random(customers) < 0.07, 22.5, random.normal(14.5, 1.8, size=customers))
    world = World(
        merchant_name=np.array(names),
        merchant_category=np.array(shops, dtype=np.int64),
        merchant_city=np.array(cities, dtype=np.int64),
        merchant_country=np.array(countries),
        home=home,
        level=np.exp(random.normal(0.0, 0.4, size=customers)),
        pace=pace / pace.sum(),
        hour=hour,
        favourites=np.empty((0, FAVOURITES), dtype=np.int64),
    )
    near = world.shops_in(np.repeat(home, FAVOURITES), random.random(customers * FAVOURITES)).reshape(-1, FAVOURITES)
    online = world.shops_online(random.random(customers * FAVOURITES)).reshape(-1, FAVOURITES)
    from_home = random.random((customers, FAVOURITES)) < random.beta(3.0, 6.0, size=(customers, 1))
    return World(**(vars(world) | {"favourites": np.where(from_home, online, near)}))


def kilometres(start: Ints, end: Ints) -> Floats:
    """Return the great-circle distance between two arrays of cities, in kilometres (haversine formula)."""
    places = np.radians(np.array([(latitude, longitude) for _, _, latitude, longitude in CITIES]))
    (lat1, lon1), (lat2, lon2) = places[start].T, places[end].T
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(half)), dtype=np.float64)
