"""A model on its way to the workers: broadcast once in a session, and read once by each Python process."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from pyspark import Broadcast
from pyspark.sql import SparkSession

from detector.core.fitted import Fitted
from detector.core.model import DynamicAnomalyDetector
from detector.spark.tables import context_of

#: What is taken as a model: one in memory, or the path of a model file that the driver can read.
Model: TypeAlias = DynamicAnomalyDetector | str | Path
#: Models that one worker process keeps; a job uses one.
MODELS_KEPT = 2
#: Broadcasts that the driver remembers. What it forgets, Spark lets go of once no DataFrame needs it.
BROADCASTS_KEPT = 4

_read: OrderedDict[str, DynamicAnomalyDetector] = OrderedDict()
#: By the application and the digest of what was sent.
_sent: OrderedDict[tuple[str, str], Broadcast[bytes]] = OrderedDict()
_sending = Lock()


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
    """Broadcast a model to the executors of a session, unless they have it.

    Raises
    ------
    InputError
        When the session is one of Spark Connect, which has no broadcast.
    """
    context = context_of(session)
    content = model.to_bytes()
    digest = sha256(content).hexdigest()
    sent = (context.applicationId, digest)
    with _sending:
        if sent not in _sent:
            _sent[sent] = context.broadcast(content)
        _sent.move_to_end(sent)
        while len(_sent) > BROADCASTS_KEPT:
            _sent.popitem(last=False)
        return Shipped(_sent[sent], digest)
