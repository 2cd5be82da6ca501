"""The missing value handler: what an absent value means, and which features rows really carry.

There are two kinds of absence. Where training rows lacked a value now and then, absence is a *state*: encoded as
``-inf``, and the trees have learned what it means. Where they did not, it is a *hole*: encoded as ``NaN``, and the row
is scored without the feature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.forest import Encoded
from detector.core.schema import Layout
from detector.core.statistics import FeatureStatistics
from detector.core.views import Signature

#: From this share of absent values on, absence is a state that trees can learn.
STATE_SHARE = 0.005
#: A column without a single value in so many rows has not arrived, even where single absences are a state.
ROWS_FOR_NO_COLUMN = 20
#: Hole patterns that get a view of their own in one batch; rows with rarer ones are scored through both branches.
PATTERNS_WITH_VIEWS = 16


def absence_is_state(statistics: FeatureStatistics) -> bool:
    """Return whether the feature was absent often enough for the trees to have learned what absence means."""
    return statistics.share_absent >= STATE_SHARE


def column_is_missing(absent: NDArray[np.bool_], statistics: FeatureStatistics) -> bool:
    """Return whether a column that is there but holds no value must be taken as not there."""
    return bool(len(absent) >= ROWS_FOR_NO_COLUMN and absent.all() and statistics.share_absent < 0.5)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Rows that carry the same features.

    Parameters
    ----------
    signature : numbers of the learned features that the rows carry.
    rows : (n,) row numbers, or ``None`` for all rows.
    """

    signature: Signature
    rows: NDArray[np.intp] | None


@dataclass(frozen=True, eq=False)
class Patterns:
    """How the rows of a batch are to be scored.

    Parameters
    ----------
    own : patterns that get a view of their own.
    base : the signature of the batch, over which the other rows are scored through both branches.
    scattered : (n,) rows with rare hole patterns.
    levels : (n,) their missing share of the base signature, in tenths, at least 1.
    """

    own: tuple[Pattern, ...]
    base: Signature
    scattered: NDArray[np.intp]
    levels: NDArray[np.intp]


def find_patterns(matrix: Encoded, carried: NDArray[np.bool_], layout: Layout) -> Patterns:
    """Return which features each row carries, grouped.

    Parameters
    ----------
    matrix : (n, d) encoded rows; ``NaN`` marks holes.
    carried : (features,) whether the batch has the learned feature's column at all.
    """
    base = tuple(np.flatnonzero(carried).tolist())
    none = np.empty(0, np.intp)
    firsts = layout.starts[list(base)]
    holes = np.isnan(matrix[:, firsts]) if len(firsts) < matrix.shape[1] else np.isnan(matrix)[:, firsts]
    if not holes.any():
        return Patterns((Pattern(base, None),), base, none, none)
    packed = np.packbits(holes, axis=1)
    _, first, group, counts = np.unique(packed, axis=0, return_index=True, return_inverse=True, return_counts=True)
    group = group.ravel()
    # The most frequent patterns first; equal ones in the order of their bits, so that the order of rows does not
    # matter.
    order = np.argsort(-counts, kind="stable")
    own: list[Pattern] = []
    chosen = np.zeros(len(counts), bool)
    for place in order[:PATTERNS_WITH_VIEWS].tolist():
        carried_here = tuple(base[i] for i in np.flatnonzero(~holes[first[place]]).tolist())
        if carried_here:
            own.append(Pattern(carried_here, np.flatnonzero(group == place)))
            chosen[place] = True
    scattered = np.flatnonzero(~chosen[group])
    share = holes[scattered].mean(axis=1)
    return Patterns(tuple(own), base, scattered, np.clip(np.rint(share * 10), 1, 10).astype(np.intp))
