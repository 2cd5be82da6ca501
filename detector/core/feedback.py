"""Decisions re-rank: ridge regression on the forest's own kernel, folded back into the leaves.

Two rows are alike as far as they take the same way: in each tree by the part of space that both still share, the
fewer bag rows it holds the more (a data-dependent dissimilarity: K. M. Ting, Y. Zhu, M. Carman, Y. Zhu and Z.-H. Zhou,
"Overcoming key weaknesses of distance-based neighbourhood methods", KDD 2016), and on the mean over the trees.

With this likeness K, decisions y (+1 for fraud, -1 for legitimate) and a prior m, a small multiple of the standardised
score, ridge regression (in Bayesian words the mean of a Gaussian process: C. E. Rasmussen and C. K. I. Williams,
"Gaussian Processes for Machine Learning", 2006, chapter 2) ranks by

    f(x) = m(x) + sum over decided rows i of K(x, x_i) pull_i,     (K + DOUBT I) pull = y - m.

K is a sum over the nodes that two rows share, so what the decided rows pull can be summed up node by node and along
each path: f is again a sum of one number for each leaf that a row ends in. A taught forest is therefore the same forest
with other numbers at its leaves. It is walked, calibrated, and explained as before, and costs the same; severities
still say where a row falls among the model's own rows, so the share that is flagged stays what was asked for.

Which rows decide is all that counts. Nothing is learned step by step, so what is taken back leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.decisions import Decisions
from detector.core.forest import Encoded, Floats, Forest, Places, in_blocks

#: Weight of the score, in standard deviations, against decisions of +1 and -1.
PRIOR = 0.08
#: What is added to the likeness of a row with itself: how far a decision may be beside the point.
DOUBT = 0.3
#: Likeness is (bag rows in the part that two rows share) ** -SHARPNESS.
SHARPNESS = 0.5
#: A decided row that carries a smaller share of a view's features teaches that view nothing.
LEAST_CARRIED = 0.5
#: The solution is this near, relative to the right side, or the last of so many steps.
NEARNESS = 1e-7
MOST_STEPS = 1_000
#: Paths of a forest whose rows all score alike are taken to be so far apart.
LEAST_SPREAD = 1e-3
#: Decided rows that are calibration rows, too, are measured by what the rows of the other folds taught.
FOLDS = 5
#: No path of a taught forest is shorter, so that scores stay below 1.
SHORTEST_PATH = 0.05


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike rows are by the trees of a forest.

    Parameters
    ----------
    nodes : (trees, nodes) how alike two rows are whose paths part at the node.
    rises : (trees, nodes) how much more than at the node above.
    """

    nodes: Floats
    rises: Floats

    @classmethod
    def of(cls, forest: Forest) -> Likeness:
        """Return the likeness by the trees of ``forest``."""
        nodes = forest.rows_at_nodes().astype(np.float64) ** -SHARPNESS
        rises = nodes.copy()
        rises[:, 1:] -= np.repeat(nodes[:, : nodes.shape[1] // 2], 2, axis=1)
        return cls(nodes, rises)

    def first(self, trees: int) -> Likeness:
        """Return the likeness by the first so many trees."""
        return Likeness(self.nodes[:trees], self.rises[:trees])

    def summed(self, places: Places, amounts: Floats) -> Floats:
        """Return (trees, leaves): the sum over rows of their amounts times how alike they are to each leaf's rows.

        Parameters
        ----------
        places : (m, trees) leaves that the rows end in.
        amounts : (m,)
        """
        out = np.empty((len(self.nodes), self.nodes.shape[1] // 2 + 1))
        kernels.spread(places, amounts, self.rises, np.empty_like(self.rises), out)
        return out

    def between(self, one: Places, others: Places) -> Floats:
        """Return (m,) how alike a row with the leaves ``one`` (trees,) is to others (m, trees)."""
        out = np.empty(len(others))
        kernels.alike(one, others, self.nodes, out)
        return out

    def of_itself(self, places: Places) -> Floats:
        """Return (m,) how alike each row is to itself: what others reach at most."""
        leaves = np.ascontiguousarray(self.nodes[:, self.nodes.shape[1] // 2 :])
        out = np.empty(len(places))
        kernels.gathered(places, leaves, out)
        return out


@dataclass(frozen=True, eq=False)
class Lesson:
    """What decisions taught the forest of one view.

    Parameters
    ----------
    keys, labels : of the decided rows that the view could learn from.
    places : (m, trees) the leaves that they end in.
    pulls : (m,) how much each moves rows that are just like it, in halves of the way from legitimate to fraud.
    likeness : by the trees of the view.
    """

    keys: tuple[str, ...]
    labels: tuple[int, ...]
    places: Places
    pulls: Floats
    likeness: Likeness

    @cached_property
    def of_itself(self) -> Floats:
        """How alike each decided row is to itself (m,)."""
        return self.likeness.of_itself(self.places)

    def kin(self, place: Places) -> tuple[Floats, Floats]:
        """Return how alike each decided row is to one with these leaves (0-1), and how far it moves that row (m,)."""
        found = self.likeness.between(place, self.places)
        itself = self.likeness.of_itself(place[None])
        return np.minimum(found / np.sqrt(self.of_itself * itself), 1.0), found * self.pulls


@dataclass(frozen=True, eq=False)
class Taught:
    """The trees of a view with other numbers at their leaves, and how these came about.

    Parameters
    ----------
    calibrating : the trees.
    without : for each fold, the leaves (trees, leaves) if its rows had not been decided on.
    lesson : what was learned.
    """

    calibrating: Forest
    without: tuple[Encoded, ...]
    lesson: Lesson


def folds_of(decisions: Decisions) -> NDArray[np.intp]:
    """Return the fold (m,) that each decided row is in, by its key."""
    return np.asarray(decisions.salts % np.uint32(FOLDS), np.intp)


def teach(
    calibrating: Forest, trees: int, likeness: Likeness, paths: Floats, decisions: Decisions, known: NDArray[np.bool_]
) -> Taught:
    """Return the trees with other numbers at their leaves, as decisions say.

    The cost is steps times (decisions times trees + nodes), and hundreds of steps at most.

    Parameters
    ----------
    calibrating : the trees of a view, of which the first ``trees`` score and the others help to calibrate.
    likeness : by all of these.
    paths : (k,) out-of-bag path lengths of the calibration rows.
    decisions : m of them, at least 1.
    known : (m,) which of their rows are calibration rows as well. What is said of a row moves it more than any fresh
        row, so these are to be measured by what the others taught (cross-fitting, in ``FOLDS`` folds).
    """
    lacking = np.isnan(decisions.rows[:, calibrating.columns]).any()
    everywhere = calibrating.places(decisions.rows, decisions.salts if lacking else None)
    places = cast(Places, np.ascontiguousarray(everywhere[:, :trees]))
    spread = max(float(paths.std()), LEAST_SPREAD)
    middle = float(paths.mean())
    prior = PRIOR * (middle - calibrating.first(trees).paths_at(places)) / spread
    wanted = 2.0 * decisions.labels - 1.0 - prior
    own = likeness.first(trees)

    def shifted(others: NDArray[np.intp], pulls: Floats) -> Floats:
        """Return the leaves when only these rows pull."""
        return calibrating.leaf - spread / PRIOR * likeness.summed(everywhere[others], pulls)

    everyone = np.arange(len(decisions))
    pulls = _solved(places, own, wanted, np.zeros(len(decisions)))
    leaf = shifted(everyone, pulls)
    # Every path is at least the mean of the trees' shortest; squeezing all of them alike keeps their order.
    shortest = float(leaf.min(axis=1).mean())
    squeeze = min(1.0, (middle - SHORTEST_PATH) / max(middle - shortest, LEAST_SPREAD))

    def squeezed(leaf: Floats) -> Encoded:
        return (middle + (leaf - middle) * squeeze).astype(np.float32)

    folds = folds_of(decisions)
    without: list[Encoded] = [np.empty((0, 0), np.float32)] * FOLDS

    def hold_out(start: int, stop: int) -> None:
        for fold in range(start, stop):
            if not known[folds == fold].any():
                continue
            others = np.flatnonzero(folds != fold)
            without[fold] = squeezed(shifted(others, _solved(places[others], own, wanted[others], pulls[others])))

    in_blocks(hold_out, FOLDS, a_thread=2)
    lesson = Lesson(decisions.keys, tuple(decisions.labels.tolist()), places, pulls, own)
    return Taught(replace(calibrating, leaf=squeezed(leaf)), tuple(without), lesson)


def _solved(places: Places, likeness: Likeness, wanted: Floats, start: Floats) -> Floats:
    """Return x (m,) with (K + DOUBT I) x = ``wanted``, by conjugate gradients (Hestenes and Stiefel, 1952).

    K times a vector is what the vector's amounts sum up to at the leaves: K itself is never made.
    """
    below = np.empty_like(likeness.rises)
    leaves = np.empty((len(below), below.shape[1] // 2 + 1))

    def times(vector: Floats) -> Floats:
        product = np.empty(len(places))
        kernels.spread(places, vector, likeness.rises, below, leaves)
        kernels.gathered(places, leaves, product)
        return product + DOUBT * vector

    # Divided by what stands on the diagonal, the system is better behaved.
    diagonal = likeness.of_itself(places) + DOUBT
    enough = NEARNESS**2 * _product(wanted, wanted / diagonal)
    found = start.copy()
    left = wanted - times(found) if found.any() else wanted.copy()
    scaled = left / diagonal
    direction = scaled.copy()
    size = _product(left, scaled)
    for _ in range(MOST_STEPS):
        if size <= enough:
            break
        product = times(direction)
        step = size / _product(direction, product)
        found += step * direction
        left -= step * product
        scaled = left / diagonal
        size, before = _product(left, scaled), size
        direction = scaled + size / before * direction
    return found


def _product(a: Floats, b: Floats) -> float:
    # Not ``a @ b``: how a library shares that out among threads would decide the last bit.
    return float((a * b).sum())
