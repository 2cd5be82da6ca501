from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from detector.errors import InputError, NotFoundError
from detector.service import background, jobs, runs, uploads
from detector.service.background import SILENCE, Background
from detector.service.progress import Progress
from detector.service.taking_up import mark_interrupted
from detector.service.uploads import Upload
from detector.service.versions import training, updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit, tables
from tests.service.conftest import transactions

Give = Callable[..., Upload]
LONG = 60.0


class Held:
    """Work that goes on, batch by batch, until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, progress: Progress) -> dict[str, Any]:
        self.began.set()
        done = 0
        while not self.go_on.wait(0.01):
            done += 1
            progress(done, None, "Holding")
        return {"done": done}


@pytest.fixture
def held() -> Held:
    return Held()


def test_a_training_job_makes_a_champion(ws: Workspace, give: Give) -> None:
    arguments = {
        "upload_id": give(transactions()).id,
        "parameters": {"n_estimators": 20},
        "roles": {"items": "ignored"},
    }
    job = jobs.submit(ws, "train", arguments, actor="ada")
    assert job.kind == "train"
    assert not job.is_over
    job = jobs.wait_for_job(ws, job.id, LONG)
    assert (job.state, job.result, job.error) == ("done", {"version": 1, "rows": 300}, None)
    assert (job.done_rows, job.total_rows, job.message) == (300, 300, "Done")
    assert job.finished_at is not None
    assert job.is_over
    assert "items" not in ws.require_champion().detector.get_feature_importance()


def test_scoring_and_previewing_are_jobs_too(ws: Workspace, trained: TrainResult, give: Give) -> None:
    upload = give(transactions(100, seed=2))
    job = jobs.wait_for_job(ws, jobs.submit(ws, "score", {"upload_id": upload.id}, actor="ada").id, LONG)
    assert job.result is not None
    assert runs.get_run(ws, job.result["run_id"]).rows == job.result["rows"] == 100
    job = jobs.wait_for_job(ws, jobs.submit(ws, "preview_update", {"upload_id": upload.id}, actor="ada").id, LONG)
    assert job.result is not None
    assert updating.get_preview(ws, job.result["token"]).rows == 100


def test_loading_the_sample_is_a_job(ws: Workspace) -> None:
    job = jobs.wait_for_job(ws, jobs.submit(ws, "sample", {}, actor="ada").id, LONG)
    assert job.state == "done"
    assert job.result is not None
    assert runs.get_run(ws, job.result["run_id"]).flagged > 0


def test_a_job_that_fails_keeps_the_error_as_people_read_it(ws: Workspace) -> None:
    upload = uploads.receive(ws, "a.csv", b"amount,items\n1,2\n2,3,4\n", actor="ada")
    job = jobs.wait_for_job(ws, jobs.submit(ws, "train", {"upload_id": upload.id}, actor="ada").id, LONG)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["code"] == "bad_input"
    assert "a.csv" in job.error["message"]
    assert job.error["problems"][0]["row"] == 2


def test_an_unexpected_error_is_told_without_its_insides(ws: Workspace) -> None:
    def broken(progress: Progress) -> dict[str, Any]:
        raise ZeroDivisionError("secret")

    job = jobs.wait_for_job(ws, ws.background.submit("train", {}, "ada", broken), LONG)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["code"] == "internal_error"
    assert "secret" not in str(job.error)


@pytest.mark.parametrize(
    ("kind", "arguments", "match"),
    [
        ("dance", {}, "no job of the kind 'dance'"),
        ("train", {}, "arguments of the job 'train'"),
        ("score", {"upload_id": "x", "path": "/etc/passwd"}, "arguments of the job 'score'"),
        ("train", {"upload_id": "x", "parameters": {"trees": 1}}, "no parameter 'trees'"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_at_once(
    ws: Workspace, kind: Any, arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        jobs.submit(ws, kind, arguments, actor="ada")
    assert jobs.latest_job(ws) is None


def test_an_unknown_job_is_not_found(ws: Workspace) -> None:
    with pytest.raises(NotFoundError):
        jobs.get_job(ws, "x")


def test_a_running_job_can_be_cancelled(ws: Workspace, held: Held) -> None:
    job_id = ws.background.submit("train", {}, "ada", held)
    assert held.began.wait(LONG)
    jobs.cancel_job(ws, job_id, actor="lead")
    job = jobs.wait_for_job(ws, job_id, LONG)
    assert job.state == "cancelled"
    assert job.error is not None
    assert job.error["code"] == "cancelled"
    assert jobs.cancel_job(ws, job_id, actor="lead") == job
    with ws.database.read() as connection:
        assert [(entry.actor, entry.action) for entry in audit.entries(connection)] == [
            ("lead", "job cancelled"),
            ("ada", "job submitted"),
        ]


def test_a_job_is_cancelled_from_another_process(open_workspace: Callable[..., Workspace], held: Held) -> None:
    here, there = open_workspace(), open_workspace()
    job_id = here.background.submit("train", {}, "ada", held)
    assert held.began.wait(LONG)
    jobs.cancel_job(there, job_id, actor="lead")
    assert jobs.wait_for_job(here, job_id, LONG).state == "cancelled"
    assert jobs.get_job(there, job_id).state == "cancelled"


def test_a_queued_job_that_is_cancelled_never_begins(ws: Workspace, held: Held) -> None:
    first = ws.background.submit("train", {}, "ada", held)
    second = Held()
    waiting = ws.background.submit("train", {}, "ada", second)
    assert jobs.get_job(ws, waiting).state == "queued"
    cancelled = jobs.cancel_job(ws, waiting, actor="ada")
    assert cancelled.state == "cancelled"
    assert cancelled.finished_at is not None
    assert cancelled.error is not None
    assert cancelled.error["code"] == "cancelled"
    assert ws.background.wait(waiting, 0), "nobody waits for the job that runs before it"
    held.go_on.set()
    assert jobs.wait_for_job(ws, first, LONG).state == "done"
    last = ws.background.submit("train", {}, "ada", lambda progress: {})
    assert jobs.wait_for_job(ws, last, LONG).state == "done"
    assert jobs.get_job(ws, waiting) == cancelled
    assert not second.began.is_set()


def test_a_queued_job_that_another_process_cancels_never_begins(
    open_workspace: Callable[..., Workspace], held: Held
) -> None:
    here, there = open_workspace(), open_workspace()
    here.background.submit("train", {}, "ada", held)
    second = Held()
    waiting = here.background.submit("train", {}, "ada", second)
    assert jobs.cancel_job(there, waiting, actor="lead").state == "cancelled"
    held.go_on.set()
    assert jobs.wait_for_job(here, waiting, LONG).state == "cancelled"
    assert not second.began.is_set()


def test_progress_reaches_the_database_while_the_job_runs(
    ws: Workspace, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "BEAT", 0.01)
    told = threading.Event()
    tell = Background._tell

    def tell_and_say_so(self: Background, task: Any) -> None:
        done_before = task.done_rows
        tell(self, task)
        if done_before > 0:
            told.set()

    monkeypatch.setattr(Background, "_tell", tell_and_say_so)
    job_id = ws.background.submit("train", {}, "ada", held)
    assert told.wait(LONG)
    job = jobs.get_job(ws, job_id)
    assert (job.state, job.message) == ("running", "Holding")
    assert job.done_rows > 0
    held.go_on.set()
    assert jobs.wait_for_job(ws, job_id, LONG).state == "done"


def test_the_latest_job_of_a_kind_is_found(ws: Workspace) -> None:
    done = [ws.background.submit(kind, {}, "ada", lambda progress: {}) for kind in ("train", "score", "train")]
    for job_id in done:
        jobs.wait_for_job(ws, job_id, LONG)
    latest, score = jobs.latest_job(ws), jobs.latest_job(ws, "score")
    assert latest is not None
    assert score is not None
    assert (latest.id, score.id) == (done[2], done[1])
    assert jobs.latest_job(ws, "sample") is None


def test_a_job_whose_process_died_is_interrupted(ws: Workspace, open_workspace: Callable[..., Workspace]) -> None:
    job_id = ws.background.submit("train", {}, "ada", lambda progress: {})
    jobs.wait_for_job(ws, job_id, LONG)
    dead = datetime.now(UTC) - SILENCE - timedelta(seconds=1)
    with ws.database.write() as connection:
        connection.execute(update(tables.jobs).values(state="running", heartbeat_at=dead, finished_at=None))
    assert jobs.get_job(ws, job_id).state == "interrupted"
    again = open_workspace()
    with again.database.read() as connection:
        assert connection.scalar(select(tables.jobs.c.state)) == "interrupted"
    assert jobs.get_job(again, job_id).finished_at is not None
    assert mark_interrupted(again.database, datetime.now(UTC)) == 0


def test_closing_the_workspace_stops_its_jobs(ws: Workspace, held: Held) -> None:
    job_id = ws.background.submit("train", {}, "ada", held)
    assert held.began.wait(LONG)
    ws.background.close()
    assert jobs.get_job(ws, job_id).state == "cancelled"


def test_a_cancelled_training_leaves_the_champion_as_it_was(
    ws: Workspace, trained: TrainResult, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = training._fitted

    def ask_to_stop(*given: Any) -> Any:
        latest = jobs.latest_job(ws)
        assert latest is not None
        jobs.cancel_job(ws, latest.id, actor="ada")
        return fitted(*given)

    monkeypatch.setattr(training, "_fitted", ask_to_stop)
    job = jobs.submit(ws, "train", {"upload_id": give(transactions(100)).id}, actor="ada")
    assert jobs.wait_for_job(ws, job.id, LONG).state == "cancelled"
    assert [info.number for info in ws.registry.list()] == [1]
