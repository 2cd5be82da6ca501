"""Each command of docs/security.md works, and each test that it names exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from detector.__main__ import main
from detector.exposure import sign_in_configured
from detector.service.keys import list_keys
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.serving import api

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text()
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]


def of(kind: str) -> str:
    (block,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(block)


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    ws = Workspace.open(Settings(home=folder))
    yield ws
    ws.close()


def test_the_commands_make_use_and_end_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    python = [shlex.split(line)[3:] for line in SHELL if line.startswith("python -m detector ")]
    (curl,) = [line for line in SHELL if line.startswith("curl ")]
    create, listing, revoke = python
    assert main(create) == 0
    key = capsys.readouterr().out.strip()
    assert main(listing) == 0
    told = capsys.readouterr().out
    assert key[4:16] in told
    assert key[17:] not in told
    with api(tmp_path) as running:
        asked = curl.replace("127.0.0.1:8000", f"127.0.0.1:{running.port}") + " -w %{http_code} -o /dev/null"

        def status() -> str:
            environment = {"DETECTOR_API_KEY": key, "PATH": "/usr/bin:/bin"}
            return subprocess.run(
                ["sh", "-c", asked], env=environment, capture_output=True, text=True, check=True
            ).stdout

        assert status() == "200"
        assert main([key[4:16] if word == "ID" else word for word in revoke]) == 0
        # Another process sees it within a quarter of a second.
        assert any(status() == "401" for _ in range(200))
    assert "No key is left" in capsys.readouterr().out


def test_the_command_for_containers_names_a_service_and_a_command_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (line,) = [line for line in SHELL if line.startswith("docker ")]
    words = shlex.split(line)
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert words[:3] == ["docker", "compose", "exec"]
    assert words[3] in compose["services"]
    assert main(words[7:]) == 0
    with opened(tmp_path) as ws:
        assert [info.name for info in list_keys(ws, actor="test")] == ["laptop"]


def test_containers_say_that_their_ports_are_let_through_and_publish_them_on_loopback_only() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"api", "api-second", "dashboard", "nginx"}
    for name, ports in published.items():
        # What comes through nginx needs a key in any case.
        if name != "nginx":
            assert compose["services"][name]["environment"]["DETECTOR_TRUSTED_NETWORK"] == "true", name
        assert all(port.startswith("127.0.0.1:") for port in ports), name
    # This is the command that believes no address that a request claims to come from.
    for name in ("api", "api-second"):
        assert compose["services"][name]["command"] == ["python", "-m", "detector.api"]


def test_both_containers_open_the_same_database_and_the_dashboard_knows_the_api() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    api, dashboard = services["api"]["environment"], services["dashboard"]["environment"]
    assert dashboard == api | {"DETECTOR_API_ADDRESS": "http://api:8000"}
    assert "DATABASE_URL" in api


def test_the_file_for_signing_in_and_the_roles_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sign_in.toml").write_text(of("toml"))
    (tmp_path / "roles.json").write_text(of("json"))
    monkeypatch.setenv("DETECTOR_SIGN_IN_FILE", str(tmp_path / "sign_in.toml"))
    for given in (of("json"), str(tmp_path / "roles.json")):
        monkeypatch.setenv("DETECTOR_ROLES", given)
        settings = Settings()
        assert dict(settings.roles) == json.loads(of("json"))
        assert sign_in_configured(settings)
    needed = {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"}
    assert set(tomllib.loads(of("toml"))["auth"]) == needed


def test_serving_beyond_this_machine_is_refused_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.setattr("detector.exposure.sign_in_files", lambda _settings: ())
    (command,) = re.findall(r"`python -m detector (serve [^`]+)`", TEXT)
    assert main(command.split()) == 2
    assert "beyond this machine" in capsys.readouterr().err


def test_every_test_that_stands_for_a_control_exists() -> None:
    table = TEXT.split("## Threats and controls")[1]
    named = re.findall(r"`((?:tests|trust)/[\w/]+\.py)(?:::(\w+))?`", table)
    assert len(named) > 12
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text() if test else (ROOT / path).is_file(), (path, test)


def test_every_setting_that_it_names_is_one() -> None:
    known = {f"DETECTOR_{name.upper()}" for name in Settings.model_fields} | {"DETECTOR_API_KEY"}
    assert set(re.findall(r"DETECTOR_[A-Z_]+", TEXT)) <= known
