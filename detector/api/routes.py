"""The endpoints: read a request, ask the service, answer.

One transaction is scored at once on the event loop, since that takes less time than handing it to a thread; all else
that computes runs in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import structlog
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from detector.api import payloads
from detector.api.answers import came_as, json_response, now, predictions, rescaled
from detector.api.callers import caller_of
from detector.api.documents import TrainOptions
from detector.api.kinds import Fields, FieldsMemo, refuse_empty, refuse_wrong_kinds
from detector.api.parameters import read_flag, read_query, read_train_options
from detector.api.problems import NOT_TRAINED
from detector.api.readiness import Readiness
from detector.api.traffic import Traffic
from detector.api.warming import warm_up
from detector.core.model import DynamicAnomalyDetector
from detector.errors import DetectorError, InputError, ModelFileError, Problem
from detector.service.scoring import score_rows
from detector.service.tally import no_unreadable
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.versions.updating import update_rows
from detector.service.workspace import Workspace
from detector.version import VERSION

_log = structlog.get_logger(__name__)
#: Most rows explained in one request; each takes some milliseconds.
MOST_EXPLAINED = 100

_TRAIN_OPTIONS = tuple(TrainOptions.model_fields)
_TRAIN_QUERY = tuple(name for name in _TRAIN_OPTIONS if name != "roles")


class Endpoints:
    """The endpoints over one workspace, which is there from startup to shutdown."""

    workspace: Workspace
    readiness: Readiness

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._fields = FieldsMemo()

    def warm(self) -> None:
        """Compile what requests need, and grow the champion's trees, so that no request waits for it."""
        try:
            champion = self.workspace.champion()
        except ModelFileError as error:
            # A model of an earlier program must not keep this one from starting: here is where another is trained.
            _log.error("the champion cannot be read; train again", reason=str(error))
            champion = None
        warm_up(champion)

    async def root(self, _request: Request) -> Response:
        """Say what runs here."""
        return json_response({"message": "Dynamic anomaly detection", "version": VERSION, "status": "running"})

    async def health(self, _request: Request) -> Response:
        """Say whether the process is alive and has a model; what else there is to know is for ``/ready``."""
        try:
            champion = self.workspace.champion()
        except DetectorError:
            champion = None
        return json_response(
            {
                "status": "healthy",
                "model_loaded": champion is not None,
                "model_version": champion.version if champion else None,
                "timestamp": now(),
            }
        )

    async def model_info(self, _request: Request) -> Response:
        """Describe the model that answers; ``is_fitted`` is false before the first training."""
        return await run_sync(self._model_info)

    def _model_info(self) -> Response:
        champion = self.workspace.champion()
        if champion is None:
            return json_response(
                DynamicAnomalyDetector().get_model_info()
                | {"learned_features": (), "feature_stats": {}, "model_version": None, "cutoff": None}
                | {"message": NOT_TRAINED}
            )
        self.workspace.observations.count()
        detector = champion.detector
        statistics = detector.feature_stats
        return json_response(
            detector.get_model_info()
            | {
                "learned_features": self._fields.of(detector.schema_).learned,
                "feature_stats": statistics,
                "model_version": champion.version,
                "cutoff": champion.cutoff,
                "created_at": champion.created_at.isoformat(),
            }
        )

    async def train(self, request: Request) -> Response:
        """Train a new model on the transactions; it answers from then on."""
        query = read_query(request, _TRAIN_QUERY)
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        return await run_sync(self._train, query, body, caller_of(request).name)

    async def predict(self, request: Request) -> Response:
        """Score one transaction."""
        query = read_query(request, ("explain", "observe"))
        explain, observe = read_flag(query, "explain"), read_flag(query, "observe")
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        row = payloads.read_transaction(body)
        if explain:
            return await run_sync(self._predict, row, True, observe)
        return self._predict(row, False, observe)

    async def predict_batch(self, request: Request) -> Response:
        """Score several transactions."""
        query = read_query(request, ("explain", "observe"))
        explain, observe = read_flag(query, "explain"), read_flag(query, "observe")
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        return await run_sync(self._predict_batch, body, explain, observe)

    async def update(self, request: Request) -> Response:
        """Learn from the transactions; the new version answers from then on."""
        read_query(request, ())
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        return await run_sync(self._update, body, caller_of(request).name)

    async def recent(self, _request: Request) -> Response:
        """List the latest requests of this process."""
        return json_response({"requests": list(self._traffic.latest()), "total": self._traffic.total})

    def _predict(self, row: payloads.Record, explain: bool, observe: bool) -> Response:
        fields = self._checked((row,))
        champion, result, explanation = score_rows(self.workspace, row, explain=explain, observe=observe)
        no_unreadable(result.report)
        verdict = predictions(champion, fields, (row,), result, explanation)[0]
        changed = {"renamed_features": came_as(result.report), "rescaled_features": rescaled(result.report)}
        verdict |= {name: found for name, found in changed.items() if found}
        return json_response({"reasons": None} | verdict if explain else verdict)

    def _checked(self, rows: Sequence[payloads.Record]) -> Fields:
        fields = self._fields.of(self.workspace.require_champion().detector.schema_)
        refuse_empty(rows, fields)
        refuse_wrong_kinds(rows, fields.numeric)
        return fields

    def _predict_batch(self, body: bytes, explain: bool, observe: bool) -> Response:
        champion = self.workspace.require_champion()
        rows = payloads.read_transactions(body, self.workspace.settings.max_request_rows).rows
        if explain and len(rows) > MOST_EXPLAINED:
            message = f"At most {MOST_EXPLAINED} rows are explained in one request; these are {len(rows):,}."
            raise InputError(message, (Problem("too_many_rows", message, row=MOST_EXPLAINED + 1),))
        found: list[dict[str, Any]] = []
        retyped: tuple[str, ...] = ()
        renamed: dict[str, str] = {}
        converted: dict[str, float] = {}
        if rows:
            fields = self._checked(rows)
            champion, result, explanation = score_rows(self.workspace, rows, explain=explain, observe=observe)
            no_unreadable(result.report)
            retyped = result.report.retyped
            renamed, converted = came_as(result.report), rescaled(result.report)
            found = predictions(champion, fields, rows, result, explanation)
        return json_response(
            {
                "predictions": found,
                "total_transactions": len(found),
                "anomalies_detected": sum(verdict["is_anomaly"] for verdict in found),
                "retyped_features": retyped,
                "renamed_features": renamed,
                "rescaled_features": converted,
                "model_version": champion.version,
                "timestamp": now(),
            }
        )

    def _train(self, query: dict[str, str], body: bytes, actor: str) -> Response:
        batch = self._rows_to_learn(body, _TRAIN_OPTIONS)
        options = read_train_options(query, batch.options).model_dump(exclude_none=True)
        roles = options.pop("roles", None)
        result = train_rows(self.workspace, batch.rows, TrainParameters(**options), roles, actor=actor)
        return json_response(
            {
                "message": f"Trained version {result.version} on {result.rows:,} transactions.",
                "num_samples": result.rows,
                "num_features": len(result.features),
                "features": result.features,
                "left_out": dict(result.left_out),
                "notes": result.notes,
                "parameters": asdict(result.parameters),
                "model_version": result.version,
                "timestamp": now(),
            }
        )

    def _update(self, body: bytes, actor: str) -> Response:
        detector = self.workspace.require_champion().detector
        batch = self._rows_to_learn(body)
        self._checked(batch.rows)
        no_unreadable(detector.alignment(batch.rows))
        result = update_rows(self.workspace, batch.rows, actor=actor)
        return json_response(
            {
                "message": f"Learned from {result.rows:,} transactions; version {result.version} answers now.",
                "num_new_samples": result.rows,
                "total_features": len(result.features),
                "features": result.features,
                "model_version": result.version,
                "timestamp": now(),
            }
        )

    def _rows_to_learn(self, body: bytes, options: tuple[str, ...] = ()) -> payloads.Batch:
        batch = payloads.read_transactions(body, self.workspace.settings.max_request_rows, options)
        if not batch.rows:
            message = "There are no transactions to learn from."
            raise InputError(message, (Problem("no_rows", message, column="transactions"),))
        return batch
