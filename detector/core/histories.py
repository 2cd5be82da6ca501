"""What is remembered of each entity: small, mergeable, bounded, and without the entities' names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.entity_keys import Events, Floats, Keys
from detector.core.kernels import behaviour as kernels

#: Entities remembered unless told otherwise; of more, those that were not seen for longest are forgotten.
MOST_ENTITIES = 1_000_000
#: So large a share goes at once, so that forgetting is rare.
FORGOTTEN_SHARE = 1 / 16
#: Columns of which first times are told, at most; each takes 20 bytes an entity.
MOST_COLUMNS = 3

_PERIODS = np.array([kernels.HOUR, kernels.DAY, kernels.WEEK, kernels.MONTH])
_EVENTS = 3 * kernels.PERIODS


class EntityHistories:
    """What each entity did, as decayed counts and sums; advanced by :meth:`advance` and by nothing else.

    An entity takes 117 bytes, 20 more for each column of first times, and 6 to 12 to be found by.
    Times are taken in any order: a late event gets the weight that it would have by now. An event that is among its
    entity's last eight is taken for a repetition and not counted again. May be used by many threads.

    Parameters
    ----------
    columns : of how many columns first times are told, 0 to 3.
    most : entities remembered; when more come, those that were not seen for longest are forgotten.
    """

    def __init__(self, columns: int = 0, most: int = MOST_ENTITIES) -> None:
        self.columns = columns
        self.most = most
        self._size = 0
        self._lock = Lock()
        self._make_room(1_024)

    def __len__(self) -> int:
        return self._size

    @property
    def width(self) -> int:
        """How many comparisons are made of an event."""
        return kernels.COMPARISONS + self.columns

    def advance(self, events: Events) -> Floats:
        """Let events in, in the order of their times; return how each compares with its entity's habit before it.

        The columns of the result (n, 11 + columns) are those of :data:`detector.core.behaviour.COMPARISONS`, ``NaN``
        where nothing is known of the entity.
        """
        out = np.empty((len(events), self.width))
        order = np.argsort(events.times, kind="stable")
        with self._lock:
            self._reserve(events.keys)
            self._size = self._follow(events, order, True, out)
            if self._size > self.most:
                self._keep(self._latest(int(self.most * (1.0 - FORGOTTEN_SHARE))))
        return out

    def compare(self, events: Events) -> Floats:
        """Return what :meth:`advance` would, and stay as it is.

        An entity whose first event here is no later than the first one known begins anew: these events are older than
        all that is known of it, as when training rows are scored again.
        """
        out = np.empty((len(events), self.width))
        if len(events) == 1:
            with self._lock:
                self._follow(events, _FIRST, False, out)
            return out
        return self._before(events).advance(events)

    def looked_up(self, events: Events) -> Floats:
        """Return how each event compares with what is known, the other events aside; nothing is changed.

        What :meth:`compare` returns of each event alone.
        """
        out = np.empty((len(events), self.width))
        with self._lock:
            self._follow(events, np.arange(len(events)), False, out)
        return out

    def followed(self, events: Events, apart: EntityHistories) -> Floats:
        """Return what :meth:`compare` would, over a file that comes in parts; ``apart`` holds what came of it so far.

        Each part's events go into ``apart``, which begins empty, and not into these histories.
        """
        news = replace(events, keys=np.where(apart._find(events.keys) < 0, events.keys, np.uint64(0)))
        known = self._before(news)
        with apart._lock:
            apart._reserve(np.concatenate([known._keys[: len(known)], events.keys]))
            apart._append(known, np.arange(len(known)))
        return apart.advance(events)

    def copy(self) -> EntityHistories:
        """Return the same histories, to be advanced apart."""
        other = EntityHistories(self.columns, self.most)
        with self._lock:
            # As it lies, with its room and its table: finding each entity anew takes six times as long.
            for name in ("table", *_ARRAYS):
                setattr(other, "_" + name, getattr(self, "_" + name).copy())
            other._size = self._size
        return other

    def merged(self, other: EntityHistories) -> EntityHistories:
        """Return the histories of both parts of the events.

        Counts, sums and times are those that all events together would have given, whatever the order; how often a
        first time was seen is the sum, so a value that came first in both parts counts twice.

        Raises
        ------
        ValueError
            When they tell first times of different numbers of columns.
        """
        if self.columns != other.columns:
            raise ValueError("histories of different columns cannot be merged")
        out = self.copy()
        theirs = other.copy()
        out._reserve(theirs._keys[: len(theirs)])
        place = out._find(theirs._keys[: len(theirs)])
        new = np.flatnonzero(place < 0)
        joined = np.flatnonzero(place >= 0)
        out._join(place[joined], theirs, joined)
        out._append(theirs, new)
        if len(out) > out.most:
            out._keep(out._latest(out.most))
        return out

    def to_content(self) -> dict[str, Any]:
        """Return the histories as builtins and arrays."""
        with self._lock:
            arrays = {name: getattr(self, "_" + name)[: self._size].ravel() for name in _ARRAYS}
            return {"columns": self.columns, "most": self.most} | {key: item.copy() for key, item in arrays.items()}

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the histories that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When anything is off: fields, types, lengths, ranges, an entity that occurs twice.
        """
        found = stored.fields(content, frozenset({"columns", "most", *_ARRAYS}), "the histories")
        columns, most = stored.whole_number(found, "columns"), stored.whole_number(found, "most")
        if columns > MOST_COLUMNS or most < 1:
            raise stored.damaged("the histories have columns or bounds out of range")
        histories = cls(columns, most)
        keys = stored.array(found, "keys", np.uint64, most=most)
        if len(np.unique(keys)) != len(keys) or (keys == 0).any():
            raise stored.damaged("the histories hold an entity twice")
        histories._make_room(max(1_024, len(keys)))
        for name, (dtype, _) in _ARRAYS.items():
            array = getattr(histories, "_" + name)
            values = found[name]
            right = type(values) is np.ndarray and values.ndim == 1 and values.dtype == np.dtype(dtype)
            if not right or values.size != len(keys) * (array.size // len(array)):
                raise stored.damaged("the parts of the histories do not fit together")
            array[: len(keys)] = values.reshape(len(keys), *array.shape[1:])
        times, figures = histories._times[: len(keys)], histories._figures[: len(keys)]
        if not np.isfinite(times[:, :2]).all() or (times[:, 0] > times[:, 1]).any() or np.isinf(times[:, 2]).any():
            raise stored.damaged("the histories hold times that cannot be")
        if not np.isfinite(figures).all() or (figures < 0.0).any():
            raise stored.damaged("the histories hold figures that cannot be")
        histories._size = len(keys)
        kernels.index_entities(histories._table, histories._keys, len(keys))
        return histories

    # Inside

    def _follow(self, events: Events, order: NDArray[np.int64], counting: bool, out: Floats) -> int:
        return int(
            kernels.follow_events(
                self._table, self._keys, self._times, self._figures, self._recent, self._seen, self._fresh, self._size,
                events.keys, events.times, events.amounts, events.values, events.marks, order, counting, out,
            )
        )  # fmt: skip

    def _before(self, events: Events) -> EntityHistories:
        """Return the histories of the entities in ``events``, those left out that begin anew."""
        order = np.argsort(events.times, kind="stable")
        timed = order[~np.isnan(events.times[order]) & (events.keys[order] != 0)]
        keys, first = np.unique(events.keys[timed], return_index=True)
        with self._lock:
            entities = self._find(keys)
            known = entities >= 0
            known[known] = events.times[timed[first[known]]] > self._times[entities[known], 0]
            return self._chosen(np.sort(entities[known]))

    def _find(self, keys: Keys) -> NDArray[np.int64]:
        out = np.empty(len(keys), np.int64)
        kernels.find_entities(self._table, self._keys, keys, out)
        return out

    def _chosen(self, entities: NDArray[np.int64]) -> EntityHistories:
        other = EntityHistories(self.columns, self.most)
        other._make_room(max(1_024, len(entities)))
        other._append(self, entities)
        return other

    def _append(self, source: EntityHistories, entities: NDArray[np.int64]) -> None:
        stop = self._size + len(entities)
        for name in _ARRAYS:
            getattr(self, "_" + name)[self._size : stop] = getattr(source, "_" + name)[entities]
        self._size = stop
        self._table[:] = 0
        kernels.index_entities(self._table, self._keys, self._size)

    def _join(self, mine: NDArray[np.int64], other: EntityHistories, theirs: NDArray[np.int64]) -> None:
        a, b = self._times[mine], other._times[theirs]
        latest = np.maximum(a[:, 1], b[:, 1])
        figures = np.zeros((len(mine), self._figures.shape[1]), np.float64)
        for times, source in ((a, self._figures[mine]), (b, other._figures[theirs])):
            fade = np.exp(-(latest - times[:, 1])[:, None] / _PERIODS)
            figures[:, :_EVENTS] += source[:, :_EVENTS] * np.tile(fade, 3)
            figures[:, _EVENTS:] += source[:, _EVENTS:]
        later = b[:, 1] > a[:, 1]
        front = np.where(later[:, None], other._recent[theirs], self._recent[mine])
        back = np.where(later[:, None], self._recent[mine], other._recent[theirs])
        self._recent[mine] = _newest(front, back)
        earlier = np.sort(np.stack([a[:, 1], a[:, 2], b[:, 1], b[:, 2]], axis=1), axis=1)
        given = (~np.isnan(earlier)).sum(axis=1)  # NaN sorts last
        self._fresh[mine] = np.where(later, other._fresh[theirs], self._fresh[mine])
        self._times[mine, 0] = np.minimum(a[:, 0], b[:, 0])
        self._times[mine, 1] = latest
        self._times[mine, 2] = earlier[np.arange(len(mine)), given - 2]
        self._figures[mine] = figures
        self._seen[mine] |= other._seen[theirs]

    def _latest(self, many: int) -> NDArray[np.int64]:
        order = np.lexsort((self._keys[: self._size], -self._times[: self._size, 1]))
        return np.sort(order[:many])

    def _keep(self, entities: NDArray[np.int64]) -> None:
        kept = self._chosen(entities)
        for name in ("size", "table", *_ARRAYS):
            setattr(self, "_" + name, getattr(kept, "_" + name))

    def _reserve(self, keys: Keys) -> None:
        room = len(self._keys)
        if self._size + len(keys) > room:
            needed = self._size + len(np.unique(keys))
            if needed > room:
                self._make_room(max(needed, room + room // 2))

    def _make_room(self, entities: int) -> None:
        for name, (dtype, width) in _ARRAYS.items():
            columns = width(self.columns)
            array = np.zeros((entities, *columns), dtype)
            if self._size:
                array[: self._size] = getattr(self, "_" + name)[: self._size]
            setattr(self, "_" + name, array)
        self._table = np.zeros(1 << int(np.ceil(np.log2(1.5 * entities))), np.uint32)
        if self._size:
            kernels.index_entities(self._table, self._keys, self._size)

    _keys: Keys
    _times: Floats
    _figures: NDArray[np.float32]
    _recent: NDArray[np.uint32]
    _seen: Keys
    _fresh: NDArray[np.uint8]


_ARRAYS: dict[str, tuple[str, Callable[[int], tuple[int, ...]]]] = {
    "keys": ("<u8", lambda _: ()),
    "times": ("<f8", lambda _: (3,)),
    "figures": ("<f4", lambda columns: (_EVENTS + 1 + columns,)),
    "recent": ("<u4", lambda _: (kernels.RECENT,)),
    "seen": ("<u8", lambda columns: (2 * columns,)),
    "fresh": ("|u1", lambda _: ()),
}
_FIRST = np.zeros(1, np.int64)


def _newest(front: NDArray[np.uint32], back: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return (n, 8) marks: those of ``front`` and then those of ``back`` that are not among them, 0 for none."""
    repeated = (back[:, :, None] == front[:, None, :]).any(axis=2)
    both = np.concatenate([front, np.where(repeated, 0, back)], axis=1)
    order = np.argsort(both == 0, axis=1, kind="stable")[:, : front.shape[1]]
    return np.asarray(np.take_along_axis(both, order, axis=1), np.uint32)
