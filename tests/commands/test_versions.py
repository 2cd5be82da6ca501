from __future__ import annotations

from pathlib import Path

import pytest

from detector.__main__ import main
from detector.service.versions import trying
from detector.service.versions.training import train_rows
from detector.service.versions.updating import update_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.service.conftest import PARAMETERS, csv, transactions


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace of the commands, with two versions; the second is champion."""
    for name in ("MODEL_PATH", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    ws = Workspace.open(Settings())
    train_rows(ws, transactions(), PARAMETERS, actor="ada")
    update_rows(ws, transactions(60, seed=1), actor="ada")
    yield ws
    ws.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    found = capsys.readouterr()
    return code, found.out + found.err


def test_versions_are_listed_with_what_they_are(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "versions")
    lines = told.splitlines()
    assert code == 0
    assert lines[0].split()[0] == "2"
    assert "updated from 1" in lines[0]
    assert "champion (revision 2)" in lines[0]
    assert "360 rows" in lines[0]
    assert run(capsys, "versions", "--limit", "1")[1].count("\n") == 1


def test_without_a_model_the_list_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path / "empty"))
    assert "No model yet" in run(capsys, "versions")[1]


def test_promoting_needs_a_reason_and_what_was_seen_still_to_hold(
    ws: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "promote", "1", "--reason", "better") == (0, "Version 1 is champion (revision 3).\n")
    code, told = run(capsys, "promote", "2", "--reason", "late", "--revision", "2")
    assert (code, ws.current_champion().version) == (2, 1)
    assert "The champion has changed in the meantime: it is version 1 now. Look again" in told
    assert "Say why the champion changes" in run(capsys, "promote", "2", "--reason", " ")[1]
    assert "no version 9" in run(capsys, "promote", "9", "--reason", "x")[1]


def test_rolling_back_leads_to_the_champion_before_or_to_the_one_named(
    ws: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "rollback", "--reason", "alarms")[0] == 0
    assert ws.current_champion().version == 1
    assert run(capsys, "rollback", "2", "--reason", "holidays")[0] == 0
    assert ws.current_champion().version == 2


def test_a_challenger_is_tried_and_let_go(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert "sees every request in shadow" in run(capsys, "challenge", "1")[1]
    told = run(capsys, "challenge", "1", "--share", "0.25", "--field", "items")[1]
    assert "answers 25.0% of the requests" in told
    assert "decided by items" in told
    state = trying.trial_state(ws)
    assert state is not None
    assert (state.trial.mode, state.trial.share) == ("share", 0.25)
    told = run(capsys, "versions")[1]
    assert "challenger (revision 2)" in told
    assert "Trial: version 1 answering 25.0% beside version 2" in told
    assert run(capsys, "challenge", "--stop", "--revision", "1")[0] == 2
    assert run(capsys, "challenge", "--stop")[0] == 0
    assert "No challenger is on live traffic" in run(capsys, "challenge", "--stop")[1]


@pytest.mark.parametrize("arguments", [["challenge"], ["challenge", "1", "--stop"]])
def test_a_challenge_names_a_version_or_stops(
    ws: Workspace, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, told = run(capsys, *arguments)
    assert code == 2
    assert "Name the version that is to challenge the champion, or --stop." in told


@pytest.mark.parametrize("arguments", [["challenge", "1", "--share", "2"], ["promote", "x", "--reason", "y"]])
def test_what_cannot_be_a_number_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "not '" in capsys.readouterr().err


def test_a_suspicious_update_says_how_to_promote_it(
    ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "night.csv"
    path.write_bytes(csv(transactions(60, seed=3).assign(amount=5_000.0, at="2026-03-04T03:15:00")))
    code, told = run(capsys, "update", str(path))
    assert code == 0
    assert "Version 3 waits for a person: learned from 60 rows of night.csv." in told
    assert "python -m detector promote 3 --reason" in told
    assert "waits for a person" in run(capsys, "versions")[1]
    assert ws.current_champion().version == 2
