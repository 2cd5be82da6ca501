"""Rows from before a column came, filled from rows that carry it, so that trees can be grown on all of them.

Trees grown on the few rows that carry a new column know little of the others, and there may be no row at all that
carries every new column. Each older row borrows what it lacks from the nearest of a few rows that have it (hot-deck
imputation; R. R. Andridge and R. J. A. Little, "A review of hot deck imputation for survey non-response",
International Statistical Review 78, 2010): unlike a median, borrowed values keep their spread and go with the rest of
the row. Filled rows grow trees; severities come from rows that really carry the columns wherever there are enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.forest import Encoded
from detector.core.sample import Sample
from detector.core.schema import Layout

#: Rows that a row may borrow from.
CANDIDATES = 32
#: Columns by which rows are compared, at most.
COMPARED_COLUMNS = 32
#: Encoded values are compared up to so many spreads from the center; absence lies at the lower end.
FARTHEST = 4.0


def filled(sample: Sample, layout: Layout, signature: tuple[int, ...]) -> Encoded:
    """Return the sample's rows (r, d) with what they lack of the signature filled; the sample stays as it is.

    Who may lend to whom comes from hashes of row numbers. What no row recorded is taken as absent.
    """
    features = np.array(signature, np.int64)
    starts = layout.starts[features]
    lacking = np.isnan(sample.rows[:, starts])
    out = sample.rows.copy()
    some = lacking.any(axis=0) & ~lacking.all(axis=0)
    for feature in features[lacking.all(axis=0)]:
        out[:, layout.columns_of(int(feature))] = -np.inf
    lacking, features, starts = lacking[:, some], features[some], starts[some]
    needy = np.flatnonzero(lacking.any(axis=1))
    if not len(needy):
        return out
    numbers = sample.numbers.astype(np.uint32)[needy]
    donors = np.flatnonzero(~lacking.all(axis=1)).astype(np.int32)
    salts = kernels.mixed(np.arange(1, CANDIDATES + 1, dtype=np.uint32))
    candidates = donors[_mixed(numbers[:, None] ^ salts[None, :]) % np.uint32(len(donors))]
    spare = np.empty((len(needy), len(features)), np.int32)
    for place, feature in enumerate(features):
        carriers = np.flatnonzero(~lacking[:, place]).astype(np.int32)
        spare[:, place] = carriers[_mixed(numbers ^ layout.feature_keys[feature]) % np.uint32(len(carriers))]
    kernels.fill_from_nearest(
        _compared(sample, layout, signature), needy, candidates, spare, starts, starts + layout.widths[features],
        sample.rows, out,
    )  # fmt: skip
    return out


def _compared(sample: Sample, layout: Layout, signature: tuple[int, ...]) -> Encoded:
    """Return the columns by which rows are compared: those of the signature that every row recorded."""
    columns = layout.columns(signature)
    known = columns[~np.isnan(sample.rows[:, columns]).any(axis=0)]
    # By the hashes of their names: the order of columns in a file must not matter.
    chosen = known[np.argsort(layout.part_keys[known], kind="stable")[:COMPARED_COLUMNS]]
    return np.ascontiguousarray(np.clip(sample.rows[:, chosen], -FARTHEST, FARTHEST))


def _mixed(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray(kernels.mixed(np.ascontiguousarray(values).ravel()), np.uint32).reshape(values.shape)
