"""The estimator: scikit-learn's manners in front, a value that is replaced behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from detector.core import archive, fitted, stored_model
from detector.core.alignment import AlignmentReport
from detector.core.behaviour import Behaviour
from detector.core.estimator import OutlierEstimator
from detector.core.explain import Explanation, explain
from detector.core.fitted import Fitted
from detector.core.forest import Floats
from detector.core.frames import Rows, as_frame, holds_columns
from detector.core.later import pd
from detector.core.observing import observed, worth_counting
from detector.core.parameters import check_parameters, plain_parameters, seed_from, settings_for
from detector.core.schema import Schema
from detector.core.scoring import RecordScorer, ScoreResult, score_frame
from detector.core.statistics import ScalerType
from detector.core.stream import stream
from detector.core.studying import Study, study_own_rows, study_rows
from detector.durable import write_durably
from detector.errors import InputError, ModelFileError, NotTrainedError

#: Rows of observed columns that may wait to be counted.
_ROWS_WAITING = 256
#: What is told of a feature.
_TOLD = ("name", "kind", "role", "status", "reason", "since", "factor")


class DynamicAnomalyDetector(OutlierEstimator):
    """An isolation forest that goes on when columns come, go and change.

    It holds a bounded sample of encoded training rows and grows its trees from it on demand: a forest for each set of
    columns that rows really carry, calibrated on rows that its trees have not seen. Updating lets new rows into the
    sample.

    Wherever rows are taken, a DataFrame, one dictionary, a list of dictionaries or an array (n, d) will do.

    Parameters
    ----------
    contamination : float in (0, 0.5]
        Share of rows to flag. It sets the default cutoff, 100 (1 - contamination), and nothing else.
    n_estimators : int >= 1
        Number of trees.
    max_samples : "auto", int >= 2 or float in (0, 1]
        Rows a tree; "auto" is 256. At most 16,384, and at most 63 % of the rows seen, so that every row stays out of
        some trees.
    scaler_type : "robust", "standard", "minmax" or None
        The scale in which numbers are kept and deviations are told. Isolation by axis-parallel splits does not depend
        on it.
    random_state : int, RandomState or None
        The same seed gives the same model, byte for byte.
    roles : dict from column name to role, or None
        Roles are input, amount, id, time, entity, label and ignored; what is not named is inferred, and ``schema_``
        says how. Where an entity is named (a card, a customer), each row is also compared with what that entity
        usually does, see :mod:`detector.core.behaviour`.
    half_life : float > 0, or a time: "7d", "12h", "30min", "90s", or a time span
        After so many new rows, an old row counts half. As a time: after so long between the latest rows of one batch
        and of the next, by the column with the role time; batches without it, or from before, make nothing fade.

    Attributes
    ----------
    schema_ : Schema
        The features, with kind, role, status and the reason for each.
    n_features_in_ : int
        Columns in the first training table.
    feature_names_in_ : ndarray of str
        Their names, when training was on named columns.

    Notes
    -----
    ``predict`` registers columns it has not seen and goes on; ``score`` changes nothing and may be called by many
    threads.

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"amount": [10.0, 12, 11, 13, 9, 500] * 5, "hour": [1, 2, 3, 4, 5, 6] * 5})
    >>> model = DynamicAnomalyDetector(random_state=0).fit(rows)
    >>> model.score({"amount": 11.0}).report.missing
    ('hour',)
    """

    def __init__(
        self,
        contamination: float = 0.1,
        n_estimators: int = 100,
        max_samples: int | float | Literal["auto"] = "auto",
        scaler_type: ScalerType | None = "robust",
        random_state: Any = 42,
        roles: Mapping[str, str] | None = None,
        half_life: float | str | timedelta = 100_000,
    ) -> None:
        self.contamination = contamination
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.scaler_type = scaler_type
        self.random_state = random_state
        self.roles = roles
        self.half_life = half_life

    # Learning

    def fit(self, rows: Rows, y: Any = None) -> Self:
        """Learn from a first table and forget what was known.

        Parameters
        ----------
        rows : n rows, at least 2.
        y : ignored; scikit-learn's pipelines pass it.

        Raises
        ------
        InputError
            When the rows cannot be learned from.
        ValueError
            When a parameter is out of range.
        """
        parameters = self._checked_parameters()
        frame = as_frame(rows)
        seed = seed_from(self.random_state)
        self._become(fitted.fit(frame, settings_for(parameters, len(frame), seed), self.roles or {}))
        self._seed = seed
        self._name_columns(rows, frame)
        return self

    def fit_predict(self, rows: Rows, y: Any = None) -> NDArray[np.int64]:
        """Return what :meth:`predict` says of the rows after :meth:`fit` on them."""
        return self.fit(rows).predict(rows)

    def partial_fit(self, rows: Rows, y: Any = None) -> Self:
        """Learn from more rows; the first call is :meth:`fit`.

        Each slot of each tree's bag takes a new row with the probability that the new rows' share of all, faded, rows
        gives. The cost does not depend on how many rows were learned before.

        Raises
        ------
        InputError
            When there are no rows, or none of their columns can be learned from.
        ValueError
            When an array has more or fewer columns than in training.
        """
        if not self.is_fitted:
            return self.fit(rows)
        parameters = self._checked_parameters()
        self._check_width(rows)
        frame = as_frame(rows)
        # One at a time: what another thread observed or learned meanwhile must not be lost.
        with self._lock:
            self._count_waiting()
            settings = settings_for(parameters, self._state.sample.seen, self._seed)
            self._become(fitted.update(self._state, frame, settings, self.roles or {}))
        return self

    def stream(self, rows: Rows, *, chunk: int = 100, cutoff: float | None = None) -> ScoreResult:
        """Score each row by what was learned before its chunk, and learn it; return what was said of all of them.

        The same as :meth:`score` and :meth:`partial_fit` chunk by chunk, many times faster: rows are aligned once, and
        trees take turns at learning (see :mod:`detector.core.live`). Where rows lack single values that training rows
        did not lack, chunks do go through these two one by one. A model that is not fitted begins with the first
        chunk, and scores it after learning it.

        Parameters
        ----------
        rows : n rows, in the order in which they came.
        chunk : int >= 2, rows scored before any of them is learned.
        cutoff : 0-100, the severity above which a row is flagged; by default 100 (1 - contamination).

        Raises
        ------
        InputError
            When there are no rows, or none of their columns can be learned from.
        NoKnownColumnsError
            When the rows carry none of the learned features.
        ValueError
            When the chunk or the cutoff is out of range, or an array has more or fewer columns than in training.
        """
        if chunk < 2 or chunk != int(chunk):
            raise ValueError("chunk must be a whole number of at least 2.")
        limit = self._checked_cutoff(cutoff)
        frame = as_frame(rows)
        if frame.empty:
            raise InputError("A stream needs at least one row.")
        parameters = self._checked_parameters()
        learned = 0
        if self.is_fitted:
            self._check_width(rows)
        else:
            learned = min(len(frame), chunk)
            self.fit(frame.iloc[:learned])
            self._name_columns(rows, frame)
        with self._lock:
            self._count_waiting()
            settings = settings_for(parameters, self._state.sample.seen, self._seed)
            result, state = stream(self._state, frame, int(chunk), settings, self.roles or {}, limit, learned)
            self._become(state)
        return result

    def updated(self, rows: Rows) -> DynamicAnomalyDetector:
        """Return a new detector that has learned from ``rows`` too; this one stays as it is.

        Raises
        ------
        NotTrainedError, InputError
        """
        self._flush()
        return self._with(self._state).partial_fit(rows)

    # Scoring

    def score(
        self, rows: Rows, y: Any = None, *, cutoff: float | None = None, after: AlignmentReport | None = None
    ) -> ScoreResult:
        """Return labels, scores, severities and the alignment report; nothing is changed.

        Parameters
        ----------
        rows : n rows, with or without the columns of training.
        y : ignored.
        cutoff : 0-100, the severity above which a row is flagged; by default 100 (1 - contamination).
        after : the report on the pieces before, where a file is scored in pieces. Names and units that were recognised
            there hold where this piece is too short to say otherwise.

        Raises
        ------
        NotTrainedError
            Before :meth:`fit`.
        NoKnownColumnsError
            When the rows carry none of the learned features.
        ValueError
            When the cutoff is not a severity, or an array has more or fewer columns than in training.
        """
        known = self._fitted()
        limit = self._checked_cutoff(cutoff)
        if isinstance(rows, Mapping) and not holds_columns(rows):
            return self._records.score(rows, limit)
        self._check_width(rows)
        return score_frame(known, as_frame(rows), limit, after)

    @overload
    def predict(self, rows: Rows, return_scores: Literal[False] = False) -> NDArray[np.int64]: ...
    @overload
    def predict(self, rows: Rows, return_scores: Literal[True]) -> tuple[NDArray[np.int64], Floats]: ...
    def predict(self, rows: Rows, return_scores: bool = False) -> NDArray[np.int64] | tuple[NDArray[np.int64], Floats]:
        """Return labels (n,), -1 for an anomaly and 1 for a normal row; with scores (n,) in (0, 1) when asked.

        Columns that the model does not know are registered, as :meth:`observe` does.
        """
        result = self.score(rows)
        if result.report.new:
            self.observe(rows, result.report)
        return (result.labels, result.scores) if return_scores else result.labels

    def decision_function(self, rows: Rows) -> Floats:
        """Return (n,) how far each row's severity is below the cutoff; negative is an anomaly (scikit-learn's way)."""
        return self.cutoff - self.score(rows).severities

    def observe(self, rows: Rows, report: AlignmentReport | None = None) -> None:
        """Register the columns of ``rows`` that the model does not know, and begin their statistics.

        They take part in scores after an update. May be called by many threads.
        """
        known = self._fitted()
        names = worth_counting(known.schema, (report or self.alignment(rows)).new)
        if not names:
            return
        if isinstance(rows, Mapping) and not holds_columns(rows) and all(name in rows for name in names):
            batch = pd.DataFrame({name: pd.Series([rows[name]], dtype=object) for name in names})
        else:
            batch = as_frame(rows)[names].copy()
        with self._lock:
            self._waiting.append(batch)
            unknown = any(name not in self._state.schema.by_name for name in names)
            if unknown or sum(map(len, self._waiting)) >= _ROWS_WAITING:
                self._count_waiting()

    def follow(self, rows: Rows) -> None:
        """Let rows into the histories of their entities, and learn nothing else from them.

        Later rows of an entity are compared with these as well. Rows may come late or twice. May be called by many
        threads; does nothing in a model without a named entity.
        """
        known = self._fitted()
        if known.behaviour is None:
            return
        if isinstance(rows, Mapping) and not holds_columns(rows):
            known.behaviour.follow(known.matcher.record_in_known_terms(rows, known.behaviour.sources))
        else:
            known.behaviour.follow(known.in_known_terms(as_frame(rows)))

    def follower(self) -> DynamicAnomalyDetector:
        """Return a detector for a file that comes in parts: each part's rows see those of earlier parts.

        It shares everything with this one, which stays as it is, and gives the scores of the file in one piece.
        """
        known = self._fitted()
        if known.behaviour is None:
            return self
        return self._with(known.with_behaviour(known.behaviour.follower()))

    def beside(self, rows: Rows, after: AlignmentReport | None = None) -> pd.DataFrame:
        """Return rows with the features that are derived from what their entities did before, 1 for as usual.

        ``after`` is the report on the pieces before, where a file comes in pieces; see :meth:`score`.
        """
        return self._fitted().beside(as_frame(rows), after)

    @property
    def behaviour(self) -> Behaviour | None:
        """What is remembered of the entities that a person named; ``None`` when none was."""
        return self._fitted().behaviour

    def alignment(self, rows: Rows, after: AlignmentReport | None = None) -> AlignmentReport:
        """Return what scoring these rows would meet, column by column, and what would be done about it.

        ``after`` is the report on the pieces before, where a file comes in pieces; see :meth:`score`.
        """
        return self._fitted().align(as_frame(rows), after).report

    def explain(
        self,
        rows: Rows,
        *,
        after: AlignmentReport | None = None,
        only: NDArray[np.intp] | None = None,
        in_words: bool = True,
    ) -> Explanation:
        """Return SHAP values in source columns, positive for more anomalous, with reasons in words.

        See :class:`detector.core.explain.Explanation` for shapes and the unit.

        Parameters
        ----------
        after : the report on the pieces before, where a file comes in pieces; see :meth:`score`.
        only : places of the rows to explain, by default all; all of them decide how columns are read.
        in_words : whether to give reasons; for many rows, values alone take less time.
        """
        return explain(self._fitted(), as_frame(rows), after, only=only, in_words=in_words)

    def study(self, rows: Rows, *, after: AlignmentReport | None = None) -> Study:
        """Return what each column of the rows holds and contributes, for charts; see :class:`Study`."""
        return study_rows(self._fitted(), as_frame(rows), after)

    def study_own_rows(self, most: int) -> Study:
        """Return the same for at most so many rows of the model's own sample."""
        return study_own_rows(self._fitted(), most)

    # What is known

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

    # Keeping

    def to_bytes(self, *, histories: bool = True) -> bytes:
        """Return the model as the bytes of a model file; equal models give equal bytes.

        Without ``histories`` what is remembered of entities stays out, some 180 bytes each; see
        :meth:`histories_to_bytes`.
        """
        self._flush()
        parameters = plain_parameters(self.get_params(deep=False), self._seed)
        return archive.to_bytes(
            stored_model.to_content(self._fitted(), parameters, self._training(), histories=histories)
        )

    def histories_to_bytes(self) -> bytes | None:
        """Return what is remembered of entities as the bytes of a file of its own; ``None`` when no entity is named."""
        behaviour = self._fitted().behaviour
        return None if behaviour is None else archive.to_bytes({"histories": behaviour.to_content()})

    def begun(self) -> DynamicAnomalyDetector:
        """Return this detector with empty histories, for what is to be remembered apart."""
        behaviour = self._fitted().behaviour
        return (
            self if behaviour is None else self._with(self._fitted().with_behaviour(Behaviour.begun(behaviour.plans)))
        )

    def with_histories(self, data: bytes, *, add: bool = False) -> DynamicAnomalyDetector:
        """Return this detector with the histories that :meth:`histories_to_bytes` wrote; this one stays as it is.

        They take the place of its own, or come to them with ``add``.

        Raises
        ------
        ModelFileError
            When the bytes are damaged, or do not belong to a model with these entities.
        """
        return self._with(stored_model.with_histories(self._fitted(), archive.from_bytes(data), add=add))

    def with_histories_of(self, other: DynamicAnomalyDetector) -> DynamicAnomalyDetector:
        """Return this detector with the histories of another one, which must be of the same entities."""
        return self._with(self._fitted().with_behaviour(other._fitted().behaviour))

    @classmethod
    def from_bytes(cls, data: bytes) -> DynamicAnomalyDetector:
        """Return the model that :meth:`to_bytes` wrote.

        Raises
        ------
        ModelFileError
            When the bytes are damaged, foreign or of a newer format.
        """
        parameters, training, known = stored_model.from_content(archive.from_bytes(data))
        try:
            model = cls(**parameters)
            model._checked_parameters()
        except ValueError as error:
            raise ModelFileError("The model file holds a parameter that is out of range.") from error
        model._become(known)
        model._seed = training["seed"]
        model.n_features_in_ = training["n_features_in"]
        if training["feature_names_in"]:
            model.feature_names_in_ = np.asarray(training["feature_names_in"], object)
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to a file, whole or not at all."""
        write_durably(Path(path), self.to_bytes())

    def load(self, path: str | Path) -> Self:
        """Become the model in a file; returns self.

        Raises
        ------
        ModelFileError
            When there is no such file, or when it is damaged, foreign or of a newer format.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ModelFileError(f"The model file {Path(path).name!r} cannot be read.") from error
        self.__dict__ = self.from_bytes(data).__dict__
        return self

    # Inside

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

    def _with(self, state: Fitted) -> DynamicAnomalyDetector:
        """Return a detector with the same parameters that knows ``state``."""
        other = type(self)(**self.get_params(deep=False))
        other.__dict__.update({key: value for key, value in self.__dict__.items() if key != "_lock"})
        other._become(state)
        return other

    def _flush(self) -> None:
        """Count the values of observed columns that have not been counted yet."""
        self._fitted()
        with self._lock:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Do what :meth:`_flush` does; the caller holds the lock."""
        if self._waiting:
            self._become(observed(self._state, self._waiting, self.roles or {}))

    def __getstate__(self) -> dict[str, Any]:
        if not self.is_fitted:
            return dict(self.__dict__)
        return {"model": self.to_bytes(), "parameters": self.get_params(deep=False)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model" in state:
            self.__dict__ = self.from_bytes(state["model"]).__dict__ | state["parameters"]
        else:
            self.__dict__.update(state)

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

    def _training(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", ())
        return {
            "seed": self._seed,
            "n_features_in": self.n_features_in_,
            "feature_names_in": [str(name) for name in names],
        }
