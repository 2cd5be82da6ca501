"""A model on its way to the workers: broadcast once, and read once by each Python process."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from pyspark import Broadcast
from pyspark.sql import SparkSession

from detector.core.fitted import Fitted
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError

#: What is taken as a model: one in memory, or the path of a model file that the driver can read.
Model: TypeAlias = DynamicAnomalyDetector | str | Path
#: Models that one worker process keeps; a job uses one.
MODELS_KEPT = 2

_read: OrderedDict[str, DynamicAnomalyDetector] = OrderedDict()


@dataclass(frozen=True)
class Shipped:
    """A model that workers can ask for.

    Parameters
    ----------
    content : the bytes of its file, which each executor fetches once.
    digest : their SHA-256; equal models have the same.
    """

    content: Broadcast[bytes]
    digest: str

    def detector(self) -> DynamicAnomalyDetector:
        """Return the model; read from its bytes when this process asks for the first time."""
        if self.digest not in _read:
            _read[self.digest] = DynamicAnomalyDetector.from_bytes(self.content.value)
            while len(_read) > MODELS_KEPT:
                _read.popitem(last=False)
        return _read[self.digest]

    def fitted(self) -> Fitted:
        """Return what the model knows."""
        return self.detector()._fitted()


def as_detector(model: Model) -> DynamicAnomalyDetector:
    """Return the model, read from its file where a path is given.

    Raises
    ------
    ModelFileError, NotTrainedError
    """
    found = model if isinstance(model, DynamicAnomalyDetector) else DynamicAnomalyDetector().load(model)
    found._fitted()
    return found


def ship(model: DynamicAnomalyDetector, session: SparkSession) -> Shipped:
    """Broadcast a model to the executors of a session.

    Raises
    ------
    InputError
        When the session is one of Spark Connect, which has no broadcast.
    """
    content = model.to_bytes()
    try:
        context = session.sparkContext
    except Exception as error:
        raise InputError(
            "This session is one of Spark Connect, which cannot broadcast a model. Use a classic session."
        ) from error
    return Shipped(context.broadcast(content), sha256(content).hexdigest())
