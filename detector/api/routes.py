"""The endpoints: read a request, ask the service, answer.

One transaction is scored at once on the event loop, since that takes less time than handing it to a thread; all else
that computes runs in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import structlog
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from detector.api import payloads
from detector.api.answers import came_as, json_response, now, predictions, predictions_of_frame, rescaled
from detector.api.batches import Verdicts
from detector.api.callers import caller_of
from detector.api.cases import CaseEndpoints
from detector.api.documents import TrainOptions
from detector.api.idempotency import Effect, Repeats
from detector.api.kinds import Fields, FieldsMemo, is_plain, refuse_empty, refuse_wrong_kinds
from detector.api.metrics import CONTENT_TYPE, Metrics
from detector.api.parameters import read_flag, read_query, read_train_options
from detector.api.problems import NOT_TRAINED
from detector.api.readiness import Readiness
from detector.api.traffic import Traffic
from detector.api.uniform import read_uniform
from detector.api.warming import warm_up
from detector.core.model import DynamicAnomalyDetector
from detector.errors import DetectorError, InputError, ModelFileError, Problem
from detector.service.scoring import score_rows
from detector.service.tally import no_unreadable
from detector.service.versions.challenging import answering
from detector.service.versions.training import TrainParameters, TrainResult, train_rows
from detector.service.versions.updating import UpdateResult, update_rows
from detector.service.workspace import Champion, Workspace
from detector.version import VERSION

T = TypeVar("T")

_log = structlog.get_logger(__name__)
#: Most rows explained in one request; each takes some milliseconds.
MOST_EXPLAINED = 100

_TRAIN_OPTIONS = tuple(TrainOptions.model_fields)
_TRAIN_QUERY = tuple(name for name in _TRAIN_OPTIONS if name != "roles")


class Endpoints:
    """The endpoints over one workspace, which is there from startup to shutdown."""

    workspace: Workspace

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.readiness = Readiness()
        self._fields = FieldsMemo()
        self.repeats = Repeats(lambda: self.workspace.database)
        self.cases = CaseEndpoints(lambda: self.workspace, self.repeats)
        # Of the versions that answer in the champion's place; its own stay at hand.
        self._other_fields = FieldsMemo()
        self._metrics: Metrics | None = None

    def warm(self) -> None:
        """Compile what requests need, and grow the champion's trees, so that no request waits for it."""
        try:
            champion = self.workspace.champion()
        except ModelFileError as error:
            # A model of an earlier program must not keep this one from starting: here is where another is trained.
            _log.error("the champion cannot be read; train again", reason=str(error))
            champion = None
        warm_up(champion)
        self.workspace.take_part_in_trials()

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
        work = partial(self._train, query, body, caller_of(request).name)
        return await self.repeats.once(request, body, work)

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
        """Score several transactions, with the champion or with another version."""
        query = read_query(request, ("explain", "observe", "version"))
        explain, observe = read_flag(query, "explain"), read_flag(query, "observe")
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        return await run_sync(self._predict_batch, body, explain, observe, query.get("version"))

    async def update(self, request: Request) -> Response:
        """Learn from the transactions; the new version answers from then on."""
        read_query(request, ())
        body = await payloads.read_body(request, self.workspace.settings.max_request_bytes)
        work = partial(self._update, body, caller_of(request).name)
        return await self.repeats.once(request, body, work)

    async def recent(self, _request: Request) -> Response:
        """List the latest requests of this process."""
        return json_response({"requests": list(self._traffic.latest()), "total": self._traffic.total})

    async def metrics(self, _request: Request) -> Response:
        """Tell the counters of this process and how the workspace stands, for Prometheus."""
        if self._metrics is None:
            self._metrics = Metrics(self._traffic.counts, self.workspace)
        return Response(await run_sync(self._metrics.text), 200, None, CONTENT_TYPE)

    def _predict(self, row: payloads.Record, explain: bool, observe: bool) -> Response:
        fields = self._checked((row,))
        running = self.workspace.trial.running
        if running is not None and running.answers(row):
            answered = self._in_place_of_champion(lambda: self._verdict(row, explain, observe, running.challenger))
            if answered is not None:
                return json_response(answered)
        return json_response(self._verdict(row, explain, observe, None, fields))

    def _verdict(
        self, row: payloads.Record, explain: bool, observe: bool, by: Champion | None, fields: Fields | None = None
    ) -> dict[str, Any]:
        champion, result, explanation = score_rows(self.workspace, row, explain=explain, observe=observe, by=by)
        no_unreadable(result.report)
        if fields is None:
            fields = self._other_fields.of(champion.detector.schema_)
        verdict = predictions(champion, fields, (row,), result, explanation)[0]
        changed = {"renamed_features": came_as(result.report), "rescaled_features": rescaled(result.report)}
        verdict |= {name: found for name, found in changed.items() if found}
        return {"reasons": None} | verdict if explain else verdict

    def _in_place_of_champion(self, answer: Callable[[], T]) -> T | None:
        """Return a challenger's answer; ``None`` when it has none, so that the champion answers."""
        try:
            return answer()
        except Exception as error:  # noqa: BLE001 - a challenger must never harm an answer
            _log.warning("the challenger could not answer; the champion does", kind=type(error).__name__)
            return None

    def _checked(self, rows: Sequence[payloads.Record]) -> Fields:
        fields = self._fields.of(self.workspace.require_champion().detector.schema_)
        refuse_empty(rows, fields)
        refuse_wrong_kinds(rows, fields.numeric)
        return fields

    def _predict_batch(self, body: bytes, explain: bool, observe: bool, version: str | None) -> Response:
        champion = self.workspace.require_champion() if version is None else answering(self.workspace, version)
        running = self.workspace.trial.running
        whole = version is None and not explain and (running is None or not running.divides)
        frame = read_uniform(body, self.workspace.settings.max_request_rows) if whole else None
        fields = self._fields.of(champion.detector.schema_) if whole else None
        if frame is not None and fields is not None and is_plain(frame, fields):
            champion, result, _ = score_rows(self.workspace, frame, observe=observe)
            no_unreadable(result.report)
            return self._batch_answer(
                champion,
                Verdicts.about(result.report),
                predictions_of_frame(champion, fields, frame, result),
                len(frame),
                int((result.labels == -1).sum()),
            )
        rows = payloads.read_transactions(body, self.workspace.settings.max_request_rows).rows
        if explain and len(rows) > MOST_EXPLAINED:
            message = f"At most {MOST_EXPLAINED} rows are explained in one request; these are {len(rows):,}."
            raise InputError(message, (Problem("too_many_rows", message, row=MOST_EXPLAINED + 1),))
        found = Verdicts()
        if rows:
            self._checked(rows)
            if version is None:
                champion, found = self._both_sides(rows, explain, observe)
            else:
                champion, found = self._verdicts(rows, explain, observe, champion)
        flagged = sum(verdict["is_anomaly"] for verdict in found.rows)
        return self._batch_answer(champion, found, found.rows, len(found.rows), flagged)

    @staticmethod
    def _batch_answer(champion: Champion, found: Verdicts, verdicts: Any, rows: int, flagged: int) -> Response:
        return json_response(
            {
                "predictions": verdicts,
                "total_transactions": rows,
                "anomalies_detected": flagged,
                "retyped_features": found.retyped,
                "renamed_features": found.renamed,
                "rescaled_features": found.rescaled,
                "model_version": champion.version,
                "timestamp": now(),
            }
        )

    def _both_sides(self, rows: list[payloads.Record], explain: bool, observe: bool) -> tuple[Champion, Verdicts]:
        """Return the verdicts of the champion, but for the rows that a challenger is to answer."""
        running = self.workspace.trial.running
        places = [] if running is None else running.places(rows)
        if running is not None and places:
            theirs = [rows[place] for place in places]
            answered = self._in_place_of_champion(lambda: self._verdicts(theirs, explain, observe, running.challenger))
            if answered is not None:
                taken = set(places)
                mine = [row for place, row in enumerate(rows) if place not in taken]
                champion, found = self._verdicts(mine, explain, observe) if mine else (running.champion, Verdicts())
                return champion, found.with_part(answered[1], places)
        return self._verdicts(rows, explain, observe)

    def _verdicts(
        self, rows: list[payloads.Record], explain: bool, observe: bool, by: Champion | None = None
    ) -> tuple[Champion, Verdicts]:
        champion, result, explanation = score_rows(self.workspace, rows, explain=explain, observe=observe, by=by)
        no_unreadable(result.report)
        memo = self._fields if by is None else self._other_fields
        return champion, Verdicts.of(champion, memo.of(champion.detector.schema_), rows, result, explanation)

    def _train(self, query: dict[str, str], body: bytes, actor: str, effect: Effect) -> None:
        batch = self._rows_to_learn(body, _TRAIN_OPTIONS)
        options = read_train_options(query, batch.options).model_dump(exclude_none=True)
        roles = options.pop("roles", None)
        also = effect.also(self._trained)
        train_rows(self.workspace, batch.rows, TrainParameters(**options), roles, actor=actor, also=also)

    def _trained(self, result: TrainResult) -> Response:
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

    def _update(self, body: bytes, actor: str, effect: Effect) -> None:
        detector = self.workspace.require_champion().detector
        batch = self._rows_to_learn(body)
        self._checked(batch.rows)
        no_unreadable(detector.alignment(batch.rows))
        update_rows(self.workspace, batch.rows, actor=actor, also=effect.also(self._updated))

    def _updated(self, result: UpdateResult) -> Response:
        return json_response(
            {
                "message": _told(result),
                "num_new_samples": result.rows,
                "total_features": len(result.features),
                "features": result.features,
                "model_version": result.version,
                "promoted": result.promoted,
                "reasons": result.suspicions,
                "timestamp": now(),
            }
        )

    def _rows_to_learn(self, body: bytes, options: tuple[str, ...] = ()) -> payloads.Batch:
        batch = payloads.read_transactions(body, self.workspace.settings.max_request_rows, options)
        if not batch.rows:
            message = "There are no transactions to learn from."
            raise InputError(message, (Problem("no_rows", message, column="transactions"),))
        return batch


def _told(result: UpdateResult) -> str:
    learned = f"Learned from {result.rows:,} transactions"
    if result.promoted:
        return f"{learned}; version {result.version} answers now."
    return (
        f"{learned} as version {result.version}, which is not promoted: {' '.join(result.suspicions)} Look at it on "
        "the Models page; promote it with PUT /models/aliases/champion, or dismiss it with DELETE "
        f"/models/waiting/{result.version}."
    )
