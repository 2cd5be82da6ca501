"""Compiled kernels: growing trees, summing path lengths, explaining them, encoding and summarising values. Arrays only.

A tree of depth ``D`` is complete and lies in flat arrays: node ``i`` has the children ``2 i + 1`` and ``2 i + 2``; the
first ``2**D - 1`` nodes carry a column and a threshold, the last ``2**D`` are leaves that carry a path length. A branch
that ends early is continued by nodes with the threshold ``+inf``, and every leaf below it carries the same value, so
that walking a tree is ``D`` comparisons without a test for "is this a leaf", whatever the row holds.

A row goes left when ``value <= threshold``. ``-inf`` is a value of its own, "recorded as absent": the first split on a
column in which some rows are absent and some are not parts the two. ``NaN`` is "not known"; only :func:`both_branches`
and :func:`shap_values` understand it.

Which column a node splits on, and where, comes from hashes of (tree seed, node, column), never from a stream of random
numbers: a bag that changes by one row, or a column that leaves, then changes a tree a little and not altogether.

On processors that can, :func:`gathered_path_lengths` takes sixteen rows at a time; its sums are those of
:func:`path_lengths`.

Functions that are compiled into each other lie in one module: numba keeps compiled code by the time stamp of the file
it came from, and would not see that another file has changed.
"""

from detector.core.kernels.contributing import expected_path, shap_values
from detector.core.kernels.donors import fill_from_nearest
from detector.core.kernels.encoding import (
    AS_IS,
    EXCESS,
    HOUR_COS,
    HOUR_SIN,
    LINEAR,
    LOGARITHMIC,
    WEEKDAY_COS,
    WEEKDAY_SIN,
    count_holes,
    count_places,
    encode_column,
    encode_places,
    encode_row,
    find_absent,
)
from detector.core.kernels.gathering import GATHERS, gathered_path_lengths, ranked
from detector.core.kernels.growing import (
    ABSENT_THRESHOLD,
    EULER_GAMMA,
    average_path_length,
    grow_trees,
    membership,
    mix,
    mixed,
)
from detector.core.kernels.holes import both_branches, both_branches_out_of_bag
from detector.core.kernels.placing import severities
from detector.core.kernels.streaming import admit, leaf_values, new_among, refill_bags, retell
from detector.core.kernels.summarising import count_runs, join_points, least_hashes
from detector.core.kernels.teaching import alike, drawn_places, gathered, leaf_places, mean_at_places, spread
from detector.core.kernels.walking import out_of_bag, path_attribution, path_lengths

__all__ = [
    "ABSENT_THRESHOLD",
    "AS_IS",
    "EULER_GAMMA",
    "EXCESS",
    "GATHERS",
    "HOUR_COS",
    "HOUR_SIN",
    "LINEAR",
    "LOGARITHMIC",
    "WEEKDAY_COS",
    "WEEKDAY_SIN",
    "admit",
    "alike",
    "average_path_length",
    "both_branches",
    "both_branches_out_of_bag",
    "count_holes",
    "count_places",
    "count_runs",
    "drawn_places",
    "encode_column",
    "encode_places",
    "encode_row",
    "expected_path",
    "fill_from_nearest",
    "find_absent",
    "gathered",
    "gathered_path_lengths",
    "grow_trees",
    "join_points",
    "leaf_places",
    "leaf_values",
    "least_hashes",
    "mean_at_places",
    "membership",
    "mix",
    "mixed",
    "new_among",
    "out_of_bag",
    "path_attribution",
    "path_lengths",
    "ranked",
    "refill_bags",
    "retell",
    "severities",
    "shap_values",
    "spread",
]
