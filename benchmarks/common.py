"""What the benchmarks share: data sets, timing, and tables as Markdown and JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("numpy", "numba", "scikit-learn", "pandas")


@dataclass(frozen=True)
class Split:
    """A labelled data set, split into 70 % training and 30 % test rows."""

    name: str
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    truth: NDArray[np.int64]


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, help="folder for the table as Markdown and JSON")
    return parser


def need_folder(folder: Path | None, holds: str) -> Path:
    """Return the folder, or end with a sentence that says what belongs there."""
    if folder is None or not folder.is_dir():
        sys.exit(f"This benchmark needs a folder with {holds}; name it with --data. It is not part of the project.")
    return folder


def splits(folder: Path, seeds: int, most: int) -> Iterator[tuple[int, Split]]:
    """Yield every ``*.npz`` (X, y) of a folder under each seed, at most ``most`` rows of it."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        sys.exit(f"There is no .npz file in {folder.name!r}.")
    for file in files:
        with np.load(file) as data:
            X, y = np.asarray(data["X"], np.float64), np.asarray(data["y"], np.int64)
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(X))[:most]
            cut = int(0.7 * len(order))
            train, test = order[:cut], order[cut:]
            if 0 < y[test].sum() < len(test):
                yield seed, Split(file.stem, X[train], X[test], y[test])


def best_of(work: Callable[[], Any], runs: int) -> float:
    """Return the least of ``runs`` wall times in seconds; the least is what the machine's noise spoils least."""
    found = float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - begin)
    return found


def report(
    name: str, rows: list[dict[str, Any]], out: Path | None, *, notes: dict[str, Any], peers: tuple[str, ...] = ()
) -> None:
    """Print the table as Markdown, and keep it with the machine and the versions when a folder is given."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_shown(row[key]) for key in head) + " |" for row in rows]
    machine = {"processors": len_affinity(), "python": platform.python_version()}
    machine |= {package: version(package) for package in PACKAGES + peers}
    text = "\n".join(lines) + "\n\n" + "\n".join(f"- {key}: {_shown(value)}" for key, value in notes.items())
    print(f"## {name}\n\n{text}\n\n{machine}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.md").write_text(f"{text}\n")
        (out / f"{name}.json").write_text(json.dumps({"rows": rows, "notes": notes, "machine": machine}, indent=1))


def len_affinity() -> int:
    """Return how many processors this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
