"""What a detector holds: parameters in front, a fitted value behind that is replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Self

import numpy as np

from detector.core.estimator import OutlierEstimator
from detector.core.fitted import Fitted
from detector.core.frames import Rows, as_frame
from detector.core.later import pd
from detector.core.observing import observed
from detector.core.parameters import check_parameters
from detector.core.scoring import RecordScorer
from detector.errors import NotTrainedError


class FittedEstimator(OutlierEstimator):
    """An estimator whose knowledge is one frozen value, :class:`~detector.core.fitted.Fitted`.

    Whatever learns makes a new value and becomes it, so a reader never sees half of one. What waits to be counted goes
    in under a lock.
    """

    contamination: float
    roles: Mapping[str, str] | None
    n_features_in_: int
    _seed: int

    @property
    def is_fitted(self) -> bool:
        """Whether the model has been trained."""
        return "_state" in self.__dict__

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted

    @property
    def cutoff(self) -> float:
        """The severity (0-100) above which a row is flagged by default."""
        return 100.0 * (1.0 - self.contamination)

    def _fitted(self) -> Fitted:
        if not self.is_fitted:
            raise NotTrainedError("This detector is not trained yet. Call fit with some rows first.")
        state: Fitted = self._state
        return state

    def _become(self, state: Fitted) -> None:
        self._records = RecordScorer(state)
        self._state = state
        self._waiting: list[pd.DataFrame] = []
        if "_lock" not in self.__dict__:
            self._lock = Lock()

    def _with(self, state: Fitted) -> Self:
        """Return a detector with the same parameters that knows ``state``."""
        other = type(self)(**self.get_params(deep=False))
        other.__dict__.update({key: value for key, value in self.__dict__.items() if key != "_lock"})
        other._become(state)
        return other

    def _begin_with(self, state: Fitted, seed: int, names: Sequence[str]) -> Self:
        """Know what a first training on columns of these names learned elsewhere; returns self."""
        self._become(state)
        self._seed = seed
        self.n_features_in_ = len(names)
        self.feature_names_in_ = np.asarray(names, object)
        return self

    def _flush(self) -> None:
        """Count the values of observed columns that have not been counted yet."""
        self._fitted()
        with self._lock:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Do what :meth:`_flush` does; the caller holds the lock."""
        if self._waiting:
            self._become(observed(self._state, self._waiting, self.roles or {}))

    def _checked_parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.get_params(deep=False)
        check_parameters(parameters)
        return parameters

    def _checked_cutoff(self, cutoff: float | None) -> float:
        limit = self.cutoff if cutoff is None else cutoff
        if not 0.0 <= limit <= 100.0:
            raise ValueError("cutoff must be a severity from 0 to 100.")
        return limit

    def _name_columns(self, rows: Rows, frame: pd.DataFrame) -> None:
        """Keep how many columns the first table had, and their names where a frame named them."""
        self.n_features_in_ = frame.shape[1]
        if isinstance(rows, pd.DataFrame) and all(isinstance(name, str) for name in rows.columns):
            self.feature_names_in_ = np.asarray(frame.columns, object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _check_width(self, rows: Rows) -> None:
        """Refuse an array with more or fewer columns than in training: nobody could say which is which."""
        if isinstance(rows, pd.DataFrame | Mapping) or (
            isinstance(rows, list) and rows and isinstance(rows[0], Mapping)
        ):
            return
        self._fitted()
        width = as_frame(rows).shape[1]
        if width != self.n_features_in_ and not hasattr(self, "feature_names_in_"):
            raise ValueError(
                f"X has {width} features, but {type(self).__name__} is expecting {self.n_features_in_} features as"
                " input. Give the columns names to score rows that lack some."
            )
