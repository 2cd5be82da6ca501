"""The missing value handler: what an absent value means, and which features rows really carry.

There are two kinds of absence. Where training rows lacked a value now and then, absence is a *state*: encoded as
``-inf``, and the trees have learned what it means. Where they did not, it is a *hole*: encoded as ``NaN``, and the row
goes along both branches of each split on the feature. A column that does not come at all is neither: the batch is
scored by the view of the columns that do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.forest import Encoded
from detector.core.schema import Layout
from detector.core.statistics import FeatureStatistics
from detector.core.views import Signature

#: From this share of absent values on, absence is a state that trees can learn.
STATE_SHARE = 0.005
#: So many rows after a column first came, absence in it may mean that not all rows carry it yet.
ROWS_OF_ARRIVAL = 512
#: A column without a single value in so many rows has not arrived, even where single absences are a state.
ROWS_FOR_NO_COLUMN = 20


def absence_is_state(statistics: FeatureStatistics, *, came_later: bool = False) -> bool:
    """Return whether the feature was absent often enough for the trees to have learned what absence means.

    A feature that ``came_later`` than the first training may still be arriving: for a while its absence means nothing.
    """
    if came_later and statistics.rows < ROWS_OF_ARRIVAL:
        return False
    return statistics.share_absent >= STATE_SHARE


def column_is_missing(absent: NDArray[np.bool_], statistics: FeatureStatistics) -> bool:
    """Return whether a column that is there but holds no value must be taken as not there."""
    return bool(len(absent) >= ROWS_FOR_NO_COLUMN and absent.all() and statistics.share_absent < 0.5)


@dataclass(frozen=True, eq=False)
class Carried:
    """What the rows of a batch carry.

    Parameters
    ----------
    base : numbers of the learned features whose columns came; the view of these scores the batch.
    whole : (n,) rows without holes, or ``None`` when no row has any.
    holed : (m,) rows with holes, which go through both branches of a split on what they lack.
    levels : (m,) their missing share of ``base``, in tenths, at least 1.
    """

    base: Signature
    whole: NDArray[np.intp] | None
    holed: NDArray[np.intp]
    levels: NDArray[np.intp]


def find_holes(matrix: Encoded, carried: NDArray[np.bool_], layout: Layout) -> Carried:
    """Return which rows lack values of features whose columns came, and how many.

    What becomes of a row depends on it and on the columns of the batch, never on the other rows.

    Parameters
    ----------
    matrix : (n, d) encoded rows; ``NaN`` marks holes.
    carried : (features,) whether the batch has the learned feature's column at all.
    """
    base = tuple(np.flatnonzero(carried).tolist())
    missing = np.empty(len(matrix), np.int64)
    kernels.count_holes(matrix, layout.starts[list(base)], missing)
    holed = np.flatnonzero(missing)
    whole = np.flatnonzero(missing == 0) if len(holed) else None
    return Carried(base, whole, holed, hole_levels(missing[holed], len(base)))


def hole_levels(missing: NDArray[np.intp], features: int) -> NDArray[np.intp]:
    """Return the share of ``features`` that is missing, in tenths, at least 1."""
    return np.clip(np.rint(missing * 10 / features), 1, 10).astype(np.intp)
