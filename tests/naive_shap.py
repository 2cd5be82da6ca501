"""Shapley values the long way: every subset of the columns, every tree, plain recursion."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from detector.core.forest import Forest


def shapley_values(forest: Forest, row: np.ndarray, columns: list[int]) -> tuple[dict[int, float], float]:
    """Return each column's Shapley value of the negative mean path of one row, and the value of knowing nothing."""
    worth = {
        known: _worth(forest, row, frozenset(known))
        for size in range(len(columns) + 1)
        for known in combinations(columns, size)
    }
    n = len(columns)
    values = {}
    for column in columns:
        others = [other for other in columns if other != column]
        total = 0.0
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for known in combinations(others, size):
                total += weight * (worth[tuple(sorted((*known, column)))] - worth[known])
        values[column] = total
    return values, worth[()]


def _worth(forest: Forest, row: np.ndarray, known: frozenset[int]) -> float:
    """Return the expected negative path when only these columns of the row are known; NaN never is."""
    return -sum(_expected(forest, t, 0, row, known) for t in range(len(forest.leaf))) / len(forest.leaf)


def _expected(forest: Forest, t: int, node: int, row: np.ndarray, known: frozenset[int]) -> float:
    inner = forest.split_column.shape[1]
    if node >= inner:
        return float(forest.leaf[t, node - inner])
    left, right = 2 * node + 1, 2 * node + 2
    cut, column = forest.threshold[t, node], int(forest.split_column[t, node])
    if np.isposinf(cut):
        return _expected(forest, t, left, row, known)
    if column in known and not np.isnan(row[column]):
        return _expected(forest, t, left if row[column] <= cut else right, row, known)
    share = forest.count[t, right] / forest.count[t, node]
    return (1 - share) * _expected(forest, t, left, row, known) + share * _expected(forest, t, right, row, known)
