"""What a detector tells of itself: features, statistics, importance, as plain values."""

from __future__ import annotations

from typing import Any

from detector.core.holding import FittedEstimator
from detector.core.schema import Schema

#: What is told of a feature.
_TOLD = ("name", "kind", "role", "status", "reason", "since", "factor")


class SelfDescribing(FittedEstimator):
    """The part of the detector that says what is known."""

    n_estimators: int
    max_samples: Any
    scaler_type: Any
    half_life: Any

    @property
    def schema_(self) -> Schema:
        """The features, with kind, role, status and reason."""
        return self._fitted().schema

    @property
    def known_features(self) -> tuple[str, ...]:
        """Names of the features that take part in scores or wait to be learned."""
        shown = ("learned", "observed")
        return tuple(feature.name for feature in self.schema_ if feature.status in shown and not feature.stands_by_for)

    @property
    def feature_stats(self) -> dict[str, dict[str, Any]]:
        """Statistics of each known feature, as plain finite numbers and texts; see ``FeatureStatistics.summary``."""
        self._flush()
        known = self._fitted()
        return {name: known.statistics[name].summary() for name in self.known_features if name in known.statistics}

    @property
    def statistics_(self) -> dict[str, Any]:
        """The :class:`~detector.core.statistics.FeatureStatistics` of each known feature."""
        self._flush()
        return dict(self._fitted().statistics)

    @property
    def rows_seen(self) -> int:
        """How many rows the model has learned from."""
        return self._fitted().sample.seen

    def get_model_info(self) -> dict[str, Any]:
        """Return what the model is, as plain values."""
        info: dict[str, Any] = {
            "is_fitted": self.is_fitted, "contamination": self.contamination, "n_estimators": self.n_estimators,
            "max_samples": self.max_samples, "scaler_type": self.scaler_type, "num_features": 0, "features": [],
        }  # fmt: skip
        if self.is_fitted:
            known = self._fitted()
            features = list(self.known_features)
            info |= {
                "num_features": len(features), "features": features, "cutoff": self.cutoff,
                "rows_seen": known.sample.seen, "updates": known.sample.updates, "half_life": self.half_life,
                "decisions": len(known.decisions),
                "schema": [
                    {key: getattr(feature, key) for key in _TOLD} | {"aliases": list(feature.aliases)}
                    for feature in known.schema
                ],
            }  # fmt: skip
        return info

    def get_feature_importance(self) -> dict[str, float]:
        """Return each learned feature's share (0-1, summing to 1) of how much splits set the model's own rows apart."""
        importance = self._fitted().importance
        return dict(sorted(importance.items(), key=lambda item: (-item[1], item[0])))
