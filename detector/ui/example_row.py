"""One believable row of the present schema, for examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from detector.service.workspace import Champion

#: Shown while there is no model: what a transaction may look like.
BEFORE_TRAINING: Mapping[str, Any] = {
    "amount": 129.9,
    "merchant": "m-0412",
    "country": "NL",
    "card_present": True,
    "time": "2026-03-01T22:14:05Z",
}


def example_row(champion: Champion | None) -> dict[str, Any]:
    """Return a row that holds the usual value of each column the model has learned."""
    if champion is None:
        return dict(BEFORE_TRAINING)
    statistics = champion.detector.feature_stats
    columns = [feature.name for feature in champion.detector.schema_.learned if not feature.derived]
    return {name: _usual(statistics[name]) for name in columns}


def _usual(figures: Mapping[str, Any]) -> Any:
    kind, top, median = figures.get("kind"), figures.get("top") or [], figures.get("median")
    if kind == "boolean":
        return bool(top) and str(top[0]["category"]).lower() == "true"
    if top:
        return top[0]["category"]
    if median is None:
        return None
    if kind == "datetime":
        return datetime.fromtimestamp(median, UTC).replace(microsecond=0).isoformat()
    usual = float(f"{median:.4g}")
    return int(usual) if usual.is_integer() else usual
