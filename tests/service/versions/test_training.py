from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detector.errors import Cancelled, InputError, NotFoundError
from detector.service import uploads
from detector.service.uploads import Upload
from detector.service.versions import training, updating
from detector.service.versions.training import TrainParameters, TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv, transactions

Give = Callable[..., Upload]


def test_training_on_rows_says_what_was_learned_and_what_was_left_out(ws: Workspace) -> None:
    frame = transactions().assign(memo="same", is_fraud=0)
    result = training.train_rows(ws, frame, PARAMETERS, {"is_fraud": "label"}, actor="ada")
    assert (result.version, result.rows) == (1, 300)
    assert set(result.features) == {"amount", "items", "country", "at"}
    reasons = dict(result.left_out)
    assert "same value" in reasons["memo"]
    assert "is_fraud" in reasons


def test_records_train_as_frames_do(ws: Workspace) -> None:
    frame = transactions()
    one = training.train_rows(ws, frame.to_dict("records"), PARAMETERS, actor="ada")
    other = training.train_rows(ws, frame, PARAMETERS, actor="ada")
    assert ws.registry.info(one.version).sha256 == ws.registry.info(other.version).sha256


def test_figures_come_from_rows_held_out(ws: Workspace, trained: TrainResult) -> None:
    assert trained.held_out_rows == 60
    assert trained.score_histogram.rows == 60
    assert set(trained.flagged_shares) == {0.5, 1.0, 2.0, 5.0, 10.0}
    assert trained.flagged_shares[0.5] <= trained.flagged_shares[10.0] <= 0.3


def test_few_rows_hold_nothing_out(ws: Workspace) -> None:
    result = training.train_rows(ws, transactions(30), PARAMETERS, actor="ada")
    assert (result.held_out_rows, result.score_histogram.rows, result.flagged_shares) == (0, 0, {})


def test_the_result_of_a_training_can_be_asked_again(ws: Workspace, trained: TrainResult) -> None:
    assert training.train_result(ws, 1) == trained
    updated = updating.update_rows(ws, transactions(40, seed=3), actor="ada")
    assert training.train_result(ws, updated.version) is None
    with pytest.raises(NotFoundError):
        training.train_result(ws, 99)


def test_an_upload_and_the_same_file_on_disk_train_the_same_model(ws: Workspace, give: Give, tmp_path: Path) -> None:
    path = tmp_path / "march.csv"
    path.write_bytes(csv(transactions()))
    one = training.train_file(ws, give(transactions()).id, PARAMETERS, actor="ada")
    other = training.train_path(ws, path, PARAMETERS, actor="ada")
    assert ws.registry.get(one.version) == ws.registry.get(other.version)
    figures = ws.registry.info(one.version).figures
    assert figures["file"] == "march.csv"


def test_a_file_that_does_not_exist_is_not_found(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file .*gone\.csv"):
        training.train_path(ws, tmp_path / "gone.csv", actor="ada")


def test_a_long_file_is_learned_from_an_even_sample_and_says_so(open_workspace: Callable[..., Workspace]) -> None:
    ws = open_workspace(max_training_rows=100, batch_rows=64)
    upload = uploads.receive(ws, "a.csv", csv(transactions(300)), actor="ada")
    result = training.train_file(ws, upload.id, PARAMETERS, actor="ada")
    assert result.rows == 100
    assert any("even sample of 100 of the 300 rows" in note for note in result.notes)


def test_a_header_alone_has_nothing_to_learn_from(ws: Workspace) -> None:
    upload = uploads.receive(ws, "a.csv", b"amount,items\n", actor="ada")
    with pytest.raises(InputError, match=r"a\.csv has a header and no rows"):
        training.train_file(ws, upload.id, PARAMETERS, actor="ada")
    assert ws.champion() is None


def test_a_parameter_out_of_range_is_named(ws: Workspace) -> None:
    with pytest.raises(InputError, match="contamination must be"):
        training.train_rows(ws, transactions(60), TrainParameters(contamination=0.9), actor="ada")
    with pytest.raises(InputError, match="There is no parameter 'trees'"):
        TrainParameters.from_dict({"trees": 3})
    assert TrainParameters.from_dict({"n_estimators": 7}).n_estimators == 7


def test_a_cancelled_training_keeps_nothing(ws: Workspace, give: Give) -> None:
    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        if message == "Keeping the model":
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        training.train_file(ws, give(transactions()).id, PARAMETERS, actor="ada", progress=stop)
    assert ws.registry.list() == ()
    assert ws.champion() is None


def test_a_text_among_numbers_is_refused_by_row_and_field(ws: Workspace) -> None:
    rows = [{"amount": float(i), "country": "FR" if i % 3 else "DE"} for i in range(60)]
    rows[7]["amount"] = "NA"
    with pytest.raises(InputError, match="Row 8, field 'amount': 'NA'"):
        training.train_rows(ws, rows, actor="test")
    assert ws.champion() is None


def test_a_training_on_few_rows_says_so(ws: Workspace) -> None:
    rows = [{"amount": 1.0, "n": 2}, {"amount": 3.0, "n": 1}]
    assert any("only 2 rows" in note for note in training.train_rows(ws, rows, actor="test").notes)
    with pytest.raises(InputError, match=r"^Training needs at least two rows; there is 1\.$"):
        training.train_rows(ws, rows[:1], actor="test")
