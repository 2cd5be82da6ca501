"""Two models on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core.model import DynamicAnomalyDetector
from detector.errors import NoKnownColumnsError
from detector.service.histogram import Histogram
from detector.service.versions.teaching import DecidedRows

#: Decided cases that two models disagree on, kept with a comparison.
FLIPS_KEPT = 50


@dataclass(frozen=True)
class Comparison:
    """How scores change from one model to another; see :class:`~detector.service.versions.updating.UpdatePreview`."""

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


@dataclass(frozen=True)
class Flip:
    """A decided case that one model flags and the other does not. ``severity_before``, ``severity_after``: 0-100."""

    case: str
    fraud: bool
    severity_before: float
    severity_after: float


@dataclass(frozen=True)
class DecidedComparison:
    """What two models make of the cases that were decided.

    ``frauds``, ``legitimate``: how many there are; ``*_before``, ``*_after``: how many of them each model flags.
    ``flips``: those that only one flags, at most 50, those that moved most first.
    """

    frauds: int
    frauds_before: int
    frauds_after: int
    legitimate: int
    legitimate_before: int
    legitimate_after: int
    flips: tuple[Flip, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> DecidedComparison:
        """Return the comparison that :meth:`to_dict` wrote."""
        return cls(**{**value, "flips": tuple(Flip(**flip) for flip in value["flips"])})


def compare_decided(
    before: DynamicAnomalyDetector, after: DynamicAnomalyDetector, found: DecidedRows, cutoff: float
) -> DecidedComparison | None:
    """Score the decided rows with both models at the same ``cutoff``; ``None`` without any.

    What either model was taught of these very rows counts: it is about what an analyst would see again.
    """
    old, new = _severities(before, found), _severities(after, found)
    # A file that either model knows no column of has nothing to compare.
    scored = np.isfinite(old) & np.isfinite(new)
    if not scored.any():
        return None
    old, new = old[scored], new[scored]
    names = [name for name, both in zip(found.keys, scored.tolist(), strict=True) if both]
    was, now = old > cutoff, new > cutoff
    fraud = np.array([found.labels[name] == 1 for name in names])
    flipped = np.flatnonzero(was != now)
    shift = np.abs(new - old)[flipped]
    flips = tuple(
        Flip(names[at], bool(fraud[at]), float(old[at]), float(new[at]))
        for at in flipped[np.argsort(-shift, kind="stable")][:FLIPS_KEPT].tolist()
    )
    return DecidedComparison(
        frauds=int(fraud.sum()),
        frauds_before=int((fraud & was).sum()),
        frauds_after=int((fraud & now).sum()),
        legitimate=int((~fraud).sum()),
        legitimate_before=int((~fraud & was).sum()),
        legitimate_after=int((~fraud & now).sum()),
        flips=flips,
    )


def _severities(model: DynamicAnomalyDetector, found: DecidedRows) -> NDArray[np.float64]:
    """Return what a model says of each decided row; NaN for those of files that it knows no column of."""
    parts = []
    for rows in found.parts:
        try:
            parts.append(model.score(rows).severities)
        except NoKnownColumnsError:
            parts.append(np.full(len(rows), np.nan))
    return np.concatenate(parts) if parts else np.empty(0)


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation, -1 to 1, ties at their mean rank; 1 when either side has a single rank."""
    first, second = (pd.Series(values).rank().to_numpy() for values in (one, other))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 1.0
    return float(np.corrcoef(first, second)[0, 1])
