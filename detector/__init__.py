"""Dynamic anomaly detection: an isolation forest for transactions whose columns keep changing.

>>> from detector import DynamicAnomalyDetector

The package has floors, and imports point down only: ``core`` (arrays and frames in, values out), ``files`` (reading and
writing), ``store`` (database, versions), ``service`` (the use cases), and beside each other ``api`` (HTTP), ``ui``
(what the dashboard's pages share) and the command line. ``docs/architecture.md`` tells why.
"""

from detector.core.alignment import AlignmentReport, CellProblem, ColumnFinding
from detector.core.explain import Explanation, Reason
from detector.core.model import DynamicAnomalyDetector
from detector.core.schema import Feature, Schema
from detector.core.scoring import ScoreResult
from detector.errors import (
    Cancelled,
    ConflictError,
    DetectorError,
    InputError,
    ModelFileError,
    NoKnownColumnsError,
    NotFoundError,
    NotTrainedError,
    Problem,
    UnusableFileError,
)

__version__ = "0.1.0"

__all__ = [
    "AlignmentReport",
    "Cancelled",
    "CellProblem",
    "ColumnFinding",
    "ConflictError",
    "DetectorError",
    "DynamicAnomalyDetector",
    "Explanation",
    "Feature",
    "InputError",
    "ModelFileError",
    "NoKnownColumnsError",
    "NotFoundError",
    "NotTrainedError",
    "Problem",
    "Reason",
    "Schema",
    "ScoreResult",
    "UnusableFileError",
]
