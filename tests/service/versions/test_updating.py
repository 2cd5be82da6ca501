from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detector.errors import (
    Cancelled,
    ConflictError,
    InputError,
    ModelFileError,
    NoKnownColumnsError,
    NotFoundError,
    NotTrainedError,
)
from detector.service import demo, uploads
from detector.service.uploads import Upload
from detector.service.versions import learning, training, updating
from detector.service.versions.comparing import rank_correlation
from detector.service.versions.training import TrainResult
from detector.service.workspace import Champion, Workspace
from detector.store import audit
from tests.service.conftest import PARAMETERS, csv, transactions

Give = Callable[..., Upload]


def new_column(rows: int = 200, seed: int = 7) -> object:
    frame = transactions(rows, seed=seed)
    return frame.assign(device_score=np.random.default_rng(seed).random(rows).round(3))


def test_a_preview_says_what_would_change_and_changes_nothing(ws: Workspace, trained: TrainResult, give: Give) -> None:
    preview = updating.preview_update(ws, give(new_column()).id)
    assert (preview.base_version, preview.rows, preview.compared_rows) == (1, 200, 200)
    assert preview.columns_to_learn == ("device_score",)
    assert preview.report["new"] == ["device_score"]
    assert -1 <= preview.rank_correlation <= 1
    assert preview.histogram_before.rows == preview.histogram_after.rows == 200
    difference = round((preview.flagged_share_after - preview.flagged_share_before) * 200)
    assert preview.newly_flagged - preview.no_longer_flagged == difference
    assert not preview.stale
    assert [info.number for info in updating.list_versions(ws)] == [1]
    assert updating.get_preview(ws, preview.token) == preview


def test_accepting_makes_the_previewed_model_champion(ws: Workspace, trained: TrainResult, give: Give) -> None:
    preview = updating.preview_update(ws, give(new_column()).id)
    previewed = (ws.settings.data_folder / "previews" / f"{preview.token}.joblib").read_bytes()
    info = updating.accept_update(ws, preview.token, actor="lead")
    assert (info.number, info.parent, info.origin, info.rows) == (2, 1, "updated", 500)
    assert "device_score" in info.features
    assert ws.require_champion().version == 2
    assert ws.registry.get(2) == previewed
    assert list((ws.settings.data_folder / "previews").iterdir()) == []
    with pytest.raises(NotFoundError, match="accepted or rejected already"):
        updating.accept_update(ws, preview.token, actor="lead")


def test_rejecting_throws_the_preview_away(ws: Workspace, trained: TrainResult, give: Give) -> None:
    preview = updating.preview_update(ws, give(new_column()).id)
    updating.reject_update(ws, preview.token, actor="lead")
    assert list((ws.settings.data_folder / "previews").iterdir()) == []
    for ask in (
        lambda: updating.get_preview(ws, preview.token),
        lambda: updating.accept_update(ws, preview.token, actor="lead"),
        lambda: updating.reject_update(ws, preview.token, actor="lead"),
    ):
        with pytest.raises(NotFoundError):
            ask()
    assert ws.require_champion().version == 1


def test_a_preview_of_an_older_champion_is_stale_and_cannot_be_accepted(
    ws: Workspace, trained: TrainResult, give: Give
) -> None:
    preview = updating.preview_update(ws, give(new_column()).id)
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert updating.get_preview(ws, preview.token).stale
    with pytest.raises(ConflictError, match="updates version 1, but the champion is version 2"):
        updating.accept_update(ws, preview.token, actor="lead")
    assert [info.number for info in updating.list_versions(ws)] == [2, 1]


def test_a_previewed_model_that_was_changed_on_disk_is_refused(ws: Workspace, trained: TrainResult, give: Give) -> None:
    preview = updating.preview_update(ws, give(new_column()).id)
    (ws.settings.data_folder / "previews" / f"{preview.token}.joblib").write_bytes(b"another")
    with pytest.raises(ModelFileError, match="not the one that was previewed"):
        updating.accept_update(ws, preview.token, actor="lead")
    assert ws.require_champion().version == 1


def test_a_cancelled_preview_leaves_nothing(ws: Workspace, trained: TrainResult, give: Give) -> None:
    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        if message == "Comparing":
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        updating.preview_update(ws, give(new_column()).id, progress=stop)
    assert not (ws.settings.data_folder / "previews").exists()


def test_a_preview_compares_an_even_sample_of_a_long_file(
    ws: Workspace, trained: TrainResult, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.service.versions.previewing.COMPARED_ROWS", 50)
    preview = updating.preview_update(ws, give(new_column()).id)
    assert (preview.rows, preview.compared_rows) == (200, 50)


def test_a_header_alone_has_nothing_to_learn_from(ws: Workspace, trained: TrainResult) -> None:
    upload = uploads.receive(ws, "a.csv", b"amount,items,country,at\n", actor="ada")
    with pytest.raises(InputError, match="nothing to learn from"):
        updating.preview_update(ws, upload.id)


def test_updating_with_rows_makes_a_new_champion_at_once(ws: Workspace, trained: TrainResult) -> None:
    result = updating.update_rows(ws, new_column(), actor="api")
    assert (result.version, result.rows) == (2, 200)
    assert "device_score" in result.features
    champion = ws.require_champion()
    assert (champion.version, champion.rows) == (2, 500)
    assert ws.registry.info(2).parent == 1


def test_the_same_updates_give_the_same_model(open_workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        ws = open_workspace(home=tmp_path / name)
        training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
        if name == "two":
            ws.require_champion().detector.observe([{"amount": 1.0, "seen_here_only": 2.0}])
        updating.update_rows(ws, transactions(100, seed=4), actor="ada")
        made.append(ws.registry.get(2))
    assert made[0] == made[1]


def test_a_file_on_disk_updates_batch_by_batch(open_workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    ws = open_workspace(batch_rows=50)
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    path = tmp_path / "april.csv"
    path.write_bytes(csv(transactions(120, seed=4)))
    result = updating.update_path(ws, path, actor="ada")
    assert (result.version, result.rows, ws.require_champion().rows) == (2, 120, 420)


def test_rows_without_a_known_column_do_not_update(ws: Workspace, trained: TrainResult) -> None:
    with pytest.raises(NoKnownColumnsError):
        updating.update_rows(ws, [{"height": 1.0}] * 10, actor="api")
    assert ws.require_champion().version == 1


def test_there_is_nothing_to_update_before_the_first_training(ws: Workspace) -> None:
    with pytest.raises(NotTrainedError):
        updating.update_rows(ws, [{"amount": 1.0}], actor="api")


def test_an_update_that_was_overtaken_starts_over_from_the_new_champion(
    ws: Workspace, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = []

    def overtake(workspace: Workspace, champion: Champion) -> object:
        if not overtaken:
            overtaken.append(True)
            training.train_rows(workspace, transactions(seed=1), PARAMETERS, actor="eve")
        return learning.as_registered(workspace, champion)

    monkeypatch.setattr(updating, "as_registered", overtake)
    result = updating.update_rows(ws, transactions(40, seed=4), actor="ada")
    assert result.version == 3
    assert ws.registry.info(3).parent == 2


def test_an_update_that_is_overtaken_again_and_again_gives_up(
    ws: Workspace, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtake(workspace: Workspace, champion: Champion) -> object:
        training.train_rows(workspace, transactions(60, seed=1), PARAMETERS, actor="eve")
        return learning.as_registered(workspace, champion)

    monkeypatch.setattr(updating, "as_registered", overtake)
    with pytest.raises(ConflictError):
        updating.update_rows(ws, transactions(40, seed=4), actor="ada")
    assert all(info.origin == "trained" for info in updating.list_versions(ws))


def test_rolling_back_brings_an_earlier_champion_back(ws: Workspace, trained: TrainResult) -> None:
    updating.update_rows(ws, transactions(40, seed=4), actor="ada")
    assert updating.roll_back(ws, 1, actor="lead", reason="too many flags").number == 1
    assert ws.require_champion().version == 1
    with ws.database.read() as connection:
        entry = audit.entries(connection)[0]
    assert (entry.actor, entry.action, entry.details["reason"]) == ("lead", "champion moved", "too many flags")
    with pytest.raises(InputError, match="the champion already"):
        updating.roll_back(ws, 1, actor="lead", reason="")
    with pytest.raises(NotFoundError):
        updating.roll_back(ws, 9, actor="lead", reason="")


def test_a_version_of_the_demo_cannot_become_champion(ws: Workspace, trained: TrainResult) -> None:
    demo.play_week(ws, 1, actor="ada")
    with pytest.raises(NotFoundError, match="belongs to the demo"):
        updating.roll_back(ws, 2, actor="ada", reason="")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([5, 5, 5], [1, 2, 3], 1.0),
        ([1, 2, 2, 4], [1, 3, 2, 4], 0.9486832980505138),
    ],
)
def test_rank_correlation_is_spearmans(one: list[float], other: list[float], expected: float) -> None:
    assert rank_correlation(np.array(one, float), np.array(other, float)) == pytest.approx(expected)
