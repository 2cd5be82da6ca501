"""What a detector remembers of entities, from outside: followed, put apart, and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from detector.core import archive, shared_events, stored_model
from detector.core.alignment import AlignmentReport
from detector.core.behaviour import Behaviour
from detector.core.frames import Rows, as_frame, holds_columns
from detector.core.holding import FittedEstimator
from detector.core.later import pd
from detector.core.shared_events import Came


class Remembering(FittedEstimator):
    """The part of the detector that has histories of the entities that a person named."""

    def follow(self, rows: Rows) -> Came:
        """Let rows into the histories of their entities, and learn nothing else from them.

        Later rows of an entity are compared with these as well. Rows may come late or twice. May be called by many
        threads; does nothing in a model without a named entity. Returns what came, for :meth:`take_in` of others.
        """
        known = self._fitted()
        if known.behaviour is None:
            return ()
        if isinstance(rows, Mapping) and not holds_columns(rows):
            return known.behaviour.follow(known.matcher.record_in_known_terms(rows, known.behaviour.sources))
        return known.behaviour.follow(known.in_known_terms(as_frame(rows)))

    def take_in(self, events: bytes) -> None:
        """Let what another model with the same entities has followed into the histories.

        ``events`` are by :func:`detector.core.shared_events.to_bytes`, of what :meth:`follow` returned there. What is
        among the last eight events of its entity is not counted again. May be called by many threads.

        Raises
        ------
        ModelFileError
            When the bytes are damaged, or of other entities.
        """
        behaviour = self._fitted().behaviour
        if behaviour is not None:
            behaviour.take_in(shared_events.from_bytes(events, behaviour.plans))

    def follower(self) -> Self:
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

    def histories_to_bytes(self) -> bytes | None:
        """Return what is remembered of entities as the bytes of a file of its own; ``None`` when no entity is named."""
        behaviour = self._fitted().behaviour
        return None if behaviour is None else archive.to_bytes({"histories": behaviour.to_content()})

    def with_histories(self, data: bytes) -> Self:
        """Return this detector with the histories that :meth:`histories_to_bytes` wrote, in place of its own.

        Raises
        ------
        ModelFileError
            When the bytes are damaged, or do not belong to a model with these entities.
        """
        return self._with(stored_model.with_histories(self._fitted(), archive.from_bytes(data)))

    def with_histories_of(self, other: Self) -> Self:
        """Return this detector with the histories of another one, which must be of the same entities."""
        return self._with(self._fitted().with_behaviour(other._fitted().behaviour))
