"""Statistics of values at hand, for the tests of the core."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from detector.core.statistics import FeatureStatistics, Kind


def numeric(values: Any, kind: Kind = "numeric") -> FeatureStatistics:
    return FeatureStatistics.empty(kind).updated_numeric(np.asarray(values, dtype=np.float64))


def categorical(values: np.ndarray, absent: int = 0, kind: Kind = "categorical") -> FeatureStatistics:
    names, counts = np.unique(np.asarray(values).astype(str), return_counts=True)
    return FeatureStatistics.empty(kind).updated_categorical(names.tolist(), counts, absent)


def counted(counts: dict[str, int], absent: int = 0, kind: Kind = "categorical") -> FeatureStatistics:
    return FeatureStatistics.empty(kind).updated_categorical(list(counts), np.array(list(counts.values())), absent)


def normal(n: int, seed: int, center: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(center, 1.0, n)


def lognormal(n: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3.0, 2.0, n)


def as_bytes(statistics: FeatureStatistics) -> bytes:
    return pickle.dumps(statistics.to_content())
