"""A detector is the same after it was saved, copied or pickled, and a bad file leaves it as it was."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from tests import tables
from tests.tables import a_model, small


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = a_model(roles={"tries": "ignored"}, contamination=0.05)
    model.save(tmp_path / "model.joblib")
    loaded = DynamicAnomalyDetector().load(tmp_path / "model.joblib")
    fresh = tables.payments(100, seed=1)
    assert loaded.get_params() == model.get_params()
    assert loaded.score(fresh).severities.tobytes() == model.score(fresh).severities.tobytes()
    assert loaded.feature_stats == model.feature_stats
    assert loaded.feature_names_in_.tolist() == model.feature_names_in_.tolist()
    batch = tables.payments(100, seed=2).assign(new=1.5)
    assert loaded.partial_fit(batch).to_bytes() == model.partial_fit(batch).to_bytes()


def test_a_file_that_is_not_there_or_damaged_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = a_model()
    before = model.to_bytes()
    with pytest.raises(ModelFileError, match=r"The model file 'none.joblib' cannot be read"):
        model.load(tmp_path / "none.joblib")
    (tmp_path / "bad.joblib").write_bytes(before[:-10])
    with pytest.raises(ModelFileError, match="damaged"):
        model.load(tmp_path / "bad.joblib")
    assert model.to_bytes() == before


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_are_the_same_model_and_go_their_own_way(through: Any) -> None:
    model = a_model(random_state=np.random.RandomState(3), contamination=np.float64(0.2))
    model.set_params(n_estimators=7)  # takes effect with the next training, and must not spoil the copy
    other = through(model)
    assert other.to_bytes() == model.to_bytes()
    assert other.contamination == 0.2
    before = model.to_bytes()
    other.partial_fit(tables.payments(50, seed=4))
    assert model.to_bytes() == before
    assert not through(small()).is_fitted


def test_a_model_whose_parameters_were_changed_after_training_can_be_kept() -> None:
    model = a_model().set_params(n_estimators=30, max_samples=64, scaler_type=None, half_life=10)
    loaded = DynamicAnomalyDetector.from_bytes(model.to_bytes())
    assert loaded.n_estimators == 30
    assert loaded.score(tables.payments(5)).scores.tobytes() == model.score(tables.payments(5)).scores.tobytes()
    assert len(loaded.fit(tables.payments(50))._state.sample.bags) == 30


def test_columns_may_have_the_names_of_anything_in_the_file() -> None:
    frame = tables.numbers(60, d=3).set_axis(["dtype", "shape", "bytes"], axis=1)
    model = small().fit(frame)
    assert DynamicAnomalyDetector.from_bytes(model.to_bytes()).known_features == ("bytes", "dtype", "shape")
