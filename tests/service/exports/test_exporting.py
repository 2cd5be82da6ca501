from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import get_args

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert

from detector.errors import Cancelled, InputError, NotFoundError
from detector.service import jobs, runs, scoring
from detector.service.exports import exporting
from detector.service.exports.exporting import ExportFormat
from detector.service.runs import Run
from detector.service.uploads import Upload
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit, tables
from tests.decisions import decide
from tests.service.conftest import transactions

Give = Callable[..., Upload]

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


@pytest.fixture
def run(ws: Workspace, trained: TrainResult, give: Give) -> Run:
    frame = transactions(250, seed=2).assign(note="=1+1", decision="mine")
    return scoring.score_file(ws, give(frame).id, actor="ada")


def read(export: exporting.Export) -> pd.DataFrame:
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "xlsx": partial(pd.read_excel, engine="openpyxl")}
    frame: pd.DataFrame = readers[export.format](export.path)
    return frame


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_the_files_columns_and_what_scoring_added(
    ws: Workspace, run: Run, format: ExportFormat
) -> None:
    made = exporting.export_scored(ws, run.id, format, actor="eve")
    frame = read(made)
    assert list(frame.columns) == [*run.columns, "score", "severity", "flagged", "version", "cutoff"]
    page = runs.run_rows(ws, run.id, order="row", limit=200)
    assert frame["severity"].iloc[:200].to_list() == pytest.approx(page["severity"].to_list())
    assert frame["flagged"].sum() == run.flagged
    assert set(frame["note"]) == {"=1+1" if format == "parquet" else "'=1+1"}
    assert made.name == f"march_run1_scored.{format}"


@pytest.mark.parametrize("format", FORMATS)
def test_decisions_stand_beside_their_rows(ws: Workspace, run: Run, format: ExportFormat) -> None:
    decide(ws, run, {3: "fraud", 200: "legitimate", 7: "unclear"})
    decide(ws, run, {9: "fraud"}, ended=True)
    frame = read(exporting.export_scored(ws, run.id, format, actor="eve"))
    said = frame.dropna(subset=["decision"])
    assert (said.index + 1).tolist() == [3, 7, 200]
    assert said["decision"].tolist() == ["fraud", "unclear", "legitimate"]
    assert set(said["decided_by"]) == {"ada"}
    assert set(said["decision_reason"]) == {"stolen_card"}
    assert said["decided_at"].notna().all()
    assert set(frame["decision (file)"]) == {"mine"}


def test_reasons_come_from_the_queue_where_it_has_some(ws: Workspace, run: Run) -> None:
    folder = ws.settings.data_folder / "queues"
    folder.mkdir()
    listed = pa.table({"row": [2, 5], "reasons": [["amount is high", "hour is 3"], ["=new"]]})
    pq.write_table(listed, folder / "q.parquet")
    with ws.database.write() as connection:
        values = {"run": run.id, "rows": 2, "file": "q.parquet", "created_at": datetime.now(UTC), "created_by": "ada"}
        connection.execute(insert(tables.queues).values(**values))
    frame = read(exporting.export_scored(ws, run.id, "csv", actor="eve"))
    assert frame["reasons"].dropna().to_dict() == {1: "amount is high; hour is 3", 4: "'=new"}


@pytest.mark.parametrize("format", FORMATS)
def test_the_manifest_tells_what_the_file_is_and_where_it_came_from(
    ws: Workspace, run: Run, format: ExportFormat
) -> None:
    made = exporting.export_scored(ws, run.id, format, actor="eve")
    text = made.manifest_path.read_text()
    told = json.loads(text)
    content = made.path.read_bytes()
    assert told["sha256"] == sha256(content).hexdigest() == made.sha256
    assert told["bytes"] == len(content) == made.size
    assert (told["file"], told["rows"]) == (made.name, 250)
    assert told["source"] == {"file": "march.csv", "sha256": run.sha256, "rows_set_aside": 0}
    assert told["model"]["sha256"] == ws.registry.info(run.version).sha256
    assert told["cutoff"] == run.cutoff
    assert [column["name"] for column in told["columns"]] == list(read(made).columns)
    assert told["created_by"] == "eve"
    assert str(ws.settings.home) not in text


def test_an_export_is_written_once_and_anew_after_a_decision(ws: Workspace, run: Run) -> None:
    assert exporting.ready_export(ws, run.id, "csv") is None
    first = exporting.export_scored(ws, run.id, "csv", actor="eve")
    assert exporting.ready_export(ws, run.id, "csv") == first
    assert exporting.export_scored(ws, run.id, "csv", actor="eve") == first
    other = exporting.export_scored(ws, run.id, "parquet", actor="eve")
    decide(ws, run, {3: "fraud"})
    assert exporting.ready_export(ws, run.id, "csv") is None
    second = exporting.export_scored(ws, run.id, "csv", actor="eve")
    assert second.path != first.path
    assert not first.path.exists()
    assert not first.manifest_path.exists()
    assert other.path.exists()


def test_every_export_is_written_into_the_log(ws: Workspace, run: Run) -> None:
    made = exporting.export_scored(ws, run.id, "xlsx", actor="eve")
    with ws.database.read() as connection:
        (entry,) = audit.entries(connection, limit=1)
    assert (entry.actor, entry.action, entry.subject) == ("eve", "run exported", "run 1")
    assert entry.details["sha256"] == made.sha256


def test_what_excel_cannot_hold_is_told_before(ws: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exporting.unfit(run, "xlsx") is None
    monkeypatch.setattr(exporting, "MOST_ROWS", 100)
    assert exporting.unfit(run, "xlsx") == (
        "An Excel sheet holds 100 rows, and this run has 250. Choose CSV or Parquet."
    )
    assert exporting.unfit(run, "csv") is None
    with pytest.raises(InputError, match="Choose CSV or Parquet"):
        exporting.export_scored(ws, run.id, "xlsx", actor="eve")


def test_an_export_that_is_stopped_leaves_nothing(ws: Workspace, run: Run) -> None:
    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        if done_rows:
            raise Cancelled("stopped")

    for format in FORMATS:
        with pytest.raises(Cancelled):
            exporting.export_scored(ws, run.id, format, actor="eve", progress=stop)
    assert list((ws.settings.data_folder / "exports").iterdir()) == []


def test_a_long_export_is_a_job(ws: Workspace, run: Run) -> None:
    job = jobs.submit(ws, "export", {"run_id": run.id, "format": "xlsx"}, actor="eve")
    assert jobs.wait_for_job(ws, job.id, 60).result == {"run_id": run.id, "format": "xlsx", "rows": 250}
    assert exporting.ready_export(ws, run.id, "xlsx") is not None


def test_an_empty_run_gives_a_header(ws: Workspace, trained: TrainResult, give: Give) -> None:
    run = scoring.score_file(ws, give(transactions(9).head(0), "empty.csv").id, actor="ada")
    for format in FORMATS:
        frame = read(exporting.export_scored(ws, run.id, format, actor="eve"))
        assert len(frame) == 0
        assert "severity" in frame.columns


def test_what_is_not_there_cannot_be_exported(ws: Workspace, run: Run) -> None:
    with pytest.raises(NotFoundError, match="no run 7"):
        exporting.export_scored(ws, 7, "csv", actor="eve")
    with pytest.raises(InputError, match="not as 'pdf'"):
        exporting.export_scored(ws, run.id, "pdf", actor="eve")
    for path in (ws.settings.data_folder / "runs").iterdir():
        path.unlink()
    with pytest.raises(NotFoundError, match="Score the file again"):
        exporting.export_scored(ws, run.id, "csv", actor="eve")
