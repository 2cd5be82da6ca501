"""Two models on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core.model import DynamicAnomalyDetector
from detector.service.histogram import Histogram


@dataclass(frozen=True)
class Comparison:
    """How scores change from one model to another; see :class:`~detector.service.updating.UpdatePreview`."""

    compared_rows: int
    mean_shift: float
    rank_correlation: float
    newly_flagged: int
    no_longer_flagged: int
    flagged_share_before: float
    flagged_share_after: float
    histogram_before: Histogram
    histogram_after: Histogram

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self) | {
            "histogram_before": self.histogram_before.to_dict(),
            "histogram_after": self.histogram_after.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Comparison:
        """Return the comparison that :meth:`to_dict` wrote; other keys are left alone."""
        plain = {name: value[name] for name in cls.__dataclass_fields__}
        histograms = {name: Histogram.from_dict(plain[name]) for name in ("histogram_before", "histogram_after")}
        return cls(**plain | histograms)


def compare(
    before: DynamicAnomalyDetector, after: DynamicAnomalyDetector, frame: pd.DataFrame, cutoff: float
) -> Comparison:
    """Score ``frame`` (at least one row) with both models at the same ``cutoff`` (severity, 0-100)."""
    old, new = before.score(frame, cutoff=cutoff), after.score(frame, cutoff=cutoff)
    old_flagged, new_flagged = old.labels == -1, new.labels == -1
    return Comparison(
        compared_rows=len(frame),
        mean_shift=float(np.mean(new.severities) - np.mean(old.severities)),
        rank_correlation=rank_correlation(old.scores, new.scores),
        newly_flagged=int(np.sum(new_flagged & ~old_flagged)),
        no_longer_flagged=int(np.sum(old_flagged & ~new_flagged)),
        flagged_share_before=float(np.mean(old_flagged)),
        flagged_share_after=float(np.mean(new_flagged)),
        histogram_before=Histogram.of(old.severities),
        histogram_after=Histogram.of(new.severities),
    )


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation, -1 to 1, ties at their mean rank; 1 when either side has a single rank."""
    first, second = (pd.Series(values).rank().to_numpy() for values in (one, other))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 1.0
    return float(np.corrcoef(first, second)[0, 1])
