"""The shap package over our trees: the judge of our own SHAP values."""

from __future__ import annotations

from typing import Any

import numpy as np
import shap

from detector.core.forest import Forest


def shap_values(forest: Forest, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the package's SHAP values (n, d) of rows without holes, of the negative mean path, and what it expects."""
    return judge(forest)(rows)


def judge(forest: Forest) -> Any:
    """Return a function that explains rows; what the package needs once for a forest is done here."""
    explainer = shap.TreeExplainer({"trees": _trees(forest), "tree_output": "raw_value"})

    def explained(rows: np.ndarray) -> tuple[np.ndarray, float]:
        # The package has its own idea of infinity: any number below the threshold for "absent" goes the same way.
        given = np.where(np.isneginf(rows), -3.3e38, np.nan_to_num(rows, nan=0.0)).astype(np.float64)
        found = np.asarray(explainer.shap_values(given, check_additivity=False), np.float64).reshape(rows.shape)
        return found, float(np.asarray(explainer.expected_value).ravel()[0])

    return explained


def _trees(forest: Forest) -> list[dict[str, Any]]:
    """Return the trees as the package takes them: branches that end early end early, and values are negative paths."""
    trees = []
    for t in range(len(forest.leaf)):
        nodes: list[dict[str, Any]] = []
        _add(forest, t, 0, nodes)
        tree = {name: np.array([node[name] for node in nodes]) for name in nodes[0]}
        trees.append(
            {
                "children_left": tree["left"].astype(np.int32),
                "children_right": tree["right"].astype(np.int32),
                "children_default": tree["left"].astype(np.int32),
                "features": tree["column"].astype(np.int32),
                "thresholds": tree["threshold"].astype(np.float64),
                "values": tree["value"].astype(np.float64).reshape(-1, 1),
                "node_sample_weight": tree["weight"].astype(np.float64),
            }
        )
    return trees


def _add(forest: Forest, t: int, node: int, nodes: list[dict[str, Any]]) -> tuple[int, float]:
    """Add a node and all below it; return its number and its expected value."""
    inner = forest.split_column.shape[1]
    number = len(nodes)
    own = {"left": -1, "right": -1, "column": -2, "threshold": 0.0, "value": 0.0, "weight": forest.count[t, node]}
    nodes.append(own)
    if node < inner and not np.isposinf(forest.threshold[t, node]):
        own["column"], own["threshold"] = int(forest.split_column[t, node]), float(forest.threshold[t, node])
        own["left"], left = _add(forest, t, 2 * node + 1, nodes)
        own["right"], right = _add(forest, t, 2 * node + 2, nodes)
        share = forest.count[t, 2 * node + 2] / forest.count[t, node]
        own["value"] = (1.0 - share) * left + share * right
    else:
        first = node
        while first < inner:
            first = 2 * first + 1
        own["value"] = -float(forest.leaf[t, first - inner]) / len(forest.leaf)
    return number, own["value"]
