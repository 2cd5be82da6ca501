"""Compiling the kernels and growing the champion's trees at startup."""

from __future__ import annotations

from detector.core.model import DynamicAnomalyDetector
from detector.core.statistics import Kind
from detector.service.workspace import Champion

_SAMPLES: dict[Kind, str | float | bool] = {
    "numeric": 0.0,
    "categorical": "sample",
    "boolean": True,
    "datetime": "2026-01-01T00:00:00+00:00",
}


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
        learned = champion.detector.schema_.learned
        champion.detector.score({feature.name: _SAMPLES[feature.kind] for feature in learned if not feature.derived})
