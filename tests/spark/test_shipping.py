"""A model goes to the workers once, and each process reads it once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from detector import DynamicAnomalyDetector, ModelFileError, NotTrainedError
from detector.spark.shipping import MODELS_KEPT, Shipped, as_detector
from tests.spark.tables import numbered


class Sent:
    """Stands for a broadcast, and counts how often it is looked into."""

    def __init__(self, content: bytes) -> None:
        self.content, self.looks = content, 0

    @property
    def value(self) -> bytes:
        self.looks += 1
        return self.content


def shipped(seed: int) -> tuple[Sent, Shipped]:
    content = DynamicAnomalyDetector(n_estimators=2, random_state=seed).fit(numbered(60)).to_bytes()
    sent: Any = Sent(content)
    return sent, Shipped(sent, sha256(content).hexdigest())


def test_a_process_reads_a_model_once_and_keeps_few() -> None:
    sent, ship = shipped(1)
    assert ship.detector() is ship.detector()
    assert ship.fitted() is ship.detector()._fitted()
    assert sent.looks == 1
    for seed in range(2, 2 + MODELS_KEPT):
        shipped(seed)[1].detector()
    ship.detector()
    assert sent.looks == 2


def test_a_model_that_cannot_score_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(NotTrainedError):
        as_detector(DynamicAnomalyDetector())
    with pytest.raises(ModelFileError):
        as_detector(tmp_path / "none.joblib")
