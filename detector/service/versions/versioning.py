"""A fitted model on its way into the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.core.model import DynamicAnomalyDetector
from detector.store.versions import ENTITIES, POSITION, Lane, NewVersion, Origin


def new_version(
    detector: DynamicAnomalyDetector,
    *,
    origin: Origin,
    parent: int | None = None,
    lane: Lane = "main",
    figures: Mapping[str, Any] | None = None,
    content: bytes | None = None,
    position: int = 0,
) -> NewVersion:
    """Return what the registry needs of a fitted model; ``content`` are its bytes where they are at hand already.

    What it remembers of entities goes into a file of its own, unless ``content`` holds it. ``position``: up to which
    observed event it knows them; what is observed behind it is still to come.
    """
    figures = dict(figures or {})
    figures[ENTITIES] = None if detector.behaviour is None else detector.behaviour.identity
    if position and detector.behaviour is not None:
        figures[POSITION] = position
    return NewVersion(
        content=detector.to_bytes(histories=False) if content is None else content,
        histories=detector.histories_to_bytes() if content is None else None,
        origin=origin,
        rows=detector.rows_seen,
        features=learned_features(detector),
        contamination=float(detector.contamination),
        cutoff=detector.cutoff,
        parent=parent,
        lane=lane,
        figures=figures,
    )


def learned_features(detector: DynamicAnomalyDetector) -> tuple[str, ...]:
    """Return the columns that take part in the model's scores."""
    return tuple(feature.name for feature in detector.schema_.learned if not feature.derived)


def decisions_of(detector: DynamicAnomalyDetector) -> dict[str, int]:
    """Return how many frauds and how many legitimate rows the model has learned from."""
    labels = detector.decided.labels
    return {"fraud": sum(labels), "legitimate": len(labels) - sum(labels)}


def left_out(detector: DynamicAnomalyDetector) -> tuple[tuple[str, str], ...]:
    """Return (column, reason) of the known columns that do not take part in scores."""
    return tuple(
        (feature.name, feature.reason) for feature in detector.schema_ if not (feature.takes_part or feature.derived)
    )
