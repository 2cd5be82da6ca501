"""Compiling the kernels and growing the champion's trees at startup."""

from __future__ import annotations

from detector.core.model import DynamicAnomalyDetector
from detector.service.champion import Champion, sample_record


def warm_up(champion: Champion | None) -> None:
    """Run once what a request may need: scoring a row and several, explaining, and the champion's trees."""
    rows = [
        {"amount": float(number), "place": "here" if number % 3 else "there", "seen": number % 2 == 0}
        for number in range(64)
    ]
    model = DynamicAnomalyDetector(n_estimators=2).fit(rows)
    model.score(rows[0])
    model.score(rows)
    model.explain(rows[:1])
    if champion is not None:
        champion.detector.score(sample_record(champion.detector))
