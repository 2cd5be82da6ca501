"""Why a row scores as it does: exact SHAP values over the trees of its view, in source columns and words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.alignment import AlignmentReport
from detector.core.fitted import Fitted
from detector.core.forest import Encoded, Floats, Forest, in_blocks
from detector.core.later import pd
from detector.core.reasons import UNIT, Reason, reasons_for
from detector.core.scoring import paths_of

__all__ = ["TOLERANCE", "UNIT", "Explanation", "Reason", "explain", "shap_values"]

#: SHAP values must add up to the output this nearly, or there is no explanation.
TOLERANCE = 1e-6
#: A row takes some fifty times as long as to be scored, so few are worth a second thread.
ROWS_A_THREAD = 128


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each column contributes to each row's score.

    Parameters
    ----------
    features : the learned features.
    values : (n, features) SHAP values; positive is more anomalous; 0 for a feature that the row does not carry.
    base : (n,) the output to expect of a row of which nothing is known.
    output : (n,) what is explained; ``base + values.sum(axis=1)`` equals it within 1e-6. 2 ** output is the row's
        anomaly score, also where the row has a gap and is scored along both branches.
    severities : (n,) 0-100, where the score falls among the model's own rows.
    unit : what all but severities are measured in.
    reasons : for each row the strongest contributions that make it more anomalous, strongest first; empty when words
        were not asked for.
    report : how the columns came and were read.
    """

    features: tuple[str, ...]
    values: Floats
    base: Floats
    output: Floats
    severities: Floats
    unit: str
    reasons: tuple[tuple[Reason, ...], ...]
    report: AlignmentReport

    def to_shap(self, data: pd.DataFrame | None = None) -> Any:
        """Return a ``shap.Explanation``, for the plots of the shap package.

        Parameters
        ----------
        data : the rows that were explained, for the colours and the labels of the plots.
        """
        from shap import Explanation as ShapExplanation  # takes seconds to import, and most processes draw nothing

        shown = None if data is None else data.reindex(columns=list(self.features)).to_numpy()
        return ShapExplanation(self.values, self.base, shown, feature_names=list(self.features))


def explain(
    known: Fitted,
    frame: pd.DataFrame,
    after: AlignmentReport | None = None,
    *,
    only: NDArray[np.intp] | None = None,
    in_words: bool = True,
) -> Explanation:
    """Explain each row of ``frame`` in the view of the columns that came.

    The values are those of TreeSHAP, path-dependent (Lundberg et al., "From local explanations to global understanding
    with explainable AI for trees", Nature Machine Intelligence 2020), of the negative mean normalised path length: base
    2 to this power is the anomaly score. A value that a row lacks is not known, and contributes nothing. The parts of a
    category or a time are summed.

    Parameters
    ----------
    after : the report on the pieces before, where a file comes in pieces; see
        :meth:`detector.core.alignment.Aligner.align`.
    only : places of the rows to explain, by default all; how the columns are read is decided by all rows of the frame.
    in_words : whether to give reasons; values alone take less time.

    Raises
    ------
    NoKnownColumnsError
        When the rows carry none of the learned features.
    ArithmeticError
        When the values do not add up to the output within 1e-6; no explanation is better than a wrong one.
    """
    frame = known.beside(frame, after)
    aligned = known.aligner.align(frame, after)
    if only is not None:
        frame, aligned = frame.iloc[only], replace(aligned, matrix=aligned.matrix[only])
    learned = known.schema.learned
    paths, severities, _, _ = paths_of(known, aligned)
    values = np.zeros((len(frame), len(learned)))
    expected = 0.0
    if len(frame):
        signature = tuple(np.flatnonzero(aligned.carried).tolist())
        found, expected = shap_values(known.views.get(signature).forest, aligned.matrix)
        for place in signature:
            values[:, place] = found[:, list(learned[place].columns)].sum(axis=1)
    base = np.full(len(frame), expected)
    gap = np.abs(base + values.sum(axis=1) + paths).max(initial=0.0)
    if not gap <= TOLERANCE:
        raise ArithmeticError(f"the explanation misses the output by {gap:.2g}")
    reasons = reasons_for(known, frame, values, aligned.report.ways) if in_words else ()
    names = tuple(feature.name for feature in learned)
    return Explanation(names, values, base, -paths, severities, UNIT, reasons, aligned.report)


def shap_values(forest: Forest, rows: Encoded) -> tuple[Floats, float]:
    """Return the SHAP values (n, d) of encoded rows, of the negative mean path length, and its expected value.

    ``NaN`` marks what is not known of a row; it contributes nothing.
    """
    points, weights = _integration(forest.depth)
    out = np.empty(rows.shape, np.float64)
    rows = np.ascontiguousarray(rows)
    in_blocks(
        lambda a, b: kernels.shap_values(
            rows, forest.split_column, forest.threshold, forest.leaf, forest.count, forest.depth, points, weights,
            a, b, out,
        ),
        len(rows),
        a_thread=ROWS_A_THREAD,
    )  # fmt: skip
    np.negative(out, out=out)
    return out, -kernels.expected_path(forest.threshold, forest.leaf, forest.count)


@cache
def _integration(depth: int) -> tuple[Floats, Floats]:
    """Return points and weights that integrate polynomials of degree ``depth - 1`` from 0 to 1 exactly."""
    points, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    return (points + 1.0) / 2.0, weights / 2.0
