"""Two versions that are to be compared see the same past."""

from __future__ import annotations

from detector.core.model import DynamicAnomalyDetector


def with_the_same_past(challenger: DynamicAnomalyDetector, champion: DynamicAnomalyDetector) -> DynamicAnomalyDetector:
    """Return the challenger with the champion's histories where both follow the same entities.

    Else one that has learned some rows would know them already, and one that is older would not know what came since.
    """
    mine, other = challenger.behaviour, champion.behaviour
    if mine is None or other is None or mine.to_content(histories=False) != other.to_content(histories=False):
        return challenger
    return challenger.with_histories_of(champion)
