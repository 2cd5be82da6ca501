"""Why a row scores as it does: exact SHAP values over the trees of its view, in source columns and words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.alignment import no_known_columns
from detector.core.fitted import Fitted
from detector.core.forest import Encoded, Floats, Forest
from detector.core.later import pd
from detector.core.missing import signatures_of
from detector.core.reasons import UNIT, Reason, reasons_for
from detector.core.views import Signature, View

__all__ = ["TOLERANCE", "UNIT", "Explanation", "Reason", "explain"]

#: SHAP values must add up to the output this nearly, or there is no explanation.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each column contributes to each row's score.

    Parameters
    ----------
    features : the learned features.
    values : (n, features) SHAP values; positive is more anomalous; 0 for a feature that the row does not carry.
    base : (n,) the expected output of the row's view.
    output : (n,) what is explained; ``base + values.sum(axis=1)`` equals it within 1e-6. 2 ** output is the anomaly
        score in the row's own view; a row with a gap in a column that came is scored
        along both branches (see :mod:`detector.core.missing`), which comes near to it.
    unit : what all of these are measured in.
    reasons : for each row the strongest contributions that make it more anomalous, strongest first.
    """

    features: tuple[str, ...]
    values: Floats
    base: Floats
    output: Floats
    unit: str
    reasons: tuple[tuple[Reason, ...], ...]


def explain(known: Fitted, frame: pd.DataFrame) -> Explanation:
    """Explain each row of ``frame`` in the view of the features that it carries.

    The values are those of TreeSHAP, path-dependent (Lundberg et al., "From local explanations to global understanding
    with explainable AI for trees", Nature Machine Intelligence 2020), of the negative mean normalised path length: base
    2 to this power is the anomaly score. The parts of a category or a time are summed.

    Raises
    ------
    NoKnownColumnsError
        When the rows carry none of the learned features.
    ArithmeticError
        When the values do not add up to the output within 1e-6; no explanation is better than a wrong one.
    """
    frame = known.beside(frame)
    aligned = known.aligner.align(frame)
    learned = known.schema.learned
    n = len(frame)
    values = np.zeros((n, len(learned)))
    base, output = np.zeros(n), np.zeros(n)
    for signature, rows in _groups(known, aligned.matrix, aligned.carried):
        matrix = aligned.matrix[rows]
        if not signature:  # no value at all: there is nothing to explain, and the score is the expected one
            base[rows] = output[rows] = -_whole_view(known, aligned.carried).forest.paths_through_holes(matrix)
            continue
        view = known.views.get(signature)
        found, expected = _shap(view, matrix)
        output[rows] = -view.forest.paths(matrix)
        base[rows] = expected
        for place in signature:
            values[rows, place] = found[:, list(learned[place].columns)].sum(axis=1)
    gap = np.abs(base + values.sum(axis=1) - output).max(initial=0.0)
    if gap > TOLERANCE:
        raise ArithmeticError(f"the explanation misses the output by {gap:.2g}")
    reasons = reasons_for(known, frame, values, aligned.report.ways)
    return Explanation(tuple(feature.name for feature in learned), values, base, output, UNIT, reasons)


def _groups(known: Fitted, matrix: Encoded, carried: NDArray[np.bool_]) -> list[tuple[Signature, NDArray[np.intp]]]:
    """Return (signature, row numbers) of rows that carry the same features; each gets its view here."""
    if not len(matrix):
        return []
    if not carried.any():
        raise no_known_columns([feature.name for feature in known.schema.learned])
    return signatures_of(matrix, tuple(np.flatnonzero(carried).tolist()), known.schema.layout)


def _whole_view(known: Fitted, carried: NDArray[np.bool_]) -> View:
    return known.views.get(tuple(np.flatnonzero(carried).tolist()))


def _shap(view: View, matrix: Encoded) -> tuple[Floats, float]:
    explainer = _explainer(view)
    # The package asks for the rows in 64 bits and has its own idea of infinity: any number below the threshold for
    # "absent" goes the same way.
    rows = np.where(np.isneginf(matrix), -3.3e38, np.nan_to_num(matrix, nan=0.0)).astype(np.float64)
    found = np.asarray(explainer.shap_values(rows, check_additivity=False), np.float64).reshape(matrix.shape)
    return found, float(np.asarray(explainer.expected_value).ravel()[0])


def _explainer(view: View) -> Any:
    """Return the view's explainer; it is kept with the view, since unpacking the trees takes longer than a row."""
    kept = view.__dict__.get("_explainer")
    if kept is None:
        kept = _shap_package().TreeExplainer({"trees": _trees(view.forest), "tree_output": "raw_value"})
        view.__dict__["_explainer"] = kept
    return kept


@cache
def _shap_package() -> Any:
    import shap  # takes seconds to import, and most processes never explain

    return shap


def _trees(forest: Forest) -> list[dict[str, Any]]:
    """Return the trees as the package takes them: branches that end early end early, and values are negative paths."""
    number, inner = forest.split_column.shape
    nodes = 2 * inner + 1
    ends = np.ones((number, nodes), bool)
    ends[:, :inner] = np.isposinf(forest.threshold)
    weight = forest.count.astype(np.float64)
    value = np.empty((number, nodes))
    value[:, inner:] = -forest.leaf.astype(np.float64) / number
    reachable = np.zeros((number, nodes), bool)
    reachable[:, 0] = True
    levels = [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(forest.depth)]
    for level in reversed(levels):
        on_left, on_right = _children(level)
        share = np.where(ends[:, level], 0.0, weight[:, on_right] / np.maximum(weight[:, level], 1.0))
        value[:, level] = (1.0 - share) * value[:, on_left] + share * value[:, on_right]
    for level in levels:
        for side in _children(level):
            reachable[:, side] = reachable[:, level] & ~ends[:, level]
    # A reachable node's place among the reachable ones, which is its number for the package.
    numbers = reachable.cumsum(axis=1, dtype=np.int32) - 1
    first = 2 * np.arange(nodes) + 1
    trees = []
    for t in range(number):
        keep = np.flatnonzero(reachable[t])
        end = ends[t, keep]
        split = np.where(end, 0, keep)
        left = np.where(end, -1, numbers[t, first[split]]).astype(np.int32)
        trees.append(
            {
                "children_left": left,
                "children_right": np.where(end, -1, numbers[t, first[split] + 1]).astype(np.int32),
                "children_default": left,
                "features": np.where(end, -2, forest.split_column[t, split].astype(np.int64)).astype(np.int32),
                "thresholds": np.where(end, 0.0, forest.threshold[t, split].astype(np.float64)),
                "values": value[t, keep].reshape(-1, 1),
                "node_sample_weight": weight[t, keep],
            }
        )
    return trees


def _children(level: slice) -> tuple[slice, slice]:
    """Return where the left and the right children of a level's nodes lie."""
    first, stop = 2 * level.start + 1, 2 * level.stop + 1
    return slice(first, stop, 2), slice(first + 1, stop, 2)
