"""Explaining rows beside the shap package on the same trees: time a row, and how far the values are apart.

    python -m benchmarks.explaining

The bare kernel and the package get the same encoded rows; the package works on one processor whatever there is, and the
kernel is pinned to one for the ratio. Below, whole explanations as a page or a job asks for them, on all processors.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import arguments, best_of, report
from detector import DynamicAnomalyDetector
from detector.core.explain import shap_values
from tests.shap_judge import judge


def main() -> None:
    """Measure, and print the kernel beside the package."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--judged", type=int, default=500, help="rows for the package, which takes milliseconds each")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the fastest counts")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.lognormal(size=(options.rows, options.columns)), columns=[f"c{i}" for i in range(options.columns)]
    )
    rows: list[dict[str, Any]] = []
    for bag in (256, 1_024):
        model = DynamicAnomalyDetector(n_estimators=100, max_samples=bag, random_state=0).fit(frame)
        known = model._fitted()
        forest = known.views.get(known.everything).forest
        matrix = known.aligner.align(frame).matrix
        explained = judge(forest)
        some = matrix[: options.judged]
        theirs, _ = explained(some)
        apart = float(np.abs(theirs - shap_values(forest, some)[0]).max())
        processors = _pinned()
        package = best_of(lambda e=explained, r=some: e(r), 2) / len(some)
        kernel = best_of(lambda f=forest, r=matrix: shap_values(f, r), options.runs) / len(matrix)
        alone = best_of(lambda f=forest, r=matrix: shap_values(f, r[:1]), 5 * options.runs)
        first = best_of(lambda e=explained, r=some: e(r[:1]), 5 * options.runs)
        _pinned(processors)
        rows += [
            _line(f"trees of {bag} rows, a row of many", kernel, package, apart),
            _line(f"trees of {bag} rows, a row alone", alone, first, apart),
        ]
        if bag == 256:
            notes = {
                f"{options.rows:,} rows explained in words, seconds": best_of(lambda m=model: m.explain(frame), 3),
                "the same in processor time": _processor_time(model, frame),
                "without words": best_of(lambda m=model: m.explain(frame, in_words=False), 3),
            }
    report("explaining", rows, options.out, notes=notes, peers=("shap",))


def _line(work: str, ours: float, theirs: float, apart: float) -> dict[str, Any]:
    return {
        "work": work,
        "ours, ms": 1e3 * ours,
        "shap, ms": 1e3 * theirs,
        "ours / shap": ours / theirs,
        "largest difference": apart,
    }


def _processor_time(model: DynamicAnomalyDetector, frame: pd.DataFrame) -> float:
    begin = time.process_time()
    model.explain(frame)
    return time.process_time() - begin


def _pinned(processors: set[int] | None = None) -> set[int]:
    """Keep this process to one processor, or to those given; return those that it had."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    had = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors or {min(had)})
    return had


if __name__ == "__main__":
    main()
