"""What goes out: results of the service as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
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


def predictions_of_frame(
    champion: Champion, fields: Fields, frame: pd.DataFrame, result: ScoreResult
) -> orjson.Fragment:
    """Return what :func:`predictions` says of the rows of ``frame``, in the same bytes, without a dictionary a row."""
    new = frozenset(result.report.new)
    opening = [b'{"is_anomaly":%b,"anomaly_score":' % (b"true" if label == -1 else b"false") for label in (1, -1)]
    between = [b',"prediction":%d,"severity":' % label for label in (1, -1)]
    middle = b',"cutoff":%b,"model_version":%b,"new_features":%b,"missing_features":' % (
        orjson.dumps(result.cutoff),
        orjson.dumps(champion.version),
        orjson.dumps([name for name in frame.columns if name in new]),
    )
    closing = b',"timestamp":%b},' % orjson.dumps(now())
    missing, missing_of_row = _missing_of_frame(frame, fields, result)
    ends = [b"%b%b%b" % (middle, orjson.dumps(names), closing) for names in missing]
    flagged = (result.labels == -1).tolist()
    pieces: list[bytes] = [b""] * (5 * len(frame))
    pieces[0::5] = [opening[flag] for flag in flagged]
    pieces[1::5] = _numbers(result.scores)
    pieces[2::5] = [between[flag] for flag in flagged]
    pieces[3::5] = _numbers(result.severities)
    pieces[4::5] = [ends[row] for row in missing_of_row.tolist()]
    return orjson.Fragment(b"[%b]" % b"".join(pieces)[:-1])


def _numbers(values: NDArray[np.float64]) -> list[bytes]:
    return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _missing_of_frame(
    frame: pd.DataFrame, fields: Fields, result: ScoreResult
) -> tuple[list[list[str]], NDArray[np.intp]]:
    """Return the lists of fields that rows miss, each list once, and which of them is each row's."""
    named = came_as(result.report)
    lacks = np.ones((len(frame), len(fields.learned)), bool)
    for place, name in enumerate(fields.learned):
        column = named.get(name, name)
        if column in frame:
            lacks[:, place] = frame[column].isna()
    for number, signature in enumerate(result.signatures):
        # A field that was absent now and then in training is scored as having no value: it is not missing.
        states = [name in fields.absence_learned and name in signature for name in fields.learned]
        lacks[np.ix_(result.signature_of_row == number, states)] = False
    if not lacks.any():
        return [[]], np.zeros(len(frame), np.intp)
    found, pattern_of_row = np.unique(lacks, axis=0, return_inverse=True)
    names = np.array(fields.learned, object)
    return [names[pattern].tolist() for pattern in found], pattern_of_row


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
