"""Tables of made-up transactions for the tests of the core, and what models learn from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from detector.core import fitted
from detector.core.fitted import Fitted, Settings
from detector.core.model import DynamicAnomalyDetector


def numbers(n: int, d: int = 10, seed: int = 0) -> pd.DataFrame:
    """Return correlated normal columns c0, c1 and so on."""
    rng = np.random.default_rng(seed)
    turned = rng.normal(size=(n, d)) @ np.random.default_rng(77).normal(size=(d, d))
    return pd.DataFrame(turned, columns=[f"c{j}" for j in range(d)])


def payments(n: int, seed: int = 0) -> pd.DataFrame:
    """Return ten columns of every kind; the country and the device are absent now and then."""
    rng = np.random.default_rng(seed)
    hours = np.clip(rng.normal(14, 4, n), 0, 23.99)
    days = rng.integers(0, 28, n)
    country = rng.choice(["NL", "DE", "FR", "BE", "US"], n, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(object)
    country[rng.random(n) < 0.05] = None
    device_age = rng.exponential(200.0, n)
    device_age[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "amount": rng.lognormal(3.0, 1.2, n).round(2),
            "balance": rng.normal(2_000.0, 500.0, n).round(2),
            "items": rng.poisson(3.0, n),
            "country": country,
            "channel": rng.choice(["web", "app", "shop"], n),
            "member": rng.random(n) < 0.7,
            "when": pd.Timestamp("2025-03-03") + pd.to_timedelta(days * 24.0 + hours, unit="h").round("s"),
            "device_age": device_age,
            "distance": rng.gamma(2.0, 10.0, n),
            "tries": rng.geometric(0.8, n),
        }
    )


def drifted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return payments with another name, another unit and another type, a column less and one more, and holes."""
    frame = frame.drop(columns="distance").rename(columns={"device_age": "device age"})
    frame["balance"] *= 100.0
    frame["tries"] = frame["tries"].astype(str)
    frame.loc[5, "tries"] = "many"
    frame["channel"] = frame["channel"].astype(object)
    frame.loc[::7, "channel"] = None
    frame.loc[::11, "country"] = "PT"
    return frame.assign(colour="red")


def settings(**changed: Any) -> Settings:
    """Return what learning needs, with twenty trees unless another number is asked for."""
    given: dict[str, Any] = {
        "n_estimators": 20, "max_samples": 256, "scaler_type": "robust", "half_life": 100_000.0, "seed": 1,
    }  # fmt: skip
    return Settings(**(given | changed))


def learned(frame: pd.DataFrame, roles: dict[str, str] | None = None, **changed: Any) -> Fitted:
    """Return what a model knows after a first training."""
    return fitted.fit(frame, settings(**changed), roles or {})


def small(**given: Any) -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(**({"n_estimators": 20} | given))


def a_model(rows: int = 400, **given: Any) -> DynamicAnomalyDetector:
    return small(**given).fit(payments(rows))
