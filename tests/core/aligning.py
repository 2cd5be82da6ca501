"""A model of payments, and how it finds the columns of others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector import AlignmentReport, DynamicAnomalyDetector
from detector.core.alignment import ColumnFinding


def payments(n: int = 240, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount_usd": rng.lognormal(4.0, 0.7, n).round(2),
            "items": rng.integers(1, 9, n),
            "merchant": rng.choice(["books", "food", "fuel"], n),
            "abroad": rng.random(n) < 0.2,
            "at": pd.Timestamp("2024-03-04") + pd.to_timedelta(rng.integers(0, 40_000, n), unit="min"),
            "coupon": rng.choice(["a", "b", None], n),
            "is_fraud": rng.integers(0, 2, n),
        }
    )


MODEL = DynamicAnomalyDetector(n_estimators=5, random_state=1).fit(payments())


def finding(report: AlignmentReport, name: str) -> ColumnFinding:
    return next(column for column in report.columns if column.name == name)
