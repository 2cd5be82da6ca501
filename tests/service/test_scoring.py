from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import Cancelled, InputError, NoKnownColumnsError, NotTrainedError
from detector.files import ScoredWriter, Table
from detector.files.parsing import BATCH_ROWS
from detector.service import runs, scoring, uploads
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv, transactions

Give = Callable[..., Upload]
MARKS = ["score", "severity", "flagged", "version", "cutoff"]


def test_rows_are_scored_by_the_champion_without_touching_the_disk(ws: Workspace, trained: TrainResult) -> None:
    frame = transactions(50, seed=5)
    champion, result, explanation = scoring.score_rows(ws, frame)
    assert champion.version == 1
    assert explanation is None
    np.testing.assert_array_equal(result.severities, champion.detector.score(frame).severities)
    assert list(ws.settings.data_folder.glob("runs/*")) == []


def test_one_record_is_scored_and_explained(ws: Workspace, trained: TrainResult) -> None:
    record = {"amount": 9_000.0, "items": 1, "country": "DE", "at": "2026-03-05T03:15:00"}
    _, result, explanation = scoring.score_rows(ws, record, explain=True)
    assert result.labels.tolist() == [-1]
    assert explanation is not None
    assert explanation.reasons[0][0].feature in ("amount", "at")


def test_a_cutoff_of_ones_own_decides_what_is_flagged(ws: Workspace, trained: TrainResult) -> None:
    ws.set_cutoff(0.0, actor="lead")
    assert (scoring.score_rows(ws, transactions(50))[1].labels == -1).mean() > 0.9
    ws.set_cutoff(100.0, actor="lead")
    assert (scoring.score_rows(ws, transactions(50))[1].labels == -1).sum() == 0


def test_scoring_before_training_says_so(ws: Workspace, give: Give) -> None:
    upload = give(transactions(60))
    for ask in (lambda: scoring.score_rows(ws, {"amount": 1}), lambda: scoring.verdict(ws, upload.id)):
        with pytest.raises(NotTrainedError):
            ask()


def test_the_verdict_on_known_columns_is_that_they_match(ws: Workspace, trained: TrainResult, give: Give) -> None:
    found = scoring.verdict(ws, give(transactions(100, seed=2)).id)
    assert (found.state, found.version, found.rows_looked_at) == ("matches", 1, 100)
    assert found.sentence == "All columns are as version 1 knows them."


def test_the_verdict_counts_what_the_detector_deals_with(ws: Workspace, trained: TrainResult, give: Give) -> None:
    frame = transactions(100, seed=2).drop(columns="country").assign(device="phone")
    found = scoring.verdict(ws, give(frame).id)
    assert found.state == "handled"
    assert "1 new, 1 missing" in found.sentence
    assert (found.report["new"], found.report["missing"]) == (["device"], ["country"])


def test_a_file_without_a_known_column_is_blocked_and_not_scored(
    ws: Workspace, trained: TrainResult, give: Give
) -> None:
    upload = give(pd.DataFrame({"height": [1.0, 2.0] * 30}))
    assert scoring.verdict(ws, upload.id).state == "blocked"
    with pytest.raises(NoKnownColumnsError):
        scoring.score_file(ws, upload.id, actor="ada")
    assert list((ws.settings.data_folder / "runs").iterdir()) == []
    assert runs.list_runs(ws) == ()


def test_a_file_with_too_little_of_what_matters_is_blocked(
    open_workspace: Callable[..., Workspace],
) -> None:
    ws = open_workspace(min_importance=0.9)
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    upload = uploads.receive(ws, "a.csv", csv(transactions(60)[["items"]]), actor="ada")
    found = scoring.verdict(ws, upload.id)
    assert found.state == "blocked"
    assert "too little" in found.sentence
    with pytest.raises(NoKnownColumnsError, match="less than the 90% that a score needs"):
        scoring.score_file(ws, upload.id, actor="ada")


def test_a_scored_file_keeps_its_columns_beside_the_scores(ws: Workspace, trained: TrainResult, give: Give) -> None:
    frame = transactions(100, seed=2)
    run = scoring.score_file(ws, give(frame).id, actor="ada")
    assert (run.name, run.rows, run.version, run.cutoff, run.actor) == ("march.csv", 100, 1, 90.0, "ada")
    rows = runs.run_rows(ws, run.id, order="row")
    assert list(rows.columns) == [*frame.columns, *MARKS]
    direct = ws.require_champion().detector.score(frame)
    np.testing.assert_allclose(rows["severity"], direct.severities)
    assert run.flagged == int((direct.labels == -1).sum()) == int(rows["flagged"].sum())
    assert run.histogram.rows == 100


def test_batches_give_the_same_figures_as_the_whole(open_workspace: Callable[..., Workspace]) -> None:
    frame = transactions(100, seed=2).drop(columns="country").assign(device="phone")
    found = []
    for batch_rows in (30, 1_000):
        ws = open_workspace(batch_rows=batch_rows)
        if ws.champion() is None:
            training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
        upload = uploads.receive(ws, "a.csv", csv(frame), actor="ada")
        found.append(scoring.score_file(ws, upload.id, actor="ada"))
    parts, whole = found
    assert (parts.flagged, parts.histogram, parts.periods, parts.reasons, parts.report) == (
        whole.flagged,
        whole.histogram,
        whole.periods,
        whole.reasons,
        whole.report,
    )
    assert parts.report["rows"] == 100


def test_a_run_counts_reasons_and_days(ws: Workspace, trained: TrainResult, give: Give) -> None:
    run = scoring.score_file(ws, give(transactions(200, seed=2)).id, actor="ada")
    assert sum(rows for _, rows in run.reasons) <= min(run.flagged, 200)
    assert run.reasons[0][0] in ("amount", "at")
    assert sum(rows for _, rows, _ in run.periods) == 200
    assert sum(flagged for _, _, flagged in run.periods) == run.flagged


def test_a_header_alone_gives_an_empty_run(ws: Workspace, trained: TrainResult) -> None:
    upload = uploads.receive(ws, "a.csv", b"amount,items,country,at\n", actor="ada")
    run = scoring.score_file(ws, upload.id, actor="ada")
    assert (run.rows, run.flagged, run.reasons, run.periods) == (0, 0, (), ())
    assert len(runs.run_rows(ws, run.id)) == 0


def test_a_cancelled_run_leaves_neither_files_nor_rows(ws: Workspace, trained: TrainResult, give: Give) -> None:
    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        if message.startswith("Scoring") and done_rows:
            raise Cancelled("stop")

    upload = give(transactions(100))
    with pytest.raises(Cancelled):
        scoring.score_file(ws, upload.id, actor="ada", progress=stop)
    assert list((ws.settings.data_folder / "runs").iterdir()) == []
    assert runs.list_runs(ws) == ()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_is_scored_into_another(ws: Workspace, trained: TrainResult, tmp_path: Path, suffix: str) -> None:
    path, out = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    frame = transactions(100, seed=2)
    path.write_bytes(csv(frame))
    summary = scoring.score_path(ws, path, out)
    written = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(written.columns) == [*frame.columns, *MARKS]
    assert (summary.rows, summary.flagged, summary.version) == (100, int(written["flagged"].sum()), 1)
    np.testing.assert_allclose(written["severity"], ws.require_champion().detector.score(frame).severities)
    assert runs.list_runs(ws) == ()


@pytest.mark.parametrize("seed", range(3))
def test_blocks_of_any_size_give_the_same_file(
    open_workspace: Callable[..., Workspace], tmp_path: Path, seed: int
) -> None:
    training.train_rows(open_workspace(), transactions(), PARAMETERS, actor="ada")
    frame = transactions(250, seed=seed + 10)
    gone = np.random.default_rng(seed).random(frame.shape) < 0.1
    frame = frame.mask(gone)
    path, out = tmp_path / "in.csv", tmp_path / "out.parquet"
    path.write_bytes(csv(frame))
    found = []
    for size in (1, 7, 64, 250, 1_000):
        summary = scoring.score_path(open_workspace(batch_rows=size), path, out)
        found.append((pd.read_parquet(out), summary.flagged, summary.histogram))
    for written, flagged, histogram in found[1:]:
        pd.testing.assert_frame_equal(written, found[0][0])
        assert (flagged, histogram) == found[0][1:]


def test_a_block_is_read_ahead_and_one_written_behind_and_no_more(
    open_workspace: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_workspace(batch_rows=20)
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    path = tmp_path / "in.csv"
    path.write_bytes(csv(transactions(1_000, seed=3)))
    read, held = [0], []

    def counted(table: Table, size: int) -> Iterator[tuple[pd.DataFrame, pa.Table]]:
        for block in table_blocks(table, size):
            read[0] += 1
            yield block

    def add(writer: ScoredWriter, rows: pa.Table, scored: pd.DataFrame) -> None:
        held.append(read[0] - writer.rows // 20)
        added(writer, rows, scored)

    table_blocks, added = Table.blocks, ScoredWriter.add
    monkeypatch.setattr(Table, "blocks", counted)
    monkeypatch.setattr(ScoredWriter, "add", add)
    assert scoring.score_path(ws, path, tmp_path / "out.parquet").rows == 1_000
    assert len(held) == 50
    # One is written, one is scored, one is read.
    assert max(held) <= 4


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_nothing_is_left_of_a_file_that_goes_wrong_near_its_end(
    ws: Workspace, trained: TrainResult, tmp_path: Path, form: str
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path, out = folder / f"in.{form}", folder / "out.parquet"
    frame = pd.concat([transactions(BATCH_ROWS, seed=seed) for seed in range(3)])
    if form == "csv":
        path.write_bytes(csv(frame) + b"1,2,3,4,5\n")
    else:
        frame.to_parquet(path, index=False, row_group_size=BATCH_ROWS)
        last = pq.ParquetFile(path).metadata.row_group(2).column(0)
        content = bytearray(path.read_bytes())
        begin = last.dictionary_page_offset or last.data_page_offset
        content[begin : begin + 40] = b"\xff" * 40
        path.write_bytes(content)
    with pytest.raises(InputError):
        scoring.score_path(ws, path, out)
    assert list(folder.iterdir()) == [path]


def test_a_header_alone_is_scored_into_a_header(ws: Workspace, trained: TrainResult, tmp_path: Path) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(b"amount,items,country,at\n")
    assert scoring.score_path(ws, path, out).rows == 0
    assert out.read_text().strip() == ",".join(["amount", "items", "country", "at", *MARKS])


def test_a_result_of_another_format_is_refused_before_anything_is_read(
    ws: Workspace, trained: TrainResult, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"out\.xlsx ends in neither"):
        scoring.score_path(ws, tmp_path / "in.csv", tmp_path / "out.xlsx")


def test_an_exported_file_can_be_scored_again(ws: Workspace, trained: TrainResult, give: Give) -> None:
    first = scoring.score_file(ws, give(transactions(60)).id, actor="ada")
    exported = runs.export_run(ws, first.id, "csv")
    again = scoring.score_file(ws, uploads.receive(ws, "b.csv", exported.read_bytes(), actor="ada").id, actor="ada")
    rows = runs.run_rows(ws, again.id)
    np.testing.assert_allclose(rows["severity"], rows["severity (file)"])
