"""How cost grows with rows, features, categories, signatures, versions, entities and open cases, and its slopes.

    python -m benchmarks.scale                                    all axes, printed as they are measured
    python -m benchmarks.scale --axis rows cases --out FOLDER     two of them, kept as Markdown, JSON and a picture
    python -m benchmarks.scale --document docs/scaling.md         and the document's figures, tables and picture
    python -m benchmarks.scale --document docs/scaling.md --resume    only what was not measured
    python -m benchmarks.scale --quick                            small sizes, in some seconds: to see that all works

Each size is measured in a process of its own. Figures are kept after each, so that a run that was broken off goes on
with ``--resume``. An axis gets ``--budget`` seconds; sizes that would take longer are named, and not measured. A slope
is the exponent of the cost over the four largest sizes, with its standard error: 0 does not grow, 1 grows in
proportion. Peak memory is what the process held at most beyond what it held when the work began.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import arguments
from benchmarks.scaling.axes import AXES
from benchmarks.scaling.child import NotMeasuredError, measured, measured_apart
from benchmarks.scaling.document import beside, rewrite
from benchmarks.scaling.drawing import picture
from benchmarks.scaling.keeping import statements_of_a_decision
from benchmarks.scaling.planning import plan
from benchmarks.scaling.results import Point, Results
from benchmarks.scaling.telling import axis_table, conditions, shown


def main(given: list[str] | None = None) -> None:
    """Measure axis after axis, and print and keep what was found."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--axis", nargs="+", choices=AXES, default=list(AXES), metavar="AXIS", help=", ".join(AXES))
    parser.add_argument("--quick", action="store_true", help="small sizes only, in this process")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for an axis; begun sizes are ended")
    parser.add_argument("--resume", action="store_true", help="keep what was measured before, and measure the rest")
    parser.add_argument("--document", type=Path, help="write its tables, and the figures and picture beside it, anew")
    options = parser.parse_args(given)
    kept = beside(options.document)[0] if options.document else options.out / "scale.json" if options.out else None
    results = Results.read(kept) if kept else Results()
    for name in options.axis:
        if not options.resume:
            results.points.pop(name, None)
        for point in _points(name, results, options.budget, quick=options.quick):
            results.add(name, point)
            print(f"{name} {point.size:,}: {_brief(point)}", flush=True)
            if kept:
                results.write(kept)
        print(f"\n## {name}\n\n{axis_table(results, name)}\n\n{conditions(results, name)}\n", flush=True)
    if "cases" in options.axis and not (options.resume and results.written):
        results.written = statements_of_a_decision()
    print(f"## plan\n\n{plan(results)}")
    if kept:
        results.write(kept)
    if options.document:
        rewrite(options.document)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        parts = [f"## {name}\n\n{axis_table(results, name)}" for name in AXES if results.points.get(name)]
        (options.out / "scale.md").write_text("\n\n".join([*parts, plan(results)]) + "\n")
        (options.out / "scale.svg").write_text(picture(results))
        results.write(options.out / "scale.json")


def _points(name: str, results: Results, budget: float, *, quick: bool) -> Iterator[Point]:
    """Yield what is found at each size of an axis that is not known yet, in order."""
    axis = AXES[name]
    if quick:
        yield from (Point(size, tuple(measured(name, size, quick=True))) for size in axis.quick)
        return
    begin, took, why = time.monotonic(), Took(0.0), None
    for size in axis.sizes:
        if results.has(name, size):
            continue
        likely = took.likely(size)
        if why is None and time.monotonic() - begin + likely > budget:
            why = f"it would have taken about {shown(likely, 's')}, more than the axis had left"
        at = time.monotonic()
        if why is None:
            try:
                figures, working = measured_apart(name, size, timeout=2.0 * budget)
            except NotMeasuredError as error:
                why = str(error)
        if why is not None:
            yield Point(size, cut=why)
            continue
        took = took.then(size, working, starting=time.monotonic() - at - working)
        yield Point(size, tuple(figures))


@dataclass(frozen=True)
class Took:
    """How long the sizes of an axis took so far: what is the same for all, and what the last one took by itself."""

    starting: float
    size: int = 0
    working: float = 0.0
    exponent: float = 1.0

    def then(self, size: int, working: float, starting: float) -> Took:
        """Return the same after another size."""
        if not self.size:
            return Took(starting, size, working)
        grown = math.log(working / self.working) / math.log(size / self.size)
        return Took(starting, size, working, min(max(grown, 0.0), 2.0))

    def likely(self, size: int) -> float:
        """Return the seconds that a size is likely to take, if it goes on like this; 0 before the first."""
        return self.starting + self.working * (size / self.size) ** self.exponent if self.size else 0.0


def _brief(point: Point) -> str:
    if point.cut:
        return f"not measured, {point.cut}"
    return "; ".join(f"{figure.work} {shown(figure.value, figure.unit)}" for figure in point.figures)


if __name__ == "__main__":
    main()
