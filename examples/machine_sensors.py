"""A pump's sensors: one dies, one drifts, one changes its unit, and the pump still leaks now and then.

python examples/machine_sensors.py
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector import DynamicAnomalyDetector
from detector.synthetic import MACHINE_STORY, generate_machine_day

CHANGED = {"new", "missing", "partly missing", "retyped", "renamed", "rescaled"}


def tell(title: str, model: DynamicAnomalyDetector, day: pd.DataFrame) -> None:
    """Score a day and print how well it went, and what was done about its columns."""
    result = model.score(day)
    faults = day["fault"] != "none"
    most_severe = result.to_frame().nlargest(int(faults.sum()), ["severity", "anomaly_score"]).index
    print(f"\n{title}")
    print(f"  flagged: {result.flagged_share:.1%} of {len(day):,} minutes, where {model.contamination:.0%} was asked")
    print(
        f"  the {len(most_severe)} most severe minutes hold {faults[most_severe].sum()} of {faults.sum()} with a fault;"
        f" by chance it would be {faults.sum() * faults.mean():.0f}"
    )
    for column in result.report.columns:
        if column.status in CHANGED:
            print(f"  {column.name}: {column.action}")


def main() -> None:
    """Train on a good day, live through three, and let the detector get used to a drift."""
    first = generate_machine_day(1)
    # A sensor ages: after a day, what was learned counts half.
    model = DynamicAnomalyDetector(contamination=0.05, random_state=7, roles={"fault": "label"}, half_life="1d")
    model.fit(first)
    print(f"Trained on {len(first):,} minutes; knows {', '.join(model.known_features)}")

    for number in (2, 3, 4):
        day = generate_machine_day(number)
        tell(f"Day {number}. {MACHINE_STORY[number]}", model, day)
        if number < 4:
            model.partial_fit(day)

    evening = day[(day["time"] >= "2026-03-05T18") & (day["fault"] == "none")]
    low, high = (evening["oil_c"].min(), evening["oil_c"].max())
    print(f"\nThe drift: on the last evening oil_c lies between {low} and {high}")
    print(f"  before an update with that day: {why_last(model, evening)}")
    print(f"  after it: {why_last(model.partial_fit(day), evening)}")


def why_last(model: DynamicAnomalyDetector, rows: pd.DataFrame) -> str:
    """Return the strongest reason of the last row; read beside the others, since a unit shows in many rows only."""
    return model.explain(rows).reasons[-1][0].sentence


if __name__ == "__main__":
    main()
