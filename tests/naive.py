"""Slow, obvious twins of what is compiled: plain Python, recursion, no arrays where a list will do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
ABSENT = np.float32(-3e38)
EULER_GAMMA = 0.5772156649015329


def mix(h: int) -> int:
    """The finaliser of MurmurHash3."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & MASK
    h ^= h >> 13
    h = h * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def average_path_length(n: int) -> float:
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    return 2.0 * (math.log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n


@dataclass(frozen=True)
class Leaf:
    size: int
    value: np.float32


@dataclass(frozen=True)
class Split:
    size: int
    column: int
    cut: np.float32
    left: Node
    right: Node


Node = Leaf | Split


@dataclass(frozen=True)
class Candidate:
    """A column that a tree may split on: the hashes of its feature and of which part it is, the feature's weight."""

    column: int
    feature: int
    part: int
    weight: float = 1.0


def looseness(values: list[np.float32], cut: np.float32, rows_in_bag: int) -> float:
    """Return the spread of the two sides of a cut, in whole steps of their range, weighted by root numbers of rows."""
    low, high = float(min(values)), float(max(values))
    steps = math.floor(math.sqrt(2147483647.0 / rows_in_bag)) - 1.0

    def spread(side: list[int]) -> float:
        return math.sqrt(max(sum(x * x for x in side) - float(sum(side)) * sum(side) / len(side), 0.0))

    scale = steps / (high - low)
    below = [int((float(value) - low) * scale) for value in values if value <= cut]
    above = [int((float(value) - low) * scale) for value in values if value > cut]
    return (spread(below) + spread(above)) / (math.sqrt(len(below)) + math.sqrt(len(above)))


def best_cut(values: list[np.float32], draw: int, rows_in_bag: int) -> np.float32:
    """Return the first of the best of four cuts between the least and the greatest value; with few rows the first."""
    low, high = min(values), max(values)
    cuts = []
    for _ in range(4):
        cut = np.float32(low + np.float32(draw >> 8) * np.float32(2.0**-24) * np.float32(high - low))
        cuts.append(cut if cut < high else low)
        draw = mix(draw + GOLDEN & MASK)
    return cuts[0] if len(values) <= 4 else min(cuts, key=lambda cut: looseness(values, cut, rows_in_bag))


def grow(rows: Any, candidates: list[Candidate], seed: int, depth: int) -> Node:
    """Grow a tree on ``rows``, a list of lists of float32."""
    psi = average_path_length(len(rows))

    def salted(key: int, node: int) -> int:
        return mix(mix(key ^ seed) ^ (node + 1) * GOLDEN & MASK)

    def below(here: Any, node: int, level: int) -> Node:
        choices = []
        for candidate in candidates:
            values = [row[candidate.column] for row in here]
            present = [value for value in values if value > ABSENT]
            absent = len(values) - len(present)
            parted = 0 < absent < len(values)
            if parted or (present and min(present) < max(present)):
                order = salted(candidate.feature, node) * (1.0 / candidate.weight)
                order += salted(candidate.part, node) * 2.0**-36
                choices.append((order, candidate, present, parted))
        if level == depth or len(here) < 2 or not choices:
            length = level + average_path_length(len(here))
            return Leaf(len(here), np.float32(length * (1.0 / psi if psi > 0.0 else 1.0)))
        _, chosen, present, parted = min(choices, key=lambda choice: choice[0])
        draw = mix(salted(chosen.part, node) ^ 0x5BD1E995)
        cut = ABSENT if parted else best_cut(present, draw, len(rows))
        left = [row for row in here if not row[chosen.column] > cut]
        right = [row for row in here if row[chosen.column] > cut]
        return Split(
            len(here), chosen.column, cut, below(left, 2 * node + 1, level + 1), below(right, 2 * node + 2, level + 1)
        )

    return below(rows, 0, 0)


def flat(tree: Node, depth: int, first_column: int) -> tuple[Any, Any, Any, Any]:
    """Return the tree as the kernels keep it: split columns, thresholds, leaves, and the rows at each node."""
    inner = 2**depth - 1
    columns = np.full(inner, first_column, np.uint32)
    cuts = np.full(inner, np.inf, np.float32)
    leaves = np.empty(inner + 1, np.float32)
    counts = np.zeros(2 * inner + 1, np.int32)

    def fill(node: int, value: np.float32) -> None:
        if node >= inner:
            leaves[node - inner] = value
        else:
            fill(2 * node + 1, value)
            fill(2 * node + 2, value)

    def write(tree: Node, node: int) -> None:
        counts[node] = tree.size
        if isinstance(tree, Leaf):
            fill(node, tree.value)
        else:
            columns[node], cuts[node] = tree.column, tree.cut
            write(tree.left, 2 * node + 1)
            write(tree.right, 2 * node + 2)

    write(tree, 0)
    return columns, cuts, leaves, counts


def path(tree: Node, row: Any) -> float:
    """Return the leaf value of a row that carries every column."""
    if isinstance(tree, Leaf):
        return float(tree.value)
    return path(tree.left if row[tree.column] <= tree.cut else tree.right, row)


def expected(tree: Node) -> float:
    """Return the leaf value to be expected of a row of which nothing is known."""
    if isinstance(tree, Leaf):
        return float(tree.value)
    right = tree.right.size / tree.size
    return (1.0 - right) * expected(tree.left) + right * expected(tree.right)


def through_holes(tree: Node, row: Any) -> np.float32:
    """Return the leaf value to be expected of a row in which NaN marks a value that is not known."""
    if isinstance(tree, Leaf):
        return tree.value
    left, right = through_holes(tree.left, row), through_holes(tree.right, row)
    if row[tree.column] <= tree.cut:
        return left
    if row[tree.column] > tree.cut:
        return right
    return left + np.float32(tree.right.size / tree.size) * (right - left)


def attribution(tree: Node, row: Any) -> dict[int, float]:
    """Return by how much the splits on each column shorten the row's expected path."""
    found: dict[int, float] = {}
    while isinstance(tree, Split):
        child = tree.left if row[tree.column] <= tree.cut else tree.right
        found[tree.column] = found.get(tree.column, 0.0) + expected(tree) - expected(child)
        tree = child
    return found


def mean_outside(values: list[float], held: list[bool]) -> float:
    """Return the mean of what the trees say whose bag lacks the row; of all of them when every bag holds it."""
    outside = [value for value, inside in zip(values, held, strict=True) if not inside]
    return sum(outside) / len(outside) if outside else sum(values) / len(values)


def donor(compared: Any, row: int, candidates: list[int], spare: int, values: Any) -> int:
    """Return the nearest of the candidates that recorded a value, the first of equals; the spare row when none did."""
    carriers = [candidate for candidate in candidates if not math.isnan(values[candidate])]
    return min(carriers, key=lambda candidate: np.abs(compared[row] - compared[candidate]).sum(), default=spare)


def part_shared(tree: Node, one: Any, other: Any) -> int:
    """Return how many bag rows lie in the smallest part that two rows are both in."""
    if isinstance(tree, Leaf):
        return tree.size
    sides = [tree.left if row[tree.column] <= tree.cut else tree.right for row in (one, other)]
    return part_shared(sides[0], one, other) if sides[0] is sides[1] else tree.size


def likeness(trees: list[Node], one: Any, other: Any) -> float:
    """Return how alike two rows are: one over the root of the rows in the part they share, mean over the trees."""
    return sum(part_shared(tree, one, other) ** -0.5 for tree in trees) / len(trees)


def pulls(trees: list[Node], decided: list[Any], wanted: list[float]) -> Any:
    """Return how much each decided row moves rows like it, by solving the whole system."""
    alike = [[likeness(trees, one, other) for other in decided] for one in decided]
    return np.linalg.solve(np.array(alike) + 0.3 * np.eye(len(decided)), wanted)


def leaf_number(tree: Node, row: Any, depth: int) -> int:
    """Return which leaf of the complete tree a row ends in; a branch that ends early goes on to the left."""
    if isinstance(tree, Leaf):
        return 0
    goes_right = not row[tree.column] <= tree.cut
    below = leaf_number(tree.right if goes_right else tree.left, row, depth - 1)
    return below + (2 ** (depth - 1) if goes_right else 0)
