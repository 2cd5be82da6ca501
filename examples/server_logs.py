"""A cluster's log lines: a burst of errors, templates nobody has seen, and a log shipper with other columns.

python examples/server_logs.py
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector import DynamicAnomalyDetector
from detector.synthetic import LOG_STORY, generate_log_day

# With a node named as the entity, a line is also compared with how often this node usually writes.
ROLES = {"node": "entity", "time": "time", "incident": "label"}
CHANGED = {"new", "missing", "partly missing", "retyped", "renamed", "rescaled"}


def tell(title: str, model: DynamicAnomalyDetector, day: pd.DataFrame) -> None:
    """Score a day and print how well it went, by kind of incident, and what was done about its columns."""
    result = model.score(day)
    incidents = day["incident"] != "none"
    most_severe = result.to_frame().nlargest(int(incidents.sum()), ["severity", "anomaly_score"]).index
    print(f"\n{title}")
    print(f"  flagged: {result.flagged_share:.1%} of {len(day):,} lines, where {model.contamination:.0%} was asked")
    print(
        f"  the {len(most_severe)} most severe lines hold {incidents[most_severe].sum()} of {incidents.sum()} lines"
        f" of an incident; by chance it would be {incidents.sum() * incidents.mean():.0f}"
    )
    for kind in ("burst", "new template"):
        flagged = result.labels[day["incident"] == kind] == -1
        print(f"  {kind}: {flagged.sum()} of {len(flagged)} lines flagged")
    for name, lines in result.report.unseen.items():
        print(f"  {name}: {lines} lines hold a value never seen in training")
    for column in result.report.columns:
        if column.status in CHANGED and not column.name.startswith("behaviour"):
            print(f"  {column.name}: {column.action}")


def main() -> None:
    """Train on a quiet day, and read two that are not."""
    first = generate_log_day(1)
    model = DynamicAnomalyDetector(contamination=0.05, random_state=7, roles=ROLES).fit(first)
    nodes, templates = first["node"].nunique(), first["template"].nunique()
    print(f"Trained on {len(first):,} lines of {nodes} nodes, with {templates} templates")

    second, third = generate_log_day(2), generate_log_day(3)
    tell(f"Day 2. {LOG_STORY[2]}", model, second)

    new = second[second["incident"] == "new template"]
    strange = new.loc[[model.score(new).to_frame()["anomaly_score"].idxmax()]]
    print(f"\nWhy one line has a severity of {model.score(strange).severities[0]:.1f}: {strange['template'].item()!r}")
    for reason in model.explain(strange).reasons[0][:4]:
        print(f"  {reason.sentence}")

    tell(f"Day 3. {LOG_STORY[3]}", model, third)

    model.partial_fit(third)
    learned = [name for name in model.known_features if not name.startswith("node:")]
    print(f"\nAfter an update with day 3 it knows {', '.join(learned)}, and what each node usually does")


if __name__ == "__main__":
    main()
