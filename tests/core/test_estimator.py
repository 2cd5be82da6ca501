"""What scikit-learn asks of an estimator; its own checks run in test_model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.base import is_outlier_detector
from sklearn.pipeline import make_pipeline

from detector.core.model import DynamicAnomalyDetector
from tests import tables

ASK = """
import sys
from detector import DynamicAnomalyDetector
model = DynamicAnomalyDetector().load(sys.argv[1])
record = {"amount": 12.5, "channel": "web", "when": "2025-03-11T08:30:00Z"}
result = model.score(record)
assert 0.0 < result.scores[0] < 1.0
model.get_params(), repr(model), model.predict(record)
print(*sorted({"pandas", "pyarrow", "sklearn", "shap", "joblib"} & set(sys.modules)))
"""


def test_a_single_record_is_scored_in_a_fresh_process_without_loading_what_only_tables_need(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    DynamicAnomalyDetector(n_estimators=5).fit(tables.payments(100)).save(path)
    answer = subprocess.run([sys.executable, "-c", ASK, str(path)], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_it_shows_the_arguments_that_differ_from_what_is_usual() -> None:
    assert repr(DynamicAnomalyDetector()) == "DynamicAnomalyDetector()"
    model = DynamicAnomalyDetector(n_estimators=7, roles={"a": "id"})
    assert repr(model) == "DynamicAnomalyDetector(n_estimators=7, roles={'a': 'id'})"
    assert "DynamicAnomalyDetector(n_estimators=7" in repr(make_pipeline(model))


def test_an_argument_that_does_not_exist_is_refused_and_nothing_is_set() -> None:
    model = DynamicAnomalyDetector()
    with pytest.raises(ValueError, match=r"Invalid parameter 'trees'.*Valid parameters are: contamination, n_est"):
        model.set_params(n_estimators=5, trees=5)
    assert model.n_estimators == 100


def test_scikit_learn_takes_it_for_an_outlier_detector() -> None:
    assert is_outlier_detector(DynamicAnomalyDetector())
    assert "DynamicAnomalyDetector" in make_pipeline(DynamicAnomalyDetector())._repr_html_()
