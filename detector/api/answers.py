"""What goes out: results of the service as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from detector.api.kinds import Fields
from detector.api.payloads import Record
from detector.core.alignment import AlignmentReport
from detector.core.explain import Explanation
from detector.core.scoring import ScoreResult
from detector.service.workspace import Champion

JSON_TYPE = "application/json"


def json_response(document: Any) -> Response:
    """Return ``document`` as a JSON answer; NaN becomes null."""
    return Response(
        orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS), 200, None, JSON_TYPE
    )


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()


def predictions(
    champion: Champion, fields: Fields, rows: Sequence[Record], result: ScoreResult, explanation: Explanation | None
) -> list[dict[str, Any]]:
    """Return the verdict on each of ``rows``, as :class:`~detector.api.documents.PredictionDocument` describes it."""
    timestamp = now()
    new = frozenset(result.report.new)
    scored_by = [frozenset(signature) for signature in result.signatures]
    named = came_as(result.report)
    found = [
        {
            "is_anomaly": label == -1,
            "anomaly_score": score,
            "prediction": label,
            "severity": severity,
            "cutoff": result.cutoff,
            "model_version": champion.version,
            "new_features": [name for name in row if name in new] if new else [],
            "missing_features": _missing(row, fields, scored_by[signature], named),
            "timestamp": timestamp,
        }
        for row, label, score, severity, signature in zip(
            rows,
            result.labels.tolist(),
            result.scores.tolist(),
            result.severities.tolist(),
            result.signature_of_row.tolist(),
            strict=True,
        )
    ]
    if explanation is not None:
        for verdict, reasons in zip(found, explanation.reasons, strict=True):
            verdict["reasons"] = [asdict(reason) for reason in reasons]
    return found


def came_as(report: AlignmentReport) -> dict[str, str]:
    """Return the learned fields that came under another name, and that name."""
    return {column.name: column.came_as for column in report.columns if column.came_as is not None}


def rescaled(report: AlignmentReport) -> dict[str, float]:
    """Return the learned fields that came in another unit, and what their values were divided by."""
    return {column.name: column.factor for column in report.columns if column.factor != 1.0}


def _missing(row: Record, fields: Fields, scored_by: frozenset[str], named: Mapping[str, str]) -> list[str]:
    if fields.names <= row.keys() and None not in row.values():
        return []
    absent = [name for name in fields.learned if row.get(named.get(name, name)) is None]
    # A field that was absent now and then in training is scored as having no value: it is not missing.
    return [name for name in absent if name not in fields.absence_learned or name not in scored_by]
