"""A fixed table under changing decisions: ranked again in a moment, since only what stands at the leaves changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core.alignment import AlignmentReport
from detector.core.decisions import as_keys, as_labels
from detector.core.fitted import Fitted
from detector.core.forest import Floats, Places, score_from_path
from detector.core.later import pd
from detector.core.missing import find_holes
from detector.core.schema import hash_of
from detector.core.scoring import paths_of
from detector.core.views import View

#: Leaves are remembered while they take no more than this; larger tables are walked again each time.
MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Kin:
    """A decided row that a row ranks with.

    Parameters
    ----------
    key : names the decided row.
    position : where it is in the table; ``None`` for a row that the model brought along.
    label : 1 for fraud, 0 for legitimate.
    similarity : 0-1, the share of their ways through the trees that the two have in common; 1 for equal rows.
    contribution : how far it moves the row, positive towards fraud; from legitimate to fraud it is 2.
    """

    key: str
    position: int | None
    label: int
    similarity: float
    contribution: float


class Ranking:
    """The rows of a table, ranked again after each decision without walking the trees again.

    Where rows lack single values of columns that came, those rows take their ways anew each time.

    Parameters
    ----------
    fitted : what the model knows.
    frame : n rows.
    keys : a text a row that names it; without, rows are named by what they hold.
    after : the report on the pieces before, where a file comes in pieces.

    Raises
    ------
    NoKnownColumnsError
        When the rows carry none of the learned features.
    InputError
        When the keys do not fit the rows.
    """

    def __init__(
        self, fitted: Fitted, frame: pd.DataFrame, keys: Iterable[str] | None = None,
        after: AlignmentReport | None = None,
    ) -> None:  # fmt: skip
        self._fitted = fitted
        self._frame = frame
        # Names of rows that came without are found when they are asked for.
        self._keys = {} if keys is None else dict(enumerate(as_keys(keys, frame)))
        self._aligned = fitted.align(frame, after)
        if not len(frame) or not self._aligned.carried.any():
            paths_of(fitted, self._aligned)  # which says what is wrong with rows that carry nothing
        self._found = find_holes(self._aligned.matrix, self._aligned.carried, fitted.schema.layout)

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def report(self) -> AlignmentReport:
        """What arrived, what did not, and what was done about it."""
        return self._aligned.report

    @cached_property
    def _view(self) -> View:
        """The view of the table's columns, without decisions."""
        return self._fitted.views.undecided.get(self._found.base)

    @cached_property
    def _whole(self) -> NDArray[np.float32]:
        matrix, whole = self._aligned.matrix, self._found.whole
        return matrix if whole is None else matrix[whole]

    @cached_property
    def _places(self) -> Places | None:
        """The leaves of the rows without holes; ``None`` when these would take too much memory."""
        forest = self._view.forest
        bytes_a_leaf = 1 if forest.depth <= 8 else 2
        if len(self._whole) * len(forest.leaf) * bytes_a_leaf > MOST_BYTES:
            return None
        return forest.places(self._whole)

    def after(self, decisions: Mapping[int, int | None]) -> Order:
        """Return how the rows rank after decisions on some of them, and on those that the model brought along.

        The same severities as of a model that was taught these rows, see
        :meth:`detector.core.model.DynamicAnomalyDetector.taught`.

        Parameters
        ----------
        decisions : position of a row -> 1 for fraud, 0 for legitimate, ``None`` for undecided.

        Raises
        ------
        InputError
            When a position is not in the table, a decision is something else, or there are too many of them.
        """
        positions = sorted(decisions)
        if positions and not 0 <= positions[0] <= positions[-1] < len(self):
            raise IndexError(f"Decisions are on rows 0 to {len(self) - 1}.")
        labels = as_labels([decisions[position] for position in positions], len(positions))
        keys = self._named(positions)
        known = self._fitted.decisions.told(keys, labels, self._aligned.matrix[positions])
        if not len(self):
            return Order(self, np.empty(0), np.empty(0), None, {})
        view = self._view.taught(known)
        paths, severities = np.empty(len(self)), np.empty(len(self))
        found = self._found
        rows = slice(None) if found.whole is None else found.whole
        places = self._places
        paths[rows] = view.forest.paths(self._whole) if places is None else view.forest.paths_at(places)
        severities[rows] = view.severities(paths[rows])
        if len(found.holed):
            paths[found.holed] = view.forest.paths_through_holes(self._aligned.matrix[found.holed])
            severities[found.holed] = view.severities_through_holes(paths[found.holed], found.levels)
        return Order(self, severities, paths, view, dict(zip(keys, positions, strict=True)))

    def _named(self, positions: list[int]) -> list[str]:
        """Return the keys of rows."""
        unnamed = [position for position in positions if position not in self._keys]
        self._keys.update(zip(unnamed, as_keys(None, self._frame.iloc[unnamed]), strict=True))
        return [self._keys[position] for position in positions]

    def _places_of(self, position: int, view: View) -> Places:
        """Return the leaves (trees,) of one row; where it lacks a value, one branch of both."""
        row = np.ascontiguousarray(self._aligned.matrix[[position]])
        salts = np.array([hash_of(self._named([position])[0])], np.uint32)
        return np.asarray(view.forest.places(row, salts)[0])


@dataclass(frozen=True, eq=False)
class Order:
    """How the rows of a table rank under decisions.

    Parameters
    ----------
    priority : (n,) 0-100, the severity of each row as it is now; decided rows have one like any other.
    paths : (n,) normalised path lengths, which tell apart what is beyond the model's most anomalous rows; low is first.
    """

    _ranking: Ranking
    priority: Floats
    paths: Floats
    _view: View | None
    _positions: Mapping[str, int]

    @property
    def scores(self) -> Floats:
        """The anomaly scores (n,) in (0, 1); higher is more anomalous."""
        return score_from_path(self.paths)

    @property
    def positions(self) -> NDArray[np.intp]:
        """The rows (n,) in the order in which to look at them: severity, then score, then where they stand."""
        return np.lexsort((self.paths, -self.priority))

    def kin(self, position: int, k: int = 3) -> tuple[Kin, ...]:
        """Return the at most ``k`` decided rows that move this one most, those first; not the row itself.

        Empty where nothing is decided, or nothing that this table's columns can learn from.
        """
        lesson = None if self._view is None else self._view.lesson
        if lesson is None or self._view is None:
            return ()
        similarity, contribution = lesson.kin(self._ranking._places_of(position, self._view))
        found: list[Kin] = []
        for place in np.argsort(-np.abs(contribution), kind="stable").tolist():
            key = lesson.keys[place]
            if self._positions.get(key) == position:
                continue
            if len(found) == k:
                break
            found.append(
                Kin(
                    key, self._positions.get(key), lesson.labels[place], float(similarity[place]),
                    float(contribution[place]),
                )
            )  # fmt: skip
        return tuple(found)
