"""The views of one model, kept within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock
from typing import Any

from numpy.typing import NDArray

from detector.core.decisions import NO_DECISIONS, Decisions
from detector.core.sample import Sample
from detector.core.schema import Layout
from detector.core.views import Signature, View, build_view, taken_by

#: Bytes that the views of a model may take together, with those under its decisions. One of 100 trees of 256 rows and
#: 14 columns takes 0.8 MB, and 2.4 MB where decisions taught it.
VIEW_BYTES = 128 * 1024**2


class Views:
    """The views of one model, grown on demand and kept while they are used (least recently used goes first).

    With ``decisions`` they are those of ``undecided``, taught; without, ``undecided`` is these views themselves.
    """

    def __init__(
        self,
        sample: Sample,
        layout: Layout,
        most_bytes: int = VIEW_BYTES,
        decisions: Decisions = NO_DECISIONS,
        undecided: Views | None = None,
    ) -> None:
        self._sample = sample
        self._layout = layout
        self._most_bytes = most_bytes
        self._decisions = decisions
        self.undecided = self if undecided is None else undecided
        self._views: OrderedDict[Signature, View] = OrderedDict()
        self._lock: RLock = RLock() if undecided is None else undecided._lock

    def __contains__(self, signature: object) -> bool:
        return signature in self._views

    def taught(self, decisions: Decisions) -> Views:
        """Return the views under other decisions; what was grown is shared."""
        if not len(decisions):
            return self.undecided
        return Views(self._sample, self._layout, self._most_bytes, decisions, self.undecided)

    def get(self, signature: Signature) -> View:
        """Return the view of ``signature``, growing and teaching it the first time."""
        with self._lock:
            view = self._views.get(signature)
            if view is not None:
                self._views.move_to_end(signature)
                return view
        # Made outside the lock: two threads may make the same view, and get the same trees.
        if self.undecided is self:
            view = build_view(self._sample, self._layout, signature)
        else:
            view = self.undecided.get(signature).taught(self._decisions)
        with self._lock:
            known = self._views.setdefault(signature, view)
            if known is view:
                self._let_go()
        return known

    def held_bytes(self) -> int:
        """Return the bytes that these views and the undecided ones take, beside the sample."""
        found: dict[int, int] = {}
        with self._lock:
            for view in (*self.undecided._views.values(), *self._views.values()):
                found |= view.held()
        sample = self._sample
        shared: list[NDArray[Any]] = [sample.rows, sample.calibration]
        if "calibration_in_bag" in sample.__dict__:
            shared.append(sample.calibration_in_bag)
        return sum(found.values()) - sum(found.get(whole, 0) for whole in taken_by(shared))

    def _let_go(self) -> None:
        """Drop what was used least lately, taught and undecided, until the others fit; the newest stays."""
        own, below = self._views, self.undecided._views
        # Counted anew each time: what views share goes with the last of them, and they take more while they are used.
        for signature in [*(other for other in below if other not in own), *own][:-1]:
            if self.held_bytes() <= self._most_bytes:
                return
            own.pop(signature, None)
            below.pop(signature, None)
