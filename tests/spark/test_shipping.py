"""A model goes to the workers of a session once, and each process reads it once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkAttributeError

from detector import DynamicAnomalyDetector, InputError, ModelFileError, NotTrainedError
from detector.spark.shipping import MODELS_KEPT, Shipped, as_detector, ship
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


class Context:
    """Stands for a Spark context, and counts what it is asked to broadcast."""

    def __init__(self, name: str) -> None:
        self.applicationId, self.broadcasts = name, 0

    def broadcast(self, content: bytes) -> Sent:
        self.broadcasts += 1
        return Sent(content)


class Session:
    """Stands for a session."""

    def __init__(self, name: str) -> None:
        self.sparkContext = Context(name)


class Remote:
    """Stands for a session of Spark Connect, and says what that says."""

    def __getattr__(self, name: str) -> Any:
        raise PySparkAttributeError(errorClass="JVM_ATTRIBUTE_NOT_SUPPORTED", messageParameters={"attr_name": name})


def test_a_session_of_spark_connect_is_refused_with_what_to_do() -> None:
    remote: Any = Remote()
    with pytest.raises(InputError, match=r"Spark Connect, which cannot broadcast a model\. Use a classic session"):
        ship(DynamicAnomalyDetector(n_estimators=2).fit(numbered(60)), remote)


def test_a_model_is_broadcast_once_in_each_session_and_again_when_it_has_changed() -> None:
    one: Any = Session("one")
    other: Any = Session("other")
    frame = numbered(60)
    model = DynamicAnomalyDetector(n_estimators=2, random_state=0).fit(frame)
    first = ship(model, one)
    assert ship(DynamicAnomalyDetector.from_bytes(model.to_bytes()), one).content is first.content
    assert one.sparkContext.broadcasts == 1
    assert ship(model, other).content is not first.content
    changed = ship(model.updated(frame), one)
    assert (one.sparkContext.broadcasts, other.sparkContext.broadcasts) == (2, 1)
    assert changed.digest != first.digest == sha256(first.content.value).hexdigest()
