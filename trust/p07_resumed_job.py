"""P7: a batch job is exactly once."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from detector.service import background, jobs, runs, scoring, sweeping, taking_up, uploads
from detector.service.checkpoints import Checkpoint, checkpoints_folder
from detector.service.workspace import Workspace
from detector.store import audit, tables
from trust.children import ChildProcess, Tell, children, named
from trust.promise import Outcome, Promise, Size
from trust.workspaces import opened, payments, small_workspace

#: Seconds after which a piece of the check counts as stuck.
_STUCK = 90.0


def score(tell: Tell, home: str, batch: int, upload: str | None, slowly: float, patch: str | None) -> None:
    """Submit the scoring of an upload, or go on with what was left, and wait for its end.

    ``slowly``: seconds that each batch takes longer, so that there is time to be killed.
    """
    if patch is not None:
        named(patch)()
    keep = Checkpoint.keep

    def keep_slowly(self: Checkpoint, *given: Any) -> None:
        keep(self, *given)
        time.sleep(slowly)

    Checkpoint.keep = keep_slowly  # type: ignore[method-assign]
    taking_up.LOOK = 0.1
    ws = opened(Path(home), batch_rows=batch)
    if upload is not None:
        jobs.submit(ws, "score", {"upload_id": upload}, actor="ada")
    jobs.watch_jobs(ws)
    tell("began")
    latest = jobs.latest_job(ws, "score")
    while latest is not None and latest.state != "done":
        time.sleep(0.02)
        latest = jobs.latest_job(ws, "score")
    ws.close()
    tell("ended")


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Score a file undisturbed; kill and resume the scoring of the same file; compare the two byte for byte."""
    home = small_workspace(folder / "home")
    rows, batch, kills = size.choose((60_000, 2_500, 5), (1_200, 200, 2))
    ws = opened(home, batch_rows=batch)
    content = payments(rows, seed=7).to_csv(index=False).encode()
    first, second = (uploads.receive(ws, f"{name}.csv", content, actor="ada").id for name in ("calm", "killed"))
    calm = scoring.score_file(ws, first, actor="ada")
    patch = "trust.p07_resumed_job:confused" if broken else None
    given = {"home": str(home), "batch": batch, "patch": patch}
    faults: list[str] = []
    child, parts = children().start("trust.p07_resumed_job:score", folder, upload=second, slowly=0.1, **given), 0
    for kill in range(kills):
        parts = _wait_for_more(ws, parts)
        child.kill()
        if jobs.latest_job(ws, "score") is None or parts * batch >= rows:
            faults.append(f"the job was not under way when it was to be killed for the {kill + 1}. time")
        _fall_silent(ws)
        child = children().start("trust.p07_resumed_job:score", folder, upload=None, slowly=0.1, **given)
    # A process that was only frozen comes back when another has taken its job up: two of them, and one result.
    parts = _wait_for_more(ws, parts)
    os.kill(child.pid, signal.SIGSTOP)
    _fall_silent(ws)
    other = children().start("trust.p07_resumed_job:score", folder, upload=None, slowly=0.0, **given)
    faults += _until_it_ends(other)
    os.kill(child.pid, signal.SIGCONT)
    faults += _until_it_ends(child)
    faults += _compared(ws, calm, second, kills + 2)
    ws.close()
    figure = f"{rows:,} rows, killed {kills} times and frozen once: {len(faults)} faults"
    return Outcome(figure, tuple(faults))


def confused() -> None:
    """Break it: who goes on takes what was said of one batch for that of another."""
    scored = Checkpoint.scored

    def another(self: Checkpoint, part: int) -> Any:
        return scored(self, 0 if part < self.parts else part)

    Checkpoint.scored = another  # type: ignore[method-assign]


def _wait_for_more(ws: Workspace, parts: int) -> int:
    """Wait until another batch is kept, and return how many there are."""
    end = time.monotonic() + _STUCK
    while (found := len(list(checkpoints_folder(ws).glob("*/*.parquet")))) <= parts:
        if time.monotonic() > end:
            raise TimeoutError("the job does not go on")
        time.sleep(0.005)
    return found


def _fall_silent(ws: Workspace) -> None:
    """Let the time pass after which the process of the job counts as dead."""
    long_ago = datetime.now(UTC) - background.SILENCE - timedelta(seconds=5)
    with ws.database.write() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.kind == "score").values(heartbeat_at=long_ago))


def _until_it_ends(child: ChildProcess) -> list[str]:
    end = time.monotonic() + _STUCK
    while "ended" not in child.told():
        if time.monotonic() > end:
            child.kill()
            return ["a process did not see the end of the job"]
        time.sleep(0.02)
    code = child.wait()
    return [f"a process that scored ended with {code}"] if code else []


def _compared(ws: Workspace, calm: runs.Run, upload: str, attempts: int) -> list[str]:
    faults = []
    job = jobs.latest_job(ws, "score")
    found = [run for run in runs.list_runs(ws) if run.upload_id == upload]
    if job is None or job.state != "done" or job.attempts != attempts:
        how = job and (job.state, job.attempts)
        faults.append(f"the job is {how}, and not done after {attempts} attempts")
    if len(found) != 1:
        return [*faults, f"there are {len(found)} runs of the file, not one"]
    run = found[0]
    if job is None or job.result != {"run_id": run.id, "rows": run.rows, "flagged": run.flagged}:
        faults.append(f"the job says {job and job.result} of run {run.id}")
    one, other = (sha256(runs.run_path(ws, each.id).read_bytes()).hexdigest() for each in (calm, run))
    if one != other:
        faults.append("the scored rows are not those of an undisturbed run, byte for byte")
    told = [asdict(each) for each in (calm, run)]
    for name in told[0]:
        if name not in ("id", "name", "upload_id", "created_at") and told[0][name] != told[1][name]:
            faults.append(f"the run's {name} differ from those of an undisturbed run")
    with ws.database.read() as connection:
        chain = audit.follow(connection)
        scored = connection.scalars(select(tables.audit.c.subject).where(tables.audit.c.action == "file scored")).all()
    if chain.broken or scored.count(f"run {run.id}") != 1:
        faults.append(f"the log has {scored.count(f'run {run.id}')} entries of the run; {chain.broken or 'unbroken'}")
    # What was half written when a kill came, or by a process that was frozen over the end, is swept a day later.
    for path in [*checkpoints_folder(ws).rglob("*"), *(ws.settings.data_folder / "runs").glob("*")]:
        os.utime(path, (0, 0))
    sweeping.sweep(ws.settings, ws.database, ws.models)
    files = list((ws.settings.data_folder / "runs").glob("*.parquet"))
    if len(files) != len(runs.list_runs(ws)) or any(checkpoints_folder(ws).iterdir()):
        faults.append(f"something was left behind: {len(files)} files of {len(runs.list_runs(ws))} runs")
    return faults


PROMISE = Promise(
    name="P7",
    says="a batch job is exactly once",
    asked="killed and resumed 5 times, and frozen while another goes on: every row scored once, output identical",
    breaks="who goes on takes what was said of one batch for that of another",
    check=check,
)
