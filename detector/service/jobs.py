"""Long work in the background: one worker thread a process, progress in the database.

====================  ==================================================  ====================================
kind                  arguments                                           result of a finished job
====================  ==================================================  ====================================
``train``             ``upload_id``, ``parameters`` (TrainParameters as   ``version``, ``rows``
                      a dict), ``roles`` (column to role)
``score``             ``upload_id``                                       ``run_id``, ``rows``, ``flagged``
``preview_update``    ``upload_id``                                       ``token``
``sample``            none                                                ``version``, ``run_id``
``queue``             ``run_id``, ``rows``                                ``run_id``, ``rows``
``drift``             ``run_id``                                          ``run_id``
``compare_versions``  ``run_id``, ``champion``, ``challenger``            a ``Versus`` as a dict
``export``            ``run_id``, ``format``                              ``run_id``, ``format``, ``rows``
====================  ==================================================  ====================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, RowMapping, select

from detector.errors import InputError, NotFoundError
from detector.service import demo, scoring
from detector.service.access import Right, needs, permit
from detector.service.background import SILENCE, Task, Work
from detector.service.drift import drifting
from detector.service.exports import exporting
from detector.service.progress import Progress
from detector.service.review import queueing
from detector.service.taking_up import LASTING, Watch, goes_on, take_up
from detector.service.tally import ScoredTally
from detector.service.versions import training, updating, versus
from detector.service.workspace import Workspace
from detector.store import audit, tables

JobKind = Literal[
    "train", "score", "preview_update", "sample", "queue", "drift", "compare_versions", "export"
]  # fmt: skip
JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class Job:
    """One piece of long work. ``error`` is a ``DetectorError.to_dict()``; ``result`` depends on the kind.

    ``attempts``: processes that have worked on it; those before the last one have died.
    """

    id: str
    kind: JobKind
    state: JobState
    arguments: Mapping[str, Any]
    actor: str
    done_rows: int
    total_rows: int | None
    message: str
    error: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    attempts: int = 1

    @property
    def is_over(self) -> bool:
        """Whether the work has ended, one way or another."""
        return self.state not in ("queued", "running")


@needs("read")
def submit(ws: Workspace, kind: JobKind, arguments: Mapping[str, Any], *, actor: str) -> Job:
    """Queue work and return at once.

    Raises
    ------
    InputError
        When the kind or a training parameter is unknown, or an argument is missing or superfluous.
    """
    if kind not in get_args(JobKind):
        raise InputError(f"There is no job of the kind {kind!r}; there are {', '.join(get_args(JobKind))}.")
    permit(actor, _RIGHTS[kind])
    missing = _REQUIRED[kind] - set(arguments)
    superfluous = set(arguments) - _REQUIRED[kind] - _OPTIONAL.get(kind, set())
    if missing or superfluous:
        raise InputError(
            f"The arguments of the job {kind!r} do not fit.", missing=sorted(missing), superfluous=sorted(superfluous)
        )
    training.TrainParameters.from_dict(arguments.get("parameters") or {})
    given, work = dict(arguments), _WORK[kind]
    job_id = ws.background.submit(
        kind, given, actor, lambda task: work(ws, given, actor, task), lasting=kind in LASTING
    )
    return get_job(ws, job_id)


def right_of(kind: JobKind) -> Right:
    """Return what a person must be allowed to do to begin or to stop a job of a kind."""
    return _RIGHTS[kind]


def take_up_jobs(ws: Workspace) -> int:
    """Go on with the jobs that processes left when they died, those that can; return how many."""

    def work_of(job: RowMapping) -> Work:
        return lambda task: _WORK[job["kind"]](ws, job["arguments"], job["actor"], task)

    return take_up(ws.background, ws.database, work_of)


def watch_jobs(ws: Workspace) -> None:
    """Take up jobs that were left, now and whenever a process dies, until the workspace is closed."""
    ws.background.watch = Watch(lambda: take_up_jobs(ws))


def get_job(ws: Workspace, job_id: str) -> Job:
    """Return a job as it stands; raises ``NotFoundError``."""
    with ws.database.read() as connection:
        query = select(tables.jobs).where(tables.jobs.c.id == job_id)
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such job.", job=job_id)
    return _job(row)


def latest_job(ws: Workspace, kind: JobKind | None = None) -> Job | None:
    """Return the newest job (of one kind), or ``None``."""
    query = select(tables.jobs).order_by(tables.jobs.c.number.desc()).limit(1)
    if kind is not None:
        query = query.where(tables.jobs.c.kind == kind)
    with ws.database.read() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _job(row)


@needs("read")
def cancel_job(ws: Workspace, job_id: str, *, actor: str) -> Job:
    """Ask a job to stop: at once while it waits for its turn, else at its next batch. One that is over stays so."""
    job = get_job(ws, job_id)
    permit(actor, _RIGHTS[job.kind])
    if job.is_over:
        return job
    with ws.database.write() as connection:
        audit.record(connection, actor=actor, action="job cancelled", subject=f"job {job_id}")
    ws.background.cancel(job_id)
    return get_job(ws, job_id)


def wait_for_job(ws: Workspace, job_id: str, timeout: float | None = None) -> Job:
    """Wait for a job of this process, at most ``timeout`` seconds, and return it as it then stands."""
    ws.background.wait(job_id, timeout)
    return get_job(ws, job_id)


def _job(row: RowMapping) -> Job:
    values, now = {name: row[name] for name in Job.__dataclass_fields__}, datetime.now(UTC)
    if row["state"] in ("queued", "running") and row["heartbeat_at"] < now - SILENCE:
        if goes_on(row, now):
            values |= {"state": "queued", "message": "The program was stopped; this goes on in a moment."}
        else:
            values["state"] = "cancelled" if row["cancel_asked"] else "interrupted"
    return Job(**values)


def _train(ws: Workspace, arguments: Mapping[str, Any], actor: str, task: Task) -> Mapping[str, Any]:
    def told(result: training.TrainResult) -> dict[str, Any]:
        return {"version": result.version, "rows": result.rows}

    parameters = training.TrainParameters.from_dict(arguments.get("parameters") or {})
    return told(
        training.train_file(
            ws, arguments["upload_id"], parameters, arguments.get("roles"), actor=actor, progress=task,
            also=lambda connection, result: task.end(connection, told(result)),
        )
    )  # fmt: skip


def _score(ws: Workspace, arguments: Mapping[str, Any], actor: str, task: Task) -> Mapping[str, Any]:
    def end(connection: Connection, run_id: int, tally: ScoredTally) -> None:
        task.end(connection, {"run_id": run_id, "rows": tally.rows, "flagged": tally.flagged})

    run = scoring.score_file(ws, arguments["upload_id"], actor=actor, progress=task, job_id=task.id, also=end)
    return {"run_id": run.id, "rows": run.rows, "flagged": run.flagged}


def _preview(ws: Workspace, arguments: Mapping[str, Any], actor: str, progress: Progress) -> Mapping[str, Any]:
    preview = updating.preview_update(ws, arguments["upload_id"], actor=actor, progress=progress)
    return {"token": preview.token}


def _sample(ws: Workspace, _: Mapping[str, Any], actor: str, progress: Progress) -> Mapping[str, Any]:
    run = demo.load_sample(ws, actor=actor, progress=progress)
    return {"version": run.version, "run_id": run.id}


def _queue(ws: Workspace, arguments: Mapping[str, Any], actor: str, progress: Progress) -> Mapping[str, Any]:
    queue = queueing.send_to_queue(ws, arguments["run_id"], arguments["rows"], actor=actor, progress=progress)
    return {"run_id": queue.run, "rows": queue.rows}


def _drift(ws: Workspace, arguments: Mapping[str, Any], _: str, progress: Progress) -> Mapping[str, Any]:
    return {"run_id": drifting.measure_run(ws, int(arguments["run_id"]), progress=progress).run}


def _compare(ws: Workspace, arguments: Mapping[str, Any], _: str, progress: Progress) -> Mapping[str, Any]:
    sides = (arguments["champion"], arguments["challenger"])
    return versus.compare_versions(ws, arguments["run_id"], *sides, progress=progress).to_dict()


def _export(ws: Workspace, arguments: Mapping[str, Any], actor: str, progress: Progress) -> Mapping[str, Any]:
    made = exporting.export_scored(ws, arguments["run_id"], arguments["format"], actor=actor, progress=progress)
    return {"run_id": made.run_id, "format": made.format, "rows": made.rows}


_WORK: dict[str, Callable[[Workspace, Mapping[str, Any], str, Task], Mapping[str, Any]]] = {
    "train": _train,
    "score": _score,
    "preview_update": _preview,
    "sample": _sample,
    "queue": _queue,
    "drift": _drift,
    versus.COMPARE: _compare,
    "export": _export,
}
_REQUIRED: dict[str, set[str]] = {
    "train": {"upload_id"},
    "score": {"upload_id"},
    "preview_update": {"upload_id"},
    "sample": set(),
    "queue": {"run_id", "rows"},
    "drift": {"run_id"},
    versus.COMPARE: {"run_id", "champion", "challenger"},
    "export": {"run_id", "format"},
}
#: What a person must be allowed to do to begin or to stop such a job.
_RIGHTS: dict[str, Right] = {
    "train": "manage",
    "score": "score",
    "preview_update": "manage",
    "sample": "manage",
    "queue": "decide",
    "drift": "read",
    versus.COMPARE: "read",
    "export": "read",
}
_OPTIONAL: dict[str, set[str]] = {"train": {"parameters", "roles"}}
