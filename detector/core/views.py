"""A view for each signature: the forest and the calibration for rows that carry just these features.

Views are a cache. Each is a pure function of (sample, schema, signature): the forest is grown from the same bags and
seeds on the columns at hand, and severities come from the sample's own rows, scored by the trees whose bag lacks them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.decisions import Decisions
from detector.core.feedback import LEAST_CARRIED, Lesson, Likeness, folds_of, teach
from detector.core.filling import filled
from detector.core.forest import Encoded, Floats, Forest, in_blocks
from detector.core.sample import LARGEST_BAG_SHARE, Rows, Sample
from detector.core.schema import Layout
from detector.core.view_rows import calibration_of, mixed, recorded_bags, with_siblings

#: Bytes of a number in a list.
TABLE_BYTES = 32
#: Calibration tables for rows with holes: one for each tenth of the features that is missing.
HOLE_LEVELS = 10
#: Calibration rows behind each of those: the share of rows above a severity of 90 is then right within 0.7 %.
HOLE_CALIBRATION_ROWS = 2_048

Signature = tuple[int, ...]


@dataclass(eq=False)
class View:
    """The forest and the calibration for one signature.

    Parameters
    ----------
    signature : feature numbers, ascending.
    forest : grown on the columns of these features.
    paths : (k,) ascending out-of-bag path lengths of the calibration rows; low is anomalous.
    lesson : what decisions changed about it, or ``None``.
    """

    signature: Signature
    forest: Forest
    paths: Floats
    _sample: Sample
    _layout: Layout
    _calibration: Rows
    _calibrating: Forest
    _in_bag: NDArray[np.uint8]
    _recorded: Encoded
    _holes: dict[int, Floats] = field(default_factory=dict)
    lesson: Lesson | None = None
    _without: tuple[Encoded, ...] = ()
    _fold_of: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def taught(self, decisions: Decisions) -> View:
        """Return the view that ranks as the decisions say, calibrated anew; itself when there is nothing to learn.

        The view must not be taught already. A decided row counts when it carries at least half of the view's features.
        """
        firsts = self._layout.starts[list(self.signature)]
        rows = decisions.widened(self._sample.rows.shape[1]).rows
        usable = np.flatnonzero((~np.isnan(rows[:, firsts])).mean(axis=1) >= LEAST_CARRIED)
        if not len(usable):
            return self
        keys = tuple(decisions.keys[place] for place in usable)
        chosen = Decisions(keys, decisions.labels[usable], np.ascontiguousarray(rows[usable]))
        places = self._calibration_places(chosen.rows)
        taught = teach(self._calibrating, len(self.forest.leaf), self._likeness, self.paths, chosen, known=places >= 0)
        fold_of = np.full(len(self._calibration), -1, np.intp)
        fold_of[places[places >= 0]] = folds_of(chosen)[places >= 0]
        view = replace(
            self, forest=taught.calibrating.first(len(self.forest.leaf)), _calibrating=taught.calibrating, _holes={},
            lesson=taught.lesson, _without=taught.without, _fold_of=fold_of,
        )  # fmt: skip
        view.paths = np.sort(view._out_of_bag(self._sample.rows[self._calibration], np.arange(len(fold_of))))
        return view

    def _calibration_places(self, rows: Encoded) -> NDArray[np.intp]:
        """Return where each of the rows (m, d) is among the calibration rows, -1 for those that are not."""
        out = np.full(len(rows), -1, np.intp)
        own, wanted = self._recorded[self._calibration][:, self.forest.columns], rows[:, self.forest.columns]
        # Few can be equal. What all of them hold, as something to look up, would take more room than the trees.
        near = np.flatnonzero(np.isin(_sums(own), _sums(wanted)))
        places: dict[bytes, list[int]] = {}
        for place, key in zip(near.tolist(), _contents(own[near]), strict=True):
            places.setdefault(key, []).append(place)
        used: dict[bytes, int] = {}
        for number, key in enumerate(_contents(wanted)):
            # Of equal rows each stands for one of the decided ones, as long as there are any.
            equal, nth = places.get(key, ()), used.get(key, 0)
            if nth < len(equal):
                out[number] = equal[nth]
                used[key] = nth + 1
        return out

    def _out_of_bag(self, rows: Encoded, chosen: NDArray[np.intp], *, holes: bool = False) -> Floats:
        """Return the out-of-bag paths (n,) of the ``chosen`` calibration rows, of which ``rows`` may be altered.

        Those that were decided on are measured by what others taught.
        """
        in_bag = np.ascontiguousarray(self._in_bag[:, chosen])
        paths = self._calibrating.paths_out_of_bag(rows, in_bag, holes=holes)
        for fold, leaf in enumerate(self._without):
            own = np.flatnonzero(self._fold_of[chosen] == fold)
            if len(own):
                forest = replace(self._calibrating, leaf=leaf)
                paths[own] = forest.paths_out_of_bag(
                    np.ascontiguousarray(rows[own]), np.ascontiguousarray(in_bag[:, own]), holes=holes
                )
        return paths

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness.of(self._calibrating)

    def held(self) -> dict[int, int]:
        """Return the bytes of what keeps it going, made with it or since, by the identity of what takes them."""
        trees, made = self._calibrating, self.__dict__
        arrays: list[NDArray[Any]] = [trees.split_column, trees.threshold, trees.leaf, trees.count, self.paths]
        arrays += [self._sample.rows, self._calibration, self._in_bag, self._recorded, self._fold_of, *self._without]
        arrays += list(self._holes.values())
        arrays += self.forest.as_ranks()
        if "_likeness" in made:
            arrays += [self._likeness.nodes, self._likeness.rises]
        if self.lesson is not None:
            arrays += [self.lesson.places, self.lesson.pulls, self.lesson.likeness.nodes, self.lesson.likeness.rises]
        found = taken_by(arrays)
        if "_table" in made:
            found[id(self._table)] = TABLE_BYTES * len(self._table)
        return found

    def severities(self, paths: Floats) -> Floats:
        """Return where path lengths fall among the model's own rows: 0 the most ordinary, 100 the most anomalous."""
        return severity(self.paths, paths)

    def severity_of(self, path: float) -> float:
        """Return the severity of one path length; the same number as :meth:`severities`, in a microsecond."""
        table = self._table
        below = bisect_left(table, path)
        more_anomalous = below + 0.5 * (bisect_right(table, path, lo=below) - below + 1)
        return 100.0 * (1.0 - more_anomalous / (len(table) + 1))

    @cached_property
    def _table(self) -> list[float]:
        table: list[float] = self.paths.tolist()
        return table

    def severities_through_holes(self, paths: Floats, levels: NDArray[np.intp]) -> Floats:
        """Return the same for rows with holes; ``levels`` (n,) is the share of features missing, in tenths."""
        out = np.empty(len(paths))
        for level in np.unique(levels):
            chosen = levels == level
            out[chosen] = severity(self._holes_table(int(level)), paths[chosen])
        return out

    def _holes_table(self, level: int) -> Floats:
        """Return the sorted out-of-bag path lengths of calibration rows with so many tenths of the features hidden."""
        table = self._holes.get(level)
        if table is None:
            every = self._sample.numbers[self._calibration].astype(np.uint32)
            chosen = np.sort(np.argsort(mixed(every), kind="stable")[:HOLE_CALIBRATION_ROWS])
            rows = self._sample.rows[self._calibration[chosen]]
            features = np.array(self.signature)
            draws = mixed(every[chosen][:, None] * np.uint32(0x9E3779B9) ^ self._layout.feature_keys[features][None, :])
            hidden = max(1, min(len(features) - 1, round(level / HOLE_LEVELS * len(features))))
            order = np.argsort(draws, axis=1)[:, :hidden]
            for place, feature in enumerate(features):
                rows[np.ix_((order == place).any(axis=1), self._layout.columns_of(int(feature)))] = np.nan
            table = np.sort(self._out_of_bag(rows, chosen, holes=True))
            self._holes[level] = table
        return table

    def calibration_rows(self) -> Encoded:
        """Return the encoded rows on which the view is calibrated (k, d)."""
        return self._sample.rows[self._calibration]


def severity(table: Floats, paths: Floats) -> Floats:
    """Return 100 times the share of ``table`` that is more ordinary than each path, ties counted half.

    ``table`` is ascending. This is 100 (1 - p) with the mid-p value of a conformal test (Vovk, Gammerman and
    Shafer, 2005): a fresh row drawn like the rows of the table exceeds severity s with probability 1 - s / 100.
    """
    out = np.empty(len(paths))
    in_blocks(lambda a, b: kernels.severities(table, paths, a, b, out), len(paths))
    return out


def build_view(sample: Sample, layout: Layout, signature: Signature) -> View:
    """Grow and calibrate the view of ``signature`` (feature numbers, ascending, not empty)."""
    bags, sizes = sample.bags, np.full(len(sample.bags), sample.bags.shape[1], np.int32)
    calibration, recorded_rows = sample.calibration, sample.rows
    choices = layout.choices(signature, sample.weights)
    firsts = np.array([layout.columns_of(feature)[0] for feature in signature])
    if sample.gaps[firsts].any():
        recorded: NDArray[np.bool_] = np.asarray(~np.isnan(sample.rows[:, firsts]).any(axis=1))
        calibration = calibration_of(sample, firsts, recorded)
        if LARGEST_BAG_SHARE * recorded.sum() < sample.bags.shape[1]:
            sample = replace(sample, rows=filled(sample, layout, signature))
        else:
            bags, sizes = recorded_bags(sample, recorded)
    trees = len(bags)
    bags, sizes = with_siblings(sample, bags, sizes)
    calibrating = Forest.grow(sample.rows, bags, sizes, choices, np.resize(sample.seeds, len(bags)))
    if bags is sample.bags and calibration is sample.calibration:
        in_bag = sample.calibration_in_bag
    else:
        in_bag = sample.membership(bags, sizes, calibration)
    left_out = in_bag[:trees] == 0
    for begin in range(trees, len(bags), trees):
        sibling = in_bag[begin : begin + trees]
        sibling[left_out] = 1
        left_out |= sibling == 0
    paths = np.sort(calibrating.paths_out_of_bag(sample.rows[calibration], in_bag))
    forest = calibrating.first(trees)
    return View(signature, forest, paths, sample, layout, calibration, calibrating, in_bag, recorded_rows)


def taken_by(arrays: Iterable[NDArray[Any]]) -> dict[int, int]:
    """Return the bytes that arrays keep from being used otherwise; a part of a larger one keeps all of that."""
    found = {}
    for array in arrays:
        while isinstance(array.base, np.ndarray):
            array = array.base  # noqa: PLW2901 - from a part to the whole
        found[id(array)] = array.nbytes
    return found


def _contents(rows: Encoded) -> list[bytes]:
    """Return what each row holds, as something to look it up by."""
    return [row.tobytes() for row in rows]


def _sums(rows: Encoded) -> NDArray[np.uint64]:
    """Return a number for each row (n,); those of equal rows are equal, and those of others hardly ever."""
    turned = np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64)
    factors = mixed(np.arange(rows.shape[1], dtype=np.uint32)).astype(np.uint64) | np.uint64(1)
    return np.asarray((turned * factors).sum(axis=1), np.uint64)
