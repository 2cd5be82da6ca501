"""What scikit-learn asks of an estimator, by its own checks and beside them."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sklearn.base import clone, is_outlier_detector
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from detector.core.model import DynamicAnomalyDetector
from tests import tables
from tests.tables import small

EXCUSED = {
    "check_pipeline_consistency": "score() returns labels, scores, severities and a report, not one number",
    "check_outliers_fit_predict": "severity is measured out of bag: the contamination is the share of fresh rows that"
    " are flagged, and of the training rows, which the trees know, fewer are",
    "check_classifier_data_not_an_array": "trees grow from the names of columns, and its frame has other names than an"
    " array gets; one of its twelve rows lies at the cutoff",
    "check_outliers_train": "the same; and score_samples would be the anomaly score with its sign flipped",
}
NOT_RUN = {"check_array_api_input": "it runs only where SCIPY_ARRAY_API is set, and arrays are numpy's here"}


def checks_of_scikit_learn() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    # It inherits nothing: loading scikit-learn takes longer than loading, and asking, a model.
    with pytest.warns(UserWarning, match="does not inherit"):
        checks = list(estimator_checks_generator(small(n_estimators=10)))
    for estimator, check in checks:
        found.setdefault(check.func.__name__, []).append(partial(check, estimator))
    return found


CHECKS = {name: checks for name, checks in checks_of_scikit_learn().items() if name not in NOT_RUN}


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in EXCUSED])
def test_scikit_learns_own_checks_hold(name: str) -> None:
    for check in CHECKS[name]:
        check()


@pytest.mark.parametrize("name", EXCUSED)
def test_what_is_excused_from_scikit_learns_checks_still_needs_to_be(name: str) -> None:
    for check in CHECKS[name]:
        with pytest.raises((AssertionError, AttributeError, TypeError)):
            check()


def test_it_stands_at_the_end_of_a_pipeline() -> None:
    line = make_pipeline(FunctionTransformer(lambda rows: rows.drop(columns="tries")), small())
    assert set(line.fit(tables.payments(100)).predict(tables.payments(50, seed=1))) <= {-1, 1}


def test_parameters_are_kept_as_given_and_can_be_cloned() -> None:
    roles = {"amount": "amount"}
    model = small(contamination=0.02, scaler_type=None, roles=roles)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(half_life=5).half_life == 5
    assert DynamicAnomalyDetector().get_params() == {
        "contamination": 0.1, "n_estimators": 100, "max_samples": "auto", "scaler_type": "robust", "random_state": 42,
        "roles": None, "half_life": 100_000,
    }  # fmt: skip


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
