"""A shop's card payments: what each customer usually does, a provider's score that comes and goes, a flag respelled.

python examples/shop_fraud.py
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector import DynamicAnomalyDetector
from detector.synthetic import COLUMN_STORY, generate_week

# With an entity and a time named, each payment is also compared with what its customer usually does.
ROLES = {"customer_id": "entity", "timestamp": "time", "amount": "amount", "transaction_id": "id", "is_fraud": "label"}
CHANGED = {"new", "missing", "partly missing", "retyped", "renamed", "rescaled"}


def tell(title: str, model: DynamicAnomalyDetector, week: pd.DataFrame) -> None:
    """Score a week and print how well it went, and what was done about its columns."""
    result = model.score(week)
    frauds = week["is_fraud"] == 1
    most_severe = result.to_frame().nlargest(int(frauds.sum()), ["severity", "anomaly_score"]).index
    print(f"\n{title}")
    print(f"  flagged: {result.flagged_share:.1%} of {len(week):,} payments, where {model.contamination:.0%} was asked")
    print(
        f"  the {len(most_severe)} most severe payments hold {frauds[most_severe].sum()} of {frauds.sum()} frauds;"
        f" by chance it would be {frauds.sum() * frauds.mean():.0f}"
    )
    for column in result.report.columns:
        if column.status in CHANGED and not column.name.startswith("behaviour"):
            print(f"  {column.name}: {column.action}")


def main() -> None:
    """Train on one week, and live through the four that follow."""
    first = generate_week(1)
    model = DynamicAnomalyDetector(contamination=0.05, random_state=7, roles=ROLES).fit(first)
    print(f"Trained on {len(first):,} payments of {first['customer_id'].nunique()} customers")

    for number in (2, 3, 4, 5):
        week = generate_week(number)
        tell(f"Week {number}. {COLUMN_STORY[number]}", model, week)
        if number < 5:
            model.partial_fit(week)

    worst = week.loc[[model.score(week).to_frame()["anomaly_score"].idxmax()]]
    print(f"\nWhy payment {worst['transaction_id'].item()} is the most anomalous of week 5")
    for reason in model.explain(worst).reasons[0][:3]:
        print(f"  {reason.sentence}")


if __name__ == "__main__":
    main()
