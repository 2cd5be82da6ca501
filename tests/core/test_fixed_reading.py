"""Columns that are read as was decided once: a row's scores are then its own, however the table is cut."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import DynamicAnomalyDetector, NoKnownColumnsError
from detector.core.fixed_reading import FixedReading, compared, decided, events_of, remembered
from detector.core.forest import Floats, score_from_path
from detector.core.scoring import paths_of
from tests.tables import drifted, payments

MODEL = DynamicAnomalyDetector(n_estimators=20, random_state=0).fit(payments(1_000))
RNG = np.random.default_rng(3)


def changed(n: int = 300) -> pd.DataFrame:
    """Rows of which much has changed, the spelling of a flag among it."""
    frame = drifted(payments(n, seed=9))
    return frame.assign(member=frame["member"].map({True: "yes", False: "no"}))


def arrays(frame: pd.DataFrame) -> dict[str, Any]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {name: table[name] for name in table.column_names}


def scored(reading: FixedReading, columns: dict[str, Any], model: DynamicAnomalyDetector = MODEL) -> Floats:
    known = model._fitted()
    paths, severities, _, _ = paths_of(known, reading.aligned(known, columns).aligned)
    return np.stack([score_from_path(paths), severities], axis=1)


def locally(frame: pd.DataFrame, model: DynamicAnomalyDetector = MODEL) -> Floats:
    result = model.score(frame)
    return np.stack([result.scores, result.severities], axis=1)


@given(st.lists(st.integers(1, 299), max_size=5, unique=True))
def test_scores_equal_those_of_the_whole_table_however_it_is_cut(cuts: list[int]) -> None:
    frame = changed()
    reading = decided(MODEL._fitted(), frame, frame.columns)
    edges = [0, *sorted(cuts), 300]
    pieces = [scored(reading, arrays(frame.iloc[a:b])) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(pieces), locally(frame))


def test_the_look_tells_what_changed() -> None:
    frame = changed()
    report = decided(MODEL._fitted(), frame, frame.columns).report
    assert report is not None
    assert report.missing == ("distance",)
    assert report.renamed == ("device_age",)
    assert report.rescaled == ("balance",)
    assert report.new == ("colour",)


def test_each_row_tells_what_it_was_scored_without() -> None:
    frame = changed()
    known = MODEL._fitted()
    rows = decided(known, frame, frame.columns).aligned(known, arrays(frame))
    place = {feature.name: number for number, feature in enumerate(known.schema.learned)}
    assert rows.without[:, place["distance"]].all()
    np.testing.assert_array_equal(rows.without[:, place["channel"]], frame["channel"].isna())
    np.testing.assert_array_equal(rows.unseen[:, place["country"]], frame["country"] == "PT")
    assert np.flatnonzero(rows.unreadable[:, place["tries"]]).tolist() == [5]


def test_rows_that_nobody_looked_at_are_read_as_single_records_are() -> None:
    frame = payments(60, seed=4)
    frame["tries"] = frame["tries"].astype(str)
    frame.loc[3, "tries"] = "many"
    known = MODEL._fitted()
    found = scored(remembered(known, frame.columns), arrays(frame))
    for row, record in enumerate(frame.to_dict("records")):
        result = MODEL.score(record)
        assert found[row].tolist() == [result.scores[0], result.severities[0]]


def test_a_flag_is_read_in_each_spelling_where_nobody_looked() -> None:
    frame = payments(400).assign(insured=RNG.integers(0, 2, 400).astype(float))
    model = DynamicAnomalyDetector(n_estimators=10, random_state=0).fit(frame)
    came = frame.iloc[:3].assign(insured=["yes", "0", "perhaps"])
    known = model._fitted()
    rows = remembered(known, came.columns).aligned(known, arrays(came))
    place = known.schema.by_name["insured"].first_column
    expected = model._fitted().align(frame.iloc[:2].assign(insured=[1.0, 0.0])).matrix[:, place]
    np.testing.assert_array_equal(rows.aligned.matrix[:2, place], expected)
    assert rows.unreadable.any(axis=1).tolist() == [False, False, True]


def test_rows_without_a_known_column_are_refused() -> None:
    with pytest.raises(NoKnownColumnsError):
        remembered(MODEL._fitted(), ["colour"])
    with pytest.raises(NoKnownColumnsError):
        decided(MODEL._fitted(), pd.DataFrame({"colour": ["red"] * 30}), ["colour"])


def cards(n: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "card": rng.integers(1, 30, n),
            "when": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(rng.random(n)) * 40, unit="D").round("s"),
            "amount": rng.lognormal(3.0, 1.0, n).round(2),
            "merchant": rng.choice([f"m{i}" for i in range(20)], n),
        }
    )


def test_each_row_is_compared_with_what_is_known_of_its_entity_and_with_no_other_row() -> None:
    roles = {"card": "entity", "when": "time", "amount": "amount"}
    model = DynamicAnomalyDetector(n_estimators=10, random_state=0, roles=roles).fit(cards())
    frame = cards(80, seed=1)
    frame["when"] += pd.Timedelta(days=41)
    frame.loc[4, "card"] = 9_999
    known = model._fitted()
    assert known.behaviour is not None
    (plan,), (histories,) = known.behaviour.plans, known.behaviour.histories
    reading = remembered(known, frame.columns)
    columns = arrays(frame)
    source = reading.in_known_terms(known, columns)
    events = events_of(plan, source)
    assert events is not None
    columns |= compared(plan, events, histories.looked_up(events), source)
    alone = np.concatenate([locally(frame.iloc[[row]], model) for row in range(80)])
    np.testing.assert_array_equal(scored(reading, columns, model), alone)


WITHOUT_PANDAS = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
import pyarrow.ipc as ipc
from detector import DynamicAnomalyDetector
from detector.core.fixed_reading import compared, events_of, remembered
from detector.core.histories import EntityHistories
from detector.core.row_sample import RowSample, priorities_by_key
from detector.core.scoring import paths_of
from detector.core.table_summary import TableSummary

table = ipc.open_stream(sys.argv[2]).read_all()
known = DynamicAnomalyDetector().load(sys.argv[1])._fitted()
columns = {name: table[name] for name in table.column_names}
reading = remembered(known, columns)
(plan,), (histories,) = known.behaviour.plans, known.behaviour.histories
source = reading.in_known_terms(known, columns)
events = events_of(plan, source)
columns |= compared(plan, events, histories.looked_up(events), source)
compared(plan, events, histories.followed(events, EntityHistories(histories.columns)), source)
print(paths_of(known, reading.aligned(known, columns).aligned)[1].sum())
sample = RowSample(50).with_rows(table, priorities_by_key(table, ("card",), 1))
TableSummary({}, sample).with_columns(table, sample, {}).to_content()
"""


def test_nothing_on_the_way_of_a_row_needs_pandas(tmp_path: Path) -> None:
    roles = {"card": "entity", "when": "time", "amount": "amount"}
    model = DynamicAnomalyDetector(n_estimators=10, random_state=0, roles=roles).fit(cards())
    model.save(tmp_path / "model.joblib")
    table = pa.Table.from_pandas(cards(80, seed=1), preserve_index=False)
    with pa.ipc.new_stream(str(tmp_path / "rows"), table.schema) as writer:
        writer.write_table(table)
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, tmp_path / "model.joblib", tmp_path / "rows"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) > 0.0
