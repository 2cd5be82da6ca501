"""The detector in Python: train on ten features, then meet the same, five more, and fewer; update; explain; save.

python examples/python_walkthrough.py
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector import DynamicAnomalyDetector
from detector.synthetic import generate_week

ROLES = {"transaction_id": "id", "is_fraud": "label"}


def with_five_more(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that a new provider might deliver."""
    random = np.random.default_rng(0)
    risky = rows["is_fraud"] == 1
    return rows.assign(
        device_age_days=np.where(risky, random.integers(0, 5, len(rows)), random.integers(20, 900, len(rows))),
        failed_logins=random.poisson(np.where(risky, 2.5, 0.1)),
        basket_items=random.integers(1, 12, len(rows)),
        newsletter=random.random(len(rows)) < 0.4,
        browser=random.choice(["firefox", "chrome", "safari"], len(rows)),
    )


def tell(title: str, model: DynamicAnomalyDetector, rows: pd.DataFrame) -> None:
    """Score rows and print what came out, and what was done about the columns."""
    result = model.score(rows)
    flagged = result.labels == -1
    frauds = rows["is_fraud"] == 1
    print(f"\n{title}")
    print(f"  {flagged.mean():.1%} of the rows flagged; {(flagged & frauds).sum()} of {frauds.sum()} frauds caught")
    for column in result.report.columns:
        if column.status in {"new", "missing", "retyped", "renamed", "rescaled"}:
            print(f"  {column.name}: {column.status}. {column.action}")


def main() -> None:
    """Walk through it."""
    first = generate_week(1)
    later = generate_week(2)[list(first.columns)]

    model = DynamicAnomalyDetector(contamination=0.05, random_state=7, roles=ROLES)
    model.fit(first)
    print(f"Trained on {len(first):,} rows; knows {', '.join(model.known_features)}")

    labels, scores = model.predict(later, return_scores=True)
    print(
        f"predict: {int((labels == -1).sum())} of {len(labels):,} rows are anomalies; highest score {scores.max():.3f}"
    )

    tell("The same ten features", model, later)
    tell("Five more features", model, with_five_more(later))
    tell("Three features missing", model, later.drop(columns=["country", "entry_mode", "transactions_24h"]))

    model.partial_fit(with_five_more(later))
    third = generate_week(3)[list(first.columns)]
    tell("Five more features, after an update that learned them", model, with_five_more(third))

    suspicious = with_five_more(third)
    suspicious = suspicious.iloc[[int(model.score(suspicious).scores.argmax())]]
    print("\nWhy the most anomalous row is one")
    for reason in model.explain(suspicious).reasons[0][:3]:
        print(f"  {reason.sentence}")

    one = model.score({"amount": 4900.0, "country": "AU", "entry_mode": "keyed", "device_age_days": 1})
    print(f"\nOne row as a dictionary: severity {one.severities[0]:.1f}, missing {', '.join(one.report.missing)}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "anomaly_detector.joblib"
        model.save(path)
        again = DynamicAnomalyDetector().load(path)
        same = bool((again.score(third).scores == model.score(third).scores).all())
        print(f"\nSaved ({path.stat().st_size / 1e6:.1f} MB) and loaded; the same scores: {same}")


if __name__ == "__main__":
    main()
