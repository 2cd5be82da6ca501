"""What a small update changes, and that it touches as much after a long history as after a short one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.core.model import DynamicAnomalyDetector
from detector.core.sample import CALIBRATION_ROWS
from tests import tables


def top(model: DynamicAnomalyDetector, rows: pd.DataFrame, most: int = 100) -> set[int]:
    return set(np.argsort(-model.score(rows).scores, kind="stable")[:most].tolist())


def test_one_percent_new_rows_of_the_same_kind_change_few_of_the_top_hundred() -> None:
    fixed = tables.payments(3_000, seed=9)
    replaced = []
    for seed in range(3):
        model = DynamicAnomalyDetector(random_state=seed).fit(tables.payments(5_000, seed=seed))
        more = tables.payments(50, seed=100 + seed)
        streamed = model.updated(more.iloc[:10])
        streamed.stream(more.iloc[10:])
        ranked = top(model, fixed)
        replaced += [len(ranked - top(model.updated(more), fixed)), len(ranked - top(streamed, fixed))]
    assert np.mean(replaced) <= 5.0


def touched(model: DynamicAnomalyDetector, batch: pd.DataFrame) -> dict[str, int]:
    """Count what an update with these rows touches."""
    seen = model.rows_seen
    after = model.updated(batch)
    before, sample = model._state.sample, after._state.sample
    views = after._state.views
    return {
        "slots": int((sample.numbers[sample.bags] >= seen).sum()),
        "trees": sum(
            set(old) != set(new)
            for old, new in zip(before.numbers[before.bags].tolist(), sample.numbers[sample.bags].tolist(), strict=True)
        ),
        "calibration": len(views.get(after._state.everything).calibration_rows()),
        "rows": len(sample.rows),
        "sketches": sum(len(item.digest.values) for item in after.statistics_.values()),
    }


def test_an_update_touches_no_more_after_ten_million_rows_than_after_ten_thousand() -> None:
    generator = np.random.default_rng(0)

    def rows(n: int) -> pd.DataFrame:
        return pd.DataFrame(generator.normal(size=(n, 2)), columns=["a", "b"])

    model = DynamicAnomalyDetector(n_estimators=50, half_life=5_000.0).fit(rows(10_000))
    early = touched(model, rows(500))
    for _ in range(20):
        model.partial_fit(rows(500_000))
    late = touched(model, rows(500))
    assert model.rows_seen == 10_010_000
    # Rows fade among each other: 10,000 count as 5,410, and any number as at most 7,214; 500 new ones as 483.
    # A tree whose turn it is takes 128 of them.
    for counted, expected in ((early, 50 * 256 * 483 / (483 + 5_048)), (late, 50 * 256 * 483 / 7_214)):
        assert abs(counted["slots"] - expected) <= 128
        assert counted["slots"] == 128 * counted["trees"]
    assert max(early["calibration"], late["calibration"]) <= CALIBRATION_ROWS
    assert late["rows"] <= 50 * 256 + CALIBRATION_ROWS
    assert late["sketches"] <= 1.1 * early["sketches"]
