"""No server listens beyond this machine before it is settled who may come in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from detector import dashboard, exposure
from detector.__main__ import main
from detector.exposure import (
    ExposureError,
    is_loopback,
    require_closed_api,
    require_closed_dashboard,
    sign_in_configured,
)
from detector.service.keys import create_key
from detector.service.workspace import Workspace
from detector.settings import Settings

AUTH = '[auth]\nclient_id = "x"\n'


@pytest.fixture(autouse=True)
def no_files_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setattr(exposure, "PROJECT", tmp_path / "project")


@pytest.mark.parametrize(("host", "here"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True), ("LOCALHOST", True),
    ("0.0.0.0", False), ("::", False), ("", False), (None, False), ("10.0.0.1", False),
    ("localhost.example.org", False), ("127.0.0.1.example.org", False),
])  # fmt: skip
def test_an_address_is_this_machines_own_or_not(host: str | None, here: bool) -> None:
    assert is_loopback(host) is here


def test_the_api_listens_beyond_this_machine_only_with_a_key() -> None:
    settings = Settings()
    with pytest.raises(ExposureError, match=r"no key has been set.* python -m detector keys create"):
        require_closed_api("0.0.0.0", settings, keys_are_set=False)
    require_closed_api("127.0.0.1", settings, keys_are_set=False)
    require_closed_api("0.0.0.0", settings, keys_are_set=True)
    require_closed_api("0.0.0.0", Settings(trusted_network=True), keys_are_set=False)


def test_the_dashboard_listens_beyond_this_machine_only_with_sign_in_or_behind_something(tmp_path: Path) -> None:
    with pytest.raises(ExposureError, match="DETECTOR_TRUSTED_NETWORK=true"):
        require_closed_dashboard("0.0.0.0", Settings())
    require_closed_dashboard("127.0.0.1", Settings())
    require_closed_dashboard("0.0.0.0", Settings(trusted_network=True))
    (tmp_path / "auth.toml").write_text(AUTH)
    require_closed_dashboard("0.0.0.0", Settings(sign_in_file=tmp_path / "auth.toml"))


@pytest.mark.parametrize("place", ["person", "project"])
def test_sign_in_is_configured_where_streamlit_looks(tmp_path: Path, place: str) -> None:
    assert not sign_in_configured(Settings())
    folder = tmp_path / place / ".streamlit"
    folder.mkdir(parents=True)
    (folder / "secrets.toml").write_text("[other]\nx = 1\n")
    assert not sign_in_configured(Settings())
    (folder / "secrets.toml").write_text(AUTH)
    assert sign_in_configured(Settings())


def test_a_file_that_was_meant_to_keep_people_out_and_cannot_be_read_closes_the_dashboard(tmp_path: Path) -> None:
    (tmp_path / "auth.toml").write_text("[auth\n")
    with pytest.raises(ExposureError, match=r"auth.toml, which says who signs in, cannot be read"):
        sign_in_configured(Settings(sign_in_file=tmp_path / "auth.toml"))
    with pytest.raises(ExposureError, match="none at all"):
        sign_in_configured(Settings(sign_in_file=tmp_path / "not_there.toml"))


def test_serving_beyond_this_machine_is_refused_before_anything_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("detector.serving.serve", lambda settings, _say: served.append(settings))
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "The dashboard would listen on 0.0.0.0" in capsys.readouterr().err
    monkeypatch.setenv("DETECTOR_API_HOST", "0.0.0.0")
    assert main(["serve"]) == 2
    assert "The API would listen on 0.0.0.0" in capsys.readouterr().err
    assert served == []
    workspace = Workspace.open(Settings(home=tmp_path))
    create_key(workspace, "nightly", "service", actor="test")
    workspace.close()
    assert main(["serve"]) == 0
    assert [settings.api_host for settings in served] == ["0.0.0.0"]


@pytest.mark.parametrize(
    "arguments",
    [["--server.address", "0.0.0.0"], ["--server.address=0.0.0.0"], ["--server.address="], ["--server.address"]],
)
def test_the_dashboard_by_itself_refuses_too(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard, "main", lambda **_: pytest.fail("it listens"))
    monkeypatch.setattr(sys, "argv", ["dashboard", "run", "app.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        dashboard.run()
    assert stopped.value.code == 2
    assert "The dashboard would listen on" in capsys.readouterr().err


def test_the_dashboard_refuses_an_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "main", lambda **_: pytest.fail("it listens"))
    monkeypatch.setattr(sys, "argv", ["dashboard", "run", "app.py"])
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    with pytest.raises(SystemExit):
        dashboard.run()


def test_streamlit_is_told_of_the_file_that_says_who_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "auth.toml").write_text(AUTH)
    monkeypatch.setenv("DETECTOR_SIGN_IN_FILE", str(tmp_path / "auth.toml"))
    monkeypatch.setattr(sys, "argv", ["dashboard", "run", "app.py", "--server.address", "0.0.0.0"])
    monkeypatch.setattr(dashboard, "main", lambda **_: None)
    dashboard.run()
    assert sys.argv[-2:] == ["--secrets.files", str(tmp_path / "auth.toml")]
