from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from detector.errors import InputError, NotFoundError, UnusableFileError
from detector.service import scoring, uploads
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv, transactions

Give = Callable[..., Upload]


def test_a_file_is_kept_under_an_id_of_our_own_whatever_it_is_called(ws: Workspace, tmp_path: Path) -> None:
    name = "../../etc/\u202epasswd" + "x" * 300 + ".csv"
    upload = uploads.receive(ws, name, b"a,b\n1,2\n", actor="ada")
    assert upload.name == name[-255:]
    assert upload.size == 8
    assert [path.name for path in (tmp_path / "data" / "uploads").iterdir()] == [upload.id]
    assert uploads.get_upload(ws, upload.id) == upload


def test_a_name_that_is_no_text_is_kept_as_far_as_it_is(ws: Workspace) -> None:
    assert uploads.receive(ws, "\ud800rows.csv", b"a\n1\n", actor="ada").name == "?rows.csv"


def test_a_stream_is_kept_as_bytes_are(ws: Workspace) -> None:
    one = uploads.receive(ws, "a.csv", BytesIO(b"a\n1\n"), actor="ada")
    other = uploads.receive(ws, "b.csv", b"a\n1\n", actor="ada")
    assert one.sha256 == other.sha256
    assert one.id != other.id


def test_an_empty_file_is_refused(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"a\.csv: the file is empty"):
        uploads.receive(ws, "a.csv", b"", actor="ada")
    assert list((tmp_path / "data" / "uploads").iterdir()) == []


def test_a_file_over_the_limit_is_refused_and_not_kept(open_workspace: Callable[..., Workspace]) -> None:
    ws = open_workspace(max_upload_bytes=1024**2)
    with pytest.raises(UnusableFileError, match="larger than 1 MB"):
        uploads.receive(ws, "a.csv", BytesIO(b"x" * (1024**2 + 1)), actor="ada")
    assert list((ws.settings.data_folder / "uploads").iterdir()) == []


def test_an_unknown_upload_is_not_found(ws: Workspace) -> None:
    for ask in (uploads.get_upload, uploads.check):
        with pytest.raises(NotFoundError, match="no such upload"):
            ask(ws, "../../etc/passwd")


def test_an_upload_whose_file_is_gone_says_what_to_do(ws: Workspace, give: Give) -> None:
    upload = give(transactions(60))
    (ws.settings.data_folder / "uploads" / upload.id).unlink()
    with pytest.raises(NotFoundError, match="Upload it again"):
        uploads.check(ws, upload.id)


def test_the_same_file_twice_is_recognised_until_the_champion_changes(
    ws: Workspace, trained: TrainResult, give: Give
) -> None:
    first = give(transactions(60))
    assert first.earlier_run is None
    run = scoring.score_file(ws, first.id, actor="ada")
    assert give(transactions(60), "other name.csv").earlier_run == run.id
    assert give(transactions(61)).earlier_run is None
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert give(transactions(60)).earlier_run is None


def test_a_check_says_what_is_in_each_column(ws: Workspace, give: Give) -> None:
    frame = transactions(200)
    frame["constant"] = 7
    frame["gaps"] = [1.0 if row % 4 else None for row in range(200)]
    frame["empty"] = None
    found = uploads.check(ws, give(frame).id)
    assert (found.name, found.format, found.delimiter, found.rows) == ("march.csv", "csv", ",", 200)
    by_name = {column.name: column for column in found.columns}
    assert by_name["amount"].role == "amount"
    assert by_name["at"].type == "time"
    assert by_name["country"].distinct == 3
    assert by_name["constant"].constant
    assert not by_name["items"].constant
    assert by_name["gaps"].nulls == 50
    assert by_name["empty"].distinct == 0
    assert set(by_name["country"].examples) == {"DE", "FR", "IT"}
    assert any(warning.startswith("empty:") for warning in found.warnings)
    assert any(warning.startswith("constant:") for warning in found.warnings)


def test_a_check_counts_rows_that_repeat_others(ws: Workspace, give: Give) -> None:
    frame = transactions(200)
    repeated = frame.iloc[[0, 1, 2, *range(200)]]
    found = uploads.check(ws, give(repeated).id)
    assert found.duplicates == 3 + int(frame.duplicated().sum())
    assert any("repeat an earlier row" in warning for warning in found.warnings)


def test_a_check_names_the_rows_of_an_id_that_comes_twice(ws: Workspace) -> None:
    ids = [f"T{n:04}" for n in range(60)]
    ids[40], ids[50] = ids[7], ids[9]
    rows = "".join(f"{name},{n % 7}\n" for n, name in enumerate(ids))
    upload = uploads.receive(ws, "twice.csv", f"txn_id,amount\n{rows},1\n,2\n".encode(), actor="ada")
    (warning,) = [text for text in uploads.check(ws, upload.id).warnings if "txn_id" in text]
    assert warning == (
        "txn_id: 2 values come more than once, though it is an id, in rows 8 and 41, 10 and 51. All of these rows are "
        "kept; take out of the file those that tell of one transaction twice."
    )


def test_a_check_of_a_header_alone_warns(ws: Workspace) -> None:
    upload = uploads.receive(ws, "a.csv", b"amount,items\n", actor="ada")
    found = uploads.check(ws, upload.id)
    assert found.rows == 0
    assert found.warnings == ("The file has a header and no rows.",)


def test_a_check_tells_how_far_it_is(open_workspace: Callable[..., Workspace]) -> None:
    ws = open_workspace(batch_rows=100)
    upload = uploads.receive(ws, "a.csv", csv(transactions(250)), actor="ada")
    told: list[tuple[int, int | None, str]] = []
    uploads.check(ws, upload.id, progress=lambda done, total, message: told.append((done, total, message)))
    assert told[-4:] == [(done, 250, "Checking a.csv") for done in (0, 100, 200, 250)]


def test_the_way_a_file_is_read_is_remembered_with_it(ws: Workspace) -> None:
    content = "city;amount\n" + "".join(f"Köln;{row * 7 % 31}\n" for row in range(60))
    upload = uploads.receive(ws, "a.csv", content.encode("cp1252"), actor="ada")
    with pytest.raises(InputError):
        uploads.check(ws, upload.id)
    assert uploads.check(ws, upload.id, encoding="cp1252").encoding == "cp1252"
    assert uploads.check(ws, upload.id).encoding == "cp1252"
    assert training.train_file(ws, upload.id, PARAMETERS, actor="ada").rows == 60


def test_a_way_of_reading_that_was_wrong_can_be_taken_back(ws: Workspace) -> None:
    upload = uploads.receive(ws, "a.csv", csv(transactions(60)), actor="ada")
    assert len(uploads.check(ws, upload.id, delimiter=";").columns) == 1
    assert len(uploads.check(ws, upload.id, afresh=True).columns) > 1
    assert len(uploads.check(ws, upload.id).columns) > 1


def test_a_file_without_names_is_read_when_that_is_said_and_so_remembered(ws: Workspace) -> None:
    content = "".join(f"{row},{row * 7 % 31}.5\n" for row in range(60))
    upload = uploads.receive(ws, "a.csv", content.encode(), actor="ada")
    with pytest.raises(InputError, match="looks like data"):
        uploads.check(ws, upload.id)
    for options in ({"header": False}, {}):
        found = uploads.check(ws, upload.id, **options)
        assert (found.rows, [column.name for column in found.columns]) == (60, ["column_1", "column_2"])
