"""Detection on bare numbers: ours beside isolation forests and other detectors, without labels or tuning.

The plain protocol of ADBench (Han et al., NeurIPS 2022): 70 % of the rows train, anomalies among them, and 30 % are
scored. Every detector gets the same numbers and keeps one setting for all sets:

    python -m benchmarks.detection --data FOLDER_OF_NPZ_FILES

With ``--ablation`` ours is measured with one choice taken away at a time instead. The choices are no options of the
detector; this file replaces them from outside, and compiles the growing of trees again where a cut is chosen otherwise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import coniferest.isoforest
import isotree
import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.inne import INNE
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.common import Split, arguments, need_folder, report, splits
from detector import DynamicAnomalyDetector
from detector.core import encoding, fitted, kernels, sample
from detector.core.kernels import growing

TREES, SAMPLES = 100, 256
#: A difference on one set that is smaller counts for neither.
EVEN = 0.002
OURS = "ours"

Matrix = NDArray[np.float64]
Scores = NDArray[np.float64]
Detector = Callable[[Matrix, Matrix, int], Scores]


def ours(train: Matrix, test: Matrix, seed: int, trees: int = TREES) -> Scores:
    """Return the anomaly scores of the test rows; that the columns are numbers to be scored is said."""
    names = [f"c{i}" for i in range(train.shape[1])]
    model = DynamicAnomalyDetector(n_estimators=trees, random_state=seed, roles=dict.fromkeys(names, "input"))
    return model.fit(pd.DataFrame(train, columns=names)).score(pd.DataFrame(test, columns=names)).scores


def sklearn(train: Matrix, test: Matrix, seed: int) -> Scores:
    """Return the scores of scikit-learn's isolation forest, turned so that high is anomalous."""
    return np.asarray(-IsolationForest(n_estimators=TREES, random_state=seed).fit(train).score_samples(test))


def conifers(train: Matrix, test: Matrix, seed: int) -> Scores:
    """Return the scores of coniferest's isolation forest, turned so that high is anomalous."""
    samples = min(SAMPLES, len(train))
    model = coniferest.isoforest.IsolationForest(n_trees=TREES, n_subsamples=samples, random_seed=seed, n_jobs=1)
    return np.asarray(-model.fit(train).score_samples(test))


def isotrees(train: Matrix, test: Matrix, seed: int, **options: Any) -> Scores:
    """Return the scores of an isotree forest."""
    model = isotree.IsolationForest(
        ntrees=TREES, sample_size=min(SAMPLES, len(train)), missing_action="fail", nthreads=1, random_seed=seed,
        **options,
    )  # fmt: skip
    return np.asarray(model.fit(train).predict(test))


def pyod(model: Any, train: Matrix, test: Matrix, seed: int) -> Scores:
    """Return the scores of one of PyOD's detectors with its own defaults."""
    seeded = {"random_state": seed} if model is INNE else {}
    return np.asarray(model(**seeded).fit(train).decision_function(test))


DETECTORS: dict[str, Detector] = {
    OURS: ours,
    "scikit-learn": sklearn,
    "isotree": partial(isotrees, ndim=1),
    "isotree, half pooled gain": partial(isotrees, ndim=1, prob_pick_pooled_gain=0.5),
    "isotree, extended (ndim 2)": partial(isotrees, ndim=2),
    "isotree, fair-cut (ndim 2, pooled gain)": partial(isotrees, ndim=2, prob_pick_pooled_gain=1.0, ntry=1),
    "coniferest": conifers,
    "PyOD INNE": partial(pyod, INNE),
    "PyOD ECOD": partial(pyod, ECOD),
    "PyOD HBOS": partial(pyod, HBOS),
}


@contextmanager
def cuts(number: int, *, pooled: bool = False) -> Iterator[None]:
    """Grow trees with so many cuts drawn at a node; ``pooled`` weighs the two sides by their rows, not the root."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(growing, "CUTS", number))
        if pooled:
            stack.enter_context(patch.object(growing, "_looseness", _pooled_gain))
        # Compiled anew and not kept: a constant is read when a function is compiled.
        again = numba.njit(nogil=True, boundscheck=False)
        source: Any = growing
        stack.enter_context(patch.object(growing, "_grow_tree", again(source._grow_tree.py_func)))
        stack.enter_context(patch.object(kernels, "grow_trees", again(source.grow_trees.py_func)))
        yield


@numba.njit(inline="always")
def _pooled_gain(values: Any, steps: Any, squares: Any, rows: Any, cut: Any, total: Any, total_squares: Any) -> Any:
    n, s, q = 0, 0, 0
    for i in range(rows):
        if values[i] <= cut:
            n += 1
            s += steps[i]
            q += squares[i]
    m = rows - n
    below = math.sqrt(max(n * np.float64(q) - np.float64(s) * s, 0.0))
    above = math.sqrt(max(m * np.float64(total_squares - q) - np.float64(total - s) * (total - s), 0.0))
    return (below + above) / rows


def evenly() -> Any:
    """Ask all columns alike."""
    return patch.object(sample, "tail_weights", lambda rows: np.ones(rows.shape[1]))


def only_values() -> Any:
    """See skewed amounts as they are."""
    return patch.object(encoding, "is_skewed", lambda _values: False)


@contextmanager
def only_logarithms() -> Iterator[None]:
    """See skewed amounts as their logarithm."""
    usual = encoding.parts_for

    def parts_for(*given: Any) -> Any:
        parts, center, spread = usual(*given)
        return (("log value",) if "log value" in parts else parts), center, spread

    with patch.object(fitted, "parts_for", parts_for):
        yield


#: What each row of the ablation replaces.
WITHOUT: dict[str, tuple[Callable[[], Any], ...]] = {
    "as it is": (),
    "1 cut drawn at a node, not 4": (partial(cuts, 1),),
    "16 cuts drawn at a node": (partial(cuts, 16),),
    "sides of a cut weighted by rows (pooled gain)": (partial(cuts, growing.CUTS, pooled=True),),
    "columns asked alike, not by tails": (evenly,),
    "skewed amounts as values only": (only_values,),
    "skewed amounts as logarithms only": (only_logarithms,),
    "1 cut, columns alike, values only": (partial(cuts, 1), evenly, only_values),
}


def measure(split: Split, seed: int, detectors: dict[str, Detector]) -> list[dict[str, Any]]:
    """Return AUROC and average precision of each detector on one split."""
    found = []
    for name, detect in detectors.items():
        scores = detect(split.train, split.test, seed)
        found.append({
            "set": split.name, "seed": seed, "model": name,
            "AUROC": float(roc_auc_score(split.truth, scores)),
            "AP": float(average_precision_score(split.truth, scores)),
        })  # fmt: skip
    return found


def summary(found: pd.DataFrame, first: str) -> list[dict[str, Any]]:
    """Return a row for each model: its means, and on how many sets the ``first`` one is ahead of it or behind."""
    sets = found.groupby(["model", "set"], sort=False)[["AUROC", "AP"]].mean()
    seeds = found.groupby(["model", "seed"], sort=False)["AUROC"].mean()
    rows = []
    for name in found["model"].unique():
        own, ahead = sets.loc[name], sets.loc[first] - sets.loc[name]
        by_seed = seeds.loc[first] - seeds.loc[name]
        rows.append({
            "model": name, "AUROC": _shown(own["AUROC"].mean()), "AP": _shown(own["AP"].mean()),
            "geometric mean of AP": _shown(float(np.exp(np.log(own["AP"]).mean()))),
            "AUROC, first row's lead": "" if name == first else f"{ahead['AUROC'].mean():+.4f}",
            "standard error over seeds": "" if name == first else _shown(by_seed.std() / math.sqrt(len(by_seed))),
            "sets ahead / behind, AUROC": "" if name == first else _counted(ahead["AUROC"]),
            "sets ahead / behind, AP": "" if name == first else _counted(ahead["AP"]),
        })  # fmt: skip
    return rows


def _shown(value: float) -> str:
    return f"{value:.4f}"


def _counted(ahead: pd.Series) -> str:
    return f"{int((ahead > EVEN).sum())} / {int((ahead < -EVEN).sum())}"


def ablation(folder: Path, seeds: int, rows: int) -> pd.DataFrame:
    """Return what :func:`measure` finds for ours with each choice taken away, and with more trees."""
    found: list[dict[str, Any]] = []
    for name, replaced in WITHOUT.items():
        with ExitStack() as stack:
            for replacement in replaced:
                stack.enter_context(replacement())
            for seed, split in splits(folder, seeds, rows):
                found += measure(split, seed, {name: ours})
    for seed, split in splits(folder, seeds, rows):
        found += measure(split, seed, {"300 trees, not 100": partial(ours, trees=300)})
    return pd.DataFrame(found)


def main() -> None:
    """Measure every set, and print means over sets and seeds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--ablation", action="store_true", help="ours without one choice at a time, and no peers")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    warnings.filterwarnings("ignore")  # what peers say of constant columns, and their own old calls
    if options.ablation:
        name, found = "detection-ablation", ablation(folder, options.seeds, options.rows)
    else:
        measured = [measure(split, seed, DETECTORS) for seed, split in splits(folder, options.seeds, options.rows)]
        name, found = "detection", pd.DataFrame([row for rows in measured for row in rows])
    notes = {
        "sets": int(found["set"].nunique()), "seeds": options.seeds, "rows of a set, at most": options.rows,
        "ahead and behind": f"by more than {EVEN}",
    }  # fmt: skip
    peers = ("isotree", "coniferest", "pyod")
    report(name, summary(found, str(found["model"].iloc[0])), options.out, notes=notes, peers=peers)
    for told in ("AUROC", "AP"):
        table = found.pivot_table(index="set", columns="model", values=told, sort=False).reset_index()
        by_set = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
        report(f"{name}-sets-{told}", by_set, options.out, notes={}, peers=peers)


if __name__ == "__main__":
    main()
