"""What a detector learns from an analyst's decisions, and takes back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from detector.core.alignment import AlignmentReport, no_known_columns
from detector.core.decisions import NO_DECISIONS, Decided, Decisions, as_keys, as_labels
from detector.core.frames import Rows, as_frame
from detector.core.holding import FittedEstimator
from detector.core.ranking import Ranking


class Learner(FittedEstimator):
    """The part of the detector that decisions teach; see :mod:`detector.core.feedback` for how."""

    def learn(
        self,
        rows: Rows,
        decisions: Iterable[Any],
        *,
        keys: Iterable[str] | None = None,
        after: AlignmentReport | None = None,
    ) -> Self:
        """Rank rows as the decisions on these say, from now on; returns self.

        Trees stay as they are, and severities keep their meaning: where a row falls among the model's own. The rows are
        kept in the model, so that decisions hold after updates, with new columns and without old ones. The order in
        which they are told does not matter.

        Parameters
        ----------
        rows : n rows as they were scored.
        decisions : (n,) 1 for fraud, 0 for legitimate, ``None`` for undecided or unclear, which takes back what was
            said of the row.
        keys : (n,) texts that name the rows, as case numbers do. What is said of a key again replaces what was said.
            Without, a row is named by what it holds.
        after : the report on the table that the rows are from, so that they are read as they were there.

        Raises
        ------
        NotTrainedError
            Before :meth:`fit`.
        InputError
            When decisions or keys do not fit the rows, or are no decisions or keys.
        NoKnownColumnsError
            When the rows carry none of the learned features.
        """
        self._flush()
        with self._lock:
            self._count_waiting()
            self._become(self._state.with_decisions(self._told(rows, decisions, keys, after)))
        return self

    def taught(
        self,
        rows: Rows,
        decisions: Iterable[Any],
        *,
        keys: Iterable[str] | None = None,
        after: AlignmentReport | None = None,
    ) -> Self:
        """Return a detector that has learned the decisions on these rows too; this one stays as it is.

        It shares the sample, and what was grown and measured, with this one. See :meth:`learn` for the arguments.
        """
        self._flush()
        return self._with(self._state.with_decisions(self._told(rows, decisions, keys, after)))

    def forget(self, keys: Iterable[str]) -> Self:
        """Take back what was said of these keys, as if it had never been said; unknown ones do nothing. Returns self.

        Raises
        ------
        NotTrainedError
            Before :meth:`fit`.
        """
        self._flush()
        gone = frozenset([keys] if isinstance(keys, str) else keys)
        with self._lock:
            self._count_waiting()
            self._become(self._state.with_decisions(self._state.decisions.without(gone)))
        return self

    def undecided(self) -> Self:
        """Return this detector without any decision: what it says of a row before anybody has; it shares all else."""
        self._flush()
        return self._with(self._state.with_decisions(NO_DECISIONS))

    @property
    def decided(self) -> Decided:
        """The keys that were decided on, and how."""
        known = self._fitted().decisions
        return Decided(known.keys, tuple(known.labels.tolist()))

    def ranking(
        self, rows: Rows, *, keys: Iterable[str] | None = None, after: AlignmentReport | None = None
    ) -> Ranking:
        """Return a fixed table that is ranked again after each decision, many times faster than by :meth:`taught`.

        Parameters
        ----------
        rows : n rows.
        keys : (n,) texts that name the rows; a decision by position replaces what the model was told of the same key.
        after : the report on the pieces before, where a file comes in pieces.

        Raises
        ------
        NotTrainedError, NoKnownColumnsError, InputError
        """
        known = self._fitted()
        self._check_width(rows)
        return Ranking(known, as_frame(rows), keys, after)

    def _told(
        self, rows: Rows, decisions: Iterable[Any], keys: Iterable[str] | None, after: AlignmentReport | None
    ) -> Decisions:
        self._check_width(rows)
        frame = as_frame(rows)
        labels = as_labels(decisions, len(frame))
        named = as_keys(keys, frame)
        known = self._fitted()
        aligned = known.align(frame, after)
        if len(frame) and not aligned.carried.any():
            raise no_known_columns([feature.name for feature in known.schema.learned])
        return known.decisions.told(named, labels, aligned.matrix)
