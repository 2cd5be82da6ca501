from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from detector.errors import InputError, NotFoundError
from detector.service import jobs, scoring, uploads
from detector.service.runs import get_run, run_rows
from detector.service.uploads import Upload
from detector.service.versions import training, updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv, transactions

COLUMNS = ["row", "line", "column", "reason", "record"]


def with_faults(frame: pd.DataFrame) -> bytes:
    """Return the frame as CSV with three more rows: too many values, no number, and no number behind a formula."""
    lines = csv(frame).decode().splitlines()
    lines.insert(11, "10.5,2,DE,2026-03-04T10:15:00,surplus")
    lines.insert(21, "ten,2,DE,2026-03-04T10:15:00")
    lines.append('=1+1,2,"D,E",2026-03-04T10:15:00')
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture
def faulty(ws: Workspace) -> Upload:
    return uploads.receive(ws, "faulty.csv", with_faults(transactions(300, seed=4)), actor="ada")


def files(ws: Workspace) -> list[Path]:
    return sorted((ws.settings.data_folder / "rejected").glob("*"))


def test_faulty_rows_refuse_a_file_unless_asked_otherwise(ws: Workspace, trained: TrainResult, faulty: Upload) -> None:
    for read in (
        lambda: uploads.check(ws, faulty.id),
        lambda: training.train_file(ws, faulty.id, PARAMETERS, actor="ada"),
        lambda: scoring.verdict(ws, faulty.id),
        lambda: scoring.score_file(ws, faulty.id, actor="ada"),
        lambda: updating.preview_update(ws, faulty.id),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert caught.value.total == 3
        assert caught.value.details["can_set_aside"] is True
    with pytest.raises(NotFoundError, match="No row"):
        uploads.rejected_rows(ws, faulty.id)
    assert [info.number for info in ws.registry.list()] == [1]


def test_a_check_remembers_to_set_faulty_rows_aside_until_it_is_taken_back(ws: Workspace, faulty: Upload) -> None:
    found = uploads.check(ws, faulty.id, set_aside=True)
    assert (found.rows, found.set_aside) == (300, 3)
    assert uploads.check(ws, faulty.id).set_aside == 3
    with pytest.raises(InputError):
        uploads.check(ws, faulty.id, set_aside=False)
    assert uploads.check(ws, faulty.id).set_aside == 3, "what cannot be read is not remembered"


def test_a_file_trains_without_its_faulty_rows_as_if_they_were_not_there(
    ws: Workspace, faulty: Upload, give: Callable[..., Upload]
) -> None:
    uploads.check(ws, faulty.id, set_aside=True)
    result = training.train_file(ws, faulty.id, PARAMETERS, actor="ada")
    assert (result.rows, result.set_aside, result.upload_id) == (300, 3, faulty.id)
    assert "3 of 303 rows could not be read and were set aside." in result.notes
    assert training.train_result(ws, result.version) == result
    clean = training.train_file(ws, give(transactions(300, seed=4)).id, PARAMETERS, actor="ada")
    probe = transactions(50, seed=9)
    scores = [ws.detector(version).score(probe).scores.tolist() for version in (result.version, clean.version)]
    assert scores[0] == scores[1]


def test_a_file_is_scored_without_its_faulty_rows(ws: Workspace, trained: TrainResult, faulty: Upload) -> None:
    uploads.check(ws, faulty.id, set_aside=True)
    told = scoring.verdict(ws, faulty.id)
    assert (told.state, told.rows, told.set_aside) == ("matches", 300, 3)
    run = scoring.score_file(ws, faulty.id, actor="ada")
    assert (run.rows, run.set_aside) == (300, 3)
    assert get_run(ws, run.id).set_aside == 3
    assert (
        run_rows(ws, run.id, order="row", limit=20)["amount"].tolist()
        == (transactions(300, seed=4)["amount"].tolist()[:20])
    )


def test_an_update_is_previewed_and_accepted_without_faulty_rows(
    ws: Workspace, trained: TrainResult, faulty: Upload
) -> None:
    uploads.check(ws, faulty.id, set_aside=True)
    preview = updating.preview_update(ws, faulty.id)
    assert (preview.rows, preview.set_aside, preview.upload_id) == (300, 3, faulty.id)
    updating.accept_update(ws, preview.token, actor="ada")
    assert ws.require_champion().rows == 600


def test_the_rejected_rows_are_a_file_that_names_place_and_reason(ws: Workspace, faulty: Upload) -> None:
    uploads.check(ws, faulty.id, set_aside=True)
    path = uploads.rejected_rows(ws, faulty.id)
    rejected = pd.read_csv(path)
    assert list(rejected.columns) == COLUMNS
    assert rejected["row"].tolist() == [11, 21, 303]
    assert rejected["line"].tolist() == [12, 22, 304]
    assert rejected["column"].fillna("").tolist() == ["", "amount", "amount"]
    assert "5" in rejected["reason"][0]
    assert "ten" in rejected["reason"][1]
    assert rejected["record"][0] == "10.5,2,DE,2026-03-04T10:15:00,surplus"
    assert rejected["record"][2] == '\'=1+1,2,"D,E",2026-03-04T10:15:00', "harmless in a spreadsheet"
    written = path.stat().st_mtime_ns
    assert uploads.rejected_rows(ws, faulty.id) == path
    assert path.stat().st_mtime_ns == written
    assert files(ws) == [path]


def test_the_rejected_rows_are_those_of_the_version_that_read_the_file(ws: Workspace, trained: TrainResult) -> None:
    # By itself a column of so many words is text; the model knows it as numbers.
    frame = transactions(30).astype({"items": object})
    frame.loc[:9, "items"] = "many"
    upload = uploads.receive(ws, "a.csv", csv(frame), actor="ada")
    assert uploads.check(ws, upload.id, set_aside=True).set_aside == 0
    told = scoring.verdict(ws, upload.id)
    assert (told.rows, told.set_aside) == (20, 10)
    rejected = pd.read_csv(uploads.rejected_rows(ws, upload.id, version=1))
    assert set(rejected["column"]) == {"items"}
    assert rejected["row"].tolist() == list(range(1, 11))
    with pytest.raises(NotFoundError, match="No row"):
        uploads.rejected_rows(ws, upload.id)


def test_a_file_without_faults_has_no_rejected_rows(ws: Workspace, give: Callable[..., Upload]) -> None:
    upload = give(transactions(60))
    assert uploads.check(ws, upload.id, set_aside=True).set_aside == 0
    with pytest.raises(NotFoundError, match="No row"):
        uploads.rejected_rows(ws, upload.id)
    assert files(ws) == []


def test_a_file_of_faulty_rows_alone_trains_nothing(ws: Workspace) -> None:
    upload = uploads.receive(ws, "a.csv", b"a,b\n1,2,3\n1,2,3\n", actor="ada")
    found = uploads.check(ws, upload.id, set_aside=True)
    assert (found.rows, found.set_aside) == (0, 2)
    assert found.warnings == ("100% of the rows were set aside: is the file read the right way?", "No row is left.")
    with pytest.raises(InputError, match="all 2 rows were set aside; there is nothing to learn from"):
        training.train_file(ws, upload.id, PARAMETERS, actor="ada")
    assert ws.champion() is None


def test_a_job_scores_an_upload_the_way_its_check_read_it(ws: Workspace, trained: TrainResult, faulty: Upload) -> None:
    uploads.check(ws, faulty.id, set_aside=True)
    job = jobs.wait_for_job(ws, jobs.submit(ws, "score", {"upload_id": faulty.id}, actor="ada").id, 60.0)
    assert job.result is not None
    assert job.result["rows"] == 300


def test_a_file_on_disk_leaves_its_faulty_rows_in_a_file(ws: Workspace, tmp_path: Path) -> None:
    path, aside, out = (tmp_path / name for name in ("in.csv", "aside.csv", "out.csv"))
    path.write_bytes(with_faults(transactions(300, seed=4)))
    assert training.train_path(ws, path, PARAMETERS, actor="ada", set_aside=aside).set_aside == 3
    assert pd.read_csv(aside)["row"].tolist() == [11, 21, 303]
    aside.unlink()
    assert scoring.score_path(ws, path, out, set_aside=aside).set_aside == 3
    assert len(pd.read_csv(aside)) == 3
    assert len(pd.read_csv(out)) == 300
    aside.unlink()
    assert updating.update_path(ws, path, actor="ada", set_aside=aside).set_aside == 3
    assert len(pd.read_csv(aside)) == 3
    path.write_bytes(csv(transactions(60)))
    assert scoring.score_path(ws, path, out, set_aside=aside).set_aside == 0
    assert pd.read_csv(aside).columns.tolist() == COLUMNS
    assert len(pd.read_csv(aside)) == 0, "nothing of an earlier file is left"
