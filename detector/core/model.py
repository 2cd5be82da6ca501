"""The estimator: scikit-learn's manners in front, a value that is replaced behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from detector.core import fitted
from detector.core.alignment import AlignmentReport
from detector.core.explain import Explanation, explain
from detector.core.forest import Floats
from detector.core.frames import Rows, as_frame, holds_columns
from detector.core.keeping import Kept
from detector.core.learner import Learner
from detector.core.noticing import Noticing
from detector.core.parameters import seed_from, settings_for
from detector.core.remembering import Remembering
from detector.core.scoring import ScoreResult, score_frame
from detector.core.statistics import ScalerType
from detector.core.stream import stream
from detector.core.studying import Study, study_own_rows, study_rows
from detector.core.telling import SelfDescribing
from detector.errors import InputError


class DynamicAnomalyDetector(Learner, Noticing, Remembering, Kept, SelfDescribing):
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
