from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from detector.errors import Cancelled
from detector.service import jobs, runs, scoring, taking_up
from detector.service.background import SILENCE
from detector.service.checkpoints import Checkpoint, checkpoints_folder
from detector.service.progress import Progress
from detector.service.taking_up import GIVEN_UP, MOST_ATTEMPTS, mark_interrupted
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit, tables
from tests.service.conftest import PARAMETERS, card_payments

Open, Give = Callable[..., Workspace], Callable[..., Upload]
LONG = 60.0
ROLES = {"card": "entity", "order": "ignored"}


class PowerCutError(BaseException):
    """The end of a process, as far as the code that it runs can tell."""


def silence(ws: Workspace, since: timedelta = SILENCE + timedelta(seconds=1), **values: Any) -> None:
    """Make the jobs look as if their process had died, ``since`` ago."""
    values = {"state": "running", "finished_at": None, "heartbeat_at": datetime.now(UTC) - since} | values
    with ws.database.write() as connection:
        connection.execute(update(tables.jobs).values(**values))


def stop_after(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """Let the process die when so many batches of a file are kept."""
    keep, kept = Checkpoint.keep, [0]

    def keep_and_die(self: Checkpoint, *given: Any) -> None:
        keep(self, *given)
        kept[0] += 1
        if kept[0] == parts:
            raise PowerCutError

    monkeypatch.setattr(Checkpoint, "keep", keep_and_die)


@pytest.fixture
def left(ws: Workspace) -> str:
    """A scoring whose process has died before it did anything."""
    job_id = ws.background.submit("score", {"upload_id": "x"}, "ada", lambda task: {}, lasting=True)
    ws.background.wait(job_id, LONG)
    silence(ws)
    return job_id


def test_a_scoring_that_was_left_waits_to_be_taken_up(ws: Workspace, left: str, open_workspace: Open) -> None:
    job = jobs.get_job(ws, left)
    assert (job.state, job.is_over, job.message) == (
        "queued", False, "The program was stopped; this goes on in a moment.",
    )  # fmt: skip
    open_workspace()
    assert jobs.get_job(ws, left).state == "queued"


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"kind": "train"}, "interrupted"),
        ({"attempts": MOST_ATTEMPTS}, "interrupted"),
        ({"since": GIVEN_UP + timedelta(minutes=1)}, "interrupted"),
        ({"cancel_asked": True}, "cancelled"),
    ],
)
def test_what_does_not_go_on_is_over(ws: Workspace, left: str, values: dict[str, Any], state: str) -> None:
    silence(ws, **values)
    assert jobs.get_job(ws, left).state == state
    assert jobs.take_up_jobs(ws) == 0
    assert mark_interrupted(ws.database, datetime.now(UTC)) == 1
    assert jobs.get_job(ws, left).state == state


def test_one_of_two_processes_takes_a_job_up(ws: Workspace, left: str, open_workspace: Open) -> None:
    other = open_workspace()
    assert jobs.take_up_jobs(ws) + jobs.take_up_jobs(other) == 1
    jobs.wait_for_job(ws, left, LONG)
    with ws.database.read() as connection:
        newest = audit.entries(connection)[0]
    assert (newest.actor, newest.action, newest.details) == ("system", "job taken up", {"kind": "score", "attempt": 2})


def test_a_job_that_waits_to_be_taken_up_can_be_cancelled(ws: Workspace, left: str) -> None:
    assert jobs.cancel_job(ws, left, actor="ada").state == "cancelled"
    assert jobs.take_up_jobs(ws) == 0


def test_whoever_was_taken_for_dead_cannot_end_the_job(ws: Workspace, open_workspace: Open) -> None:
    began, go_on = threading.Event(), threading.Event()

    def work(task: Any) -> dict[str, Any]:
        began.set()
        go_on.wait(LONG)
        with ws.database.write() as connection:
            task.end(connection, {"by": "the first"})
        return {}

    job_id = ws.background.submit("score", {"upload_id": "x"}, "ada", work, lasting=True)
    assert began.wait(LONG)
    other = open_workspace()
    with ws.database.write() as connection:
        connection.execute(update(tables.jobs).values(owner=other.background.owner))
    go_on.set()
    ws.background.wait(job_id, LONG)
    with ws.database.read() as connection:
        assert connection.execute(select(tables.jobs.c.state, tables.jobs.c.result)).one() == ("running", None)


def test_scoring_goes_on_behind_what_was_scored(
    open_workspace: Open, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_workspace(batch_rows=50)
    training.train_rows(ws, card_payments(), PARAMETERS, ROLES, actor="ada")
    upload = give(card_payments(220, seed=1)).id
    calm = scoring.score_file(ws, upload, actor="ada")
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        with pytest.raises(PowerCutError):
            scoring.score_file(ws, upload, actor="ada", job_id="j")
    training.train_rows(ws, card_payments(seed=5), PARAMETERS, ROLES, actor="ada")
    ws.set_cutoff(50.0, actor="ada")
    scored = []
    score = scoring.ScoredTally.score
    monkeypatch.setattr(
        scoring.ScoredTally, "score", lambda self, *given: (scored.append(given[1] is None), score(self, *given))[1]
    )
    run = scoring.score_file(ws, upload, actor="ada", job_id="j")
    assert scored == [False, False, True, True, True]
    assert runs.run_path(ws, run.id).read_bytes() == runs.run_path(ws, calm.id).read_bytes()
    for name in ("version", "cutoff", "rows", "flagged", "report", "histogram", "reasons", "periods", "columns"):
        assert getattr(run, name) == getattr(calm, name)
    assert not list(checkpoints_folder(ws).iterdir())


def test_what_was_scored_in_other_batches_does_not_count(
    open_workspace: Open, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_workspace(batch_rows=50)
    training.train_rows(ws, card_payments(), PARAMETERS, ROLES, actor="ada")
    upload = give(card_payments(120, seed=1)).id
    with monkeypatch.context() as patched:
        stop_after(patched, 1)
        with pytest.raises(PowerCutError):
            scoring.score_file(ws, upload, actor="ada", job_id="j")
    other = open_workspace(batch_rows=40)
    calm, run = (scoring.score_file(other, upload, actor="ada", job_id=job) for job in (None, "j"))
    assert runs.run_path(ws, run.id).read_bytes() == runs.run_path(ws, calm.id).read_bytes()


def test_a_short_file_leaves_nothing_on_the_way(ws: Workspace, trained: TrainResult, give: Give) -> None:
    scoring.score_file(ws, give(card_payments(30)).id, actor="ada", job_id="j")
    assert not checkpoints_folder(ws).exists()


def test_a_program_that_is_stopped_leaves_scoring_to_the_next(
    open_workspace: Open, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_workspace(batch_rows=50)
    training.train_rows(ws, card_payments(), PARAMETERS, ROLES, actor="ada")
    upload = give(card_payments(220, seed=1)).id
    began, go_on = threading.Event(), threading.Event()
    keep = Checkpoint.keep

    def keep_and_wait(self: Checkpoint, *given: Any) -> None:
        keep(self, *given)
        began.set()
        go_on.wait(LONG)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "keep", keep_and_wait)
        job = jobs.submit(ws, "score", {"upload_id": upload}, actor="ada")
        assert began.wait(LONG)
        closing = threading.Thread(target=ws.background.close)
        closing.start()
        while not ws.background._tasks[job.id].cancel.is_set():
            pass
        go_on.set()
        closing.join()
    assert jobs.get_job(ws, job.id).state == "queued"
    after = open_workspace(batch_rows=50)
    assert jobs.take_up_jobs(after) == 1
    done = jobs.wait_for_job(after, job.id, LONG)
    assert (done.state, done.attempts, done.result and done.result["rows"]) == ("done", 2, 220)


def test_a_watch_looks_at_once_and_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_up, "LOOK", 0.001)
    looks = threading.Semaphore(0)
    watch = taking_up.Watch(looks.release)
    for _ in range(3):
        assert looks.acquire(timeout=LONG)
    watch.stop()
    assert not watch._thread.is_alive()


def test_a_training_is_done_when_its_version_is_there(ws: Workspace, give: Give) -> None:
    states: list[Any] = []
    promote = ws.promote

    def promote_and_look(*given: Any, **named: Any) -> Any:
        info = promote(*given, **named)
        with ws.database.read() as connection:
            states.append(connection.execute(select(tables.jobs.c.state, tables.jobs.c.result)).one())
        return info

    ws.promote = promote_and_look  # type: ignore[method-assign]
    job = jobs.submit(ws, "train", {"upload_id": give(card_payments(60)).id}, actor="ada")
    assert jobs.wait_for_job(ws, job.id, LONG).state == "done"
    assert states == [("done", {"version": 1, "rows": 60})]


def test_a_score_that_is_cancelled_leaves_no_run(ws: Workspace, trained: TrainResult, give: Give) -> None:
    def stop(*_: Any) -> None:
        raise Cancelled("stopped")

    progress: Progress = stop
    with pytest.raises(Cancelled):
        scoring.score_file(ws, give(card_payments(30)).id, actor="ada", progress=progress, job_id="j")
    assert runs.list_runs(ws) == ()
