"""An office's network connections as a stream: port scans, data carried out, and a column that comes midway.

python examples/network_connections.py
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector import DynamicAnomalyDetector, ScoreResult
from detector.synthetic import NETWORK_STORY, generate_network_day

# With the host named as the entity, a connection is also compared with how often this host connects and what it sends.
ROLES = {"host": "entity", "time": "time", "bytes_sent": "amount", "attack": "label"}
CHANGED = {"new", "missing", "partly missing", "retyped", "renamed", "rescaled"}


def tell(title: str, result: ScoreResult, day: pd.DataFrame) -> None:
    """Print how well a day went, and what was done about its columns."""
    attacks = day["attack"] != "none"
    most_severe = result.to_frame().nlargest(int(attacks.sum()), ["severity", "anomaly_score"]).index
    print(f"\n{title}")
    asked = 1 - result.cutoff / 100
    print(f"  flagged: {result.flagged_share:.1%} of {len(day):,} connections, where {asked:.0%} was asked")
    print(
        f"  the {len(most_severe)} most severe hold {attacks[most_severe].sum()} of {attacks.sum()} attacks;"
        f" by chance it would be {attacks.sum() * attacks.mean():.0f}"
    )
    for kind in ("port scan", "exfiltration"):
        flagged = result.labels[day["attack"] == kind] == -1
        print(f"  {kind}: {flagged.sum()} of {len(flagged)} connections flagged")
    for column in result.report.columns:
        if column.status in CHANGED and not column.name.startswith("behaviour"):
            print(f"  {column.name}: {column.action}")


def main() -> None:
    """Train on a day without attacks; then score each chunk of a hundred connections, and learn it."""
    first = generate_network_day(1)
    model = DynamicAnomalyDetector(contamination=0.05, random_state=7, roles=ROLES).fit(first)
    print(f"Trained on {len(first):,} connections; knows {', '.join(model.known_features)}")

    for number in (2, 3, 4):
        day = generate_network_day(number)
        result = model.stream(day)
        tell(f"Day {number}. {NETWORK_STORY[number]}", result, day)

    carried = day[(day["attack"] == "exfiltration") & (result.labels == -1)]
    worst = carried.loc[[model.score(carried).to_frame()["anomaly_score"].idxmax()]]
    print(f"\nWhy an upload by {worst['host'].item()} is an anomaly")
    for reason in model.explain(worst).reasons[0][:3]:
        print(f"  {reason.sentence}")


if __name__ == "__main__":
    main()
