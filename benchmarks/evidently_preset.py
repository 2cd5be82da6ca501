"""What Evidently's DataDriftPreset says of pairs of Parquet files; run by benchmarks.drift_agreement, with Evidently's
own interpreter, since its pandas and plotly are older than ours.

    python evidently_preset.py PAIRS.json ANSWERS.json
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def answers(pair: dict) -> dict:
    """Return, for each column, the method, its figure, the threshold and whether the preset calls it drifted."""
    before, now = pd.read_parquet(pair["before"]), pd.read_parquet(pair["now"])
    definition = DataDefinition(numerical_columns=pair["numbers"], categorical_columns=pair["categories"])
    run = Report([DataDriftPreset()]).run(
        Dataset.from_pandas(now, data_definition=definition), Dataset.from_pandas(before, data_definition=definition)
    )
    found = {}
    for metric in run.dict()["metrics"]:
        told = metric["config"]
        if not told["type"].endswith("ValueDrift"):
            continue
        method, threshold, value = str(told["method"]), float(told["threshold"]), float(metric["value"])
        # Tests alarm below their level, distances above their limit.
        drifted = value < threshold if "p_value" in method else value >= threshold
        found[told["column"]] = {"method": method, "value": value, "threshold": threshold, "drifted": drifted}
    return found


def main() -> None:
    """Answer all pairs."""
    warnings.filterwarnings("ignore")
    pairs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([answers(pair) for pair in pairs]))


if __name__ == "__main__":
    main()
