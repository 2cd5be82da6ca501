from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from detector.settings import Settings

VARIABLES = ("DETECTOR_HOME", "MODEL_PATH", "DATABASE_URL", "DETECTOR_API_PORT", "DETECTOR_MIN_IMPORTANCE")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_working_directory_is_the_workspace_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.home == tmp_path
    assert settings.champion_path == tmp_path / "models" / "anomaly_detector.joblib"
    assert settings.models_folder == tmp_path / "models"
    assert settings.data_folder == tmp_path / "data"
    assert settings.database_address == f"sqlite:///{tmp_path}/data/detector.db"


def test_the_environment_names_workspace_model_and_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "mine.joblib"))
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://host/base")
    monkeypatch.setenv("DETECTOR_MIN_IMPORTANCE", "0.1")
    settings = Settings()
    assert settings.home == tmp_path
    assert settings.champion_path == tmp_path / "mine.joblib"
    assert settings.database_address == "postgresql+psycopg://host/base"
    assert settings.min_importance == 0.1


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_PATH", "")
    assert Settings(home=tmp_path).champion_path == tmp_path / "models" / "anomaly_detector.joblib"


def test_a_relative_workspace_stays_where_it_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=Path("here"), model_path=Path("m.joblib"))
    monkeypatch.chdir("/")
    assert settings.home == tmp_path / "here"
    assert settings.champion_path == tmp_path / "m.joblib"


def test_a_port_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTOR_API_PORT", "99999")
    with pytest.raises(ValidationError, match="api_port"):
        Settings()


@pytest.mark.parametrize(
    ("host", "address", "url"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8000"),
        ("0.0.0.0", None, "http://127.0.0.1:8000"),
        ("::", None, "http://[::1]:8000"),
        ("0.0.0.0", "https://api.example.org/", "https://api.example.org"),
    ],
)
def test_the_api_is_asked_where_it_can_be_reached(host: str, address: str | None, url: str) -> None:
    assert Settings(api_host=host, api_address=address).api_url == url


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValidationError):
        Settings().log_level = "DEBUG"
