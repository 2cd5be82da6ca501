"""Rows to try things on: payments with an entity, categories, flags, times and holes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.core.model import DynamicAnomalyDetector

ROLES = {"card": "entity", "when": "time", "amount": "amount"}


def payments(rows: int, seed: int = 0, *, day: int = 0) -> pd.DataFrame:
    """Return ``rows`` payments by some forty cards over four weeks from ``day`` on, in the order of their times."""
    rng = np.random.default_rng(seed)
    card = rng.integers(0, 40, rows)
    country = rng.choice(["NL", "DE", "FR", "BE"], rows, p=[0.5, 0.25, 0.15, 0.1]).astype(object)
    country[rng.random(rows) < 0.05] = None
    seconds = np.sort(rng.uniform(0, 28 * 86_400, rows)).round()
    return pd.DataFrame(
        {
            "card": [f"c{number:02d}" for number in card],
            "when": pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(day * 86_400 + seconds, unit="s"),
            "amount": (rng.lognormal(3.0, 0.8, rows) * (1 + card % 5)).round(2),
            "balance": rng.normal(2_000.0, 500.0, rows).round(2),
            "items": rng.integers(1, 9, rows),
            "country": country,
            "channel": rng.choice(["web", "app", "shop"], rows),
            "member": rng.random(rows) < 0.7,
            "distance": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2.0, 10.0, rows).round(3)),
        }
    )


def trained(rows: int = 1_500, trees: int = 50) -> DynamicAnomalyDetector:
    """Return a model with histories of its entities that was taught two dozen decisions."""
    table = payments(rows)
    model = DynamicAnomalyDetector(n_estimators=trees, random_state=7, roles=ROLES).fit(table)
    rng = np.random.default_rng(1)
    return model.learn(payments(24, seed=5, day=28), rng.integers(0, 2, 24).tolist())
