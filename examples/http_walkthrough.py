"""The API from plain Python: train on ten features, then send the same, five more, and fewer; update; explain.

python examples/http_walkthrough.py [http://127.0.0.1:8000]

`make run` or `python -m detector serve` starts the API. Training here makes a new version and makes it champion.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector.synthetic import generate_week

FIVE_MORE = {"device_age_days": 1, "failed_logins": 3, "basket_items": 2, "newsletter": False, "browser": "firefox"}


def call(address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request, a POST when there is a body, and return the answer; an error's own words end the program."""
    request = urllib.request.Request(
        address + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path} was answered with {error.code}: {error.read().decode()}") from error
    except urllib.error.URLError as error:
        raise SystemExit(f"Nothing answers at {address}; start it with `make run`. ({error.reason})") from error


def rows_of(week: int, count: int) -> list[dict[str, Any]]:
    """Return the first rows of a week with its first ten features, as a program would have them."""
    features = [name for name in generate_week(1).columns if name not in {"transaction_id", "is_fraud"}]
    return list(json.loads(generate_week(week)[features].head(count).to_json(orient="records")))


def main(address: str = "http://127.0.0.1:8000") -> None:
    """Walk through it."""
    print(call(address, "/")["message"], call(address, "/health"))

    trained = call(address, "/train?contamination=0.05", {"transactions": rows_of(1, 1500)})
    print(f"\nTrained on {trained['num_samples']} rows; knows {', '.join(trained['features'])}")

    row = rows_of(2, 1)[0]
    print("\nThe same ten features")
    print(" ", call(address, "/predict", {"data": row}))

    print("\nFive more features")
    print(" ", call(address, "/predict", {"data": row | FIVE_MORE}))

    print("\nThree features missing, and reasons asked for")
    few = {name: value for name, value in row.items() if name not in {"country", "entry_mode", "transactions_24h"}}
    print(" ", call(address, "/predict?explain=true", {"data": few | {"amount": 4900.0}}))

    week = rows_of(2, 500)
    batch = call(address, "/predict/batch", {"transactions": week})
    print(f"\nA batch: {batch['anomalies_detected']} of {batch['total_transactions']} rows are anomalies")

    varied = [row | FIVE_MORE | {"device_age_days": 37 * i % 400, "basket_items": i % 9} for i, row in enumerate(week)]
    updated = call(address, "/update", {"transactions": varied})
    print(f"\nUpdated with {updated['num_new_samples']} rows: {updated['total_features']} features are known now")

    info = call(address, "/model/info")
    print(
        f"\nThe model: version {info['model_version']}, {info['n_estimators']} trees, {info['num_features']} features"
    )


if __name__ == "__main__":
    main(*sys.argv[1:2])
