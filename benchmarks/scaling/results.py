"""The figures of all axes, in a file that is written after every size: a run that ends early is taken up again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common import PACKAGES, len_affinity
from benchmarks.scaling.axes import AXES, Axis
from benchmarks.scaling.growth import Slope, slope
from benchmarks.scaling.measuring import Figure


@dataclass(frozen=True)
class Point:
    """What was found at one size; ``cut`` says why nothing was measured there."""

    size: int
    figures: tuple[Figure, ...] = ()
    cut: str | None = None


@dataclass
class Results:
    """What was measured so far, by axis. ``machine``: what it was measured on, by axis as well."""

    points: dict[str, list[Point]] = field(default_factory=dict)
    machine: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return what a file holds; nothing where there is none."""
        if not path.is_file():
            return cls()
        kept = json.loads(path.read_text())
        points = {
            name: [
                Point(one["size"], tuple(Figure(**figure) for figure in one["figures"]), one["cut"]) for one in found
            ]
            for name, found in kept["axes"].items()
        }
        return cls(points, kept["machine"], kept["statements of a decision"])

    def write(self, path: Path) -> None:
        """Keep all of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        axes = {
            name: [
                {"size": one.size, "figures": [figure.to_dict() for figure in one.figures], "cut": one.cut}
                for one in found
            ]
            for name, found in self.points.items()
        }
        kept = {"axes": axes, "machine": self.machine, "statements of a decision": self.written}
        path.write_text(json.dumps(kept, indent=1) + "\n")

    def add(self, axis: str, point: Point) -> None:
        """Put a point in its place, instead of an earlier one of the same size."""
        others = [one for one in self.points.get(axis, ()) if one.size != point.size]
        self.points[axis] = sorted([*others, point], key=lambda one: one.size)
        self.machine[axis] = machine()

    def has(self, axis: str, size: int) -> bool:
        """Whether a size was measured."""
        return any(one.size == size and one.cut is None for one in self.points.get(axis, ()))

    def works(self, axis: str) -> list[tuple[str, str]]:
        """Return the works of an axis, in the order in which they were measured, and their units."""
        found: dict[str, str] = {}
        for point in self.points.get(axis, ()):
            for figure in point.figures:
                found.setdefault(figure.work, figure.unit)
        return list(found.items())

    def values(self, axis: str, work: str) -> tuple[list[int], list[float]]:
        """Return the sizes at which a work was measured, and what it cost there."""
        pairs = list(self._values(axis, work))
        return [size for size, _ in pairs], [figure.value for _, figure in pairs]

    def peaks(self, axis: str, work: str) -> tuple[list[int], list[float]]:
        """Return the sizes at which a work's peak memory was measured, and the bytes."""
        pairs = [(size, figure.peak) for size, figure in self._values(axis, work) if figure.peak]
        return [size for size, _ in pairs], [float(peak) for _, peak in pairs]

    def slope(self, axis: str, work: str) -> Slope | None:
        """Return how a work grows along an axis; ``None`` where too little was measured."""
        return slope(*self.values(axis, work))

    def last(self, axis: str, work: str) -> float:
        """Return what a work cost at the largest size at which it was measured; raises ``IndexError`` without one."""
        return self.values(axis, work)[1][-1]

    def _values(self, axis: str, work: str) -> Iterator[tuple[int, Figure]]:
        for point in self.points.get(axis, ()):
            for figure in point.figures:
                if figure.work == work and figure.value > 0.0:
                    yield point.size, figure


def known_axes(results: Results) -> Iterable[tuple[str, Axis]]:
    """Return the axes that something was measured of, in their order."""
    return [(name, axis) for name, axis in AXES.items() if results.points.get(name)]


def machine() -> dict[str, Any]:
    """Return what a figure was measured on; ``load`` is how many processes wanted a processor in the last minute."""
    return {
        "processors": len_affinity(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
