"""The commands of docs/replicas.md, in their order, with nginx and a PostgreSQL server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from detector.__main__ import main
from detector.service.observing import LATEST, MOST_NAMES, ROWS_TOGETHER
from detector.settings import Settings
from trust.database_server import OWNER, shared_server

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "replicas.md").read_text()
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))
#: Seconds that everything has together.
PATIENCE = 240
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def free_ports(many: int) -> int:
    """Return the first of so many ports in a row that are free now."""
    while True:
        held = [socket.socket() for _ in range(many)]
        try:
            held[0].bind(("127.0.0.1", 0))
            first = int(held[0].getsockname()[1])
            for number, place in enumerate(held[1:], start=1):
                place.bind(("127.0.0.1", first + number))
        except (OSError, OverflowError):
            continue
        else:
            return first
        finally:
            for place in held:
                place.close()


@pytest.mark.needs_nginx(reason="the document is about replicas behind it")
@pytest.mark.postgres_only(reason="the document is about replicas on it")
def test_the_commands_of_the_document_do_what_it_says(
    tmp_path: Path, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = shared_server()
    address = server.create("replicas")
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    first = free_ports(3)
    commands = COMMANDS.replace("/srv/detector", str(tmp_path)).replace("detector@db.example/detector", "/replicas")
    for number in range(3):
        commands = commands.replace(str(8080 + number), str(first + number))
    commands = commands.replace("deploy/local-cluster.sh", str(ROOT / "deploy" / "local-cluster.sh"))
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PGHOST": str(server.folder),
        "PGUSER": OWNER,
    }
    try:
        assert main(["train", str(ROOT / "sample_data" / "week1.csv"), "--n-estimators", "10"]) == 0
        running = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, complaints = running.communicate(timeout=PATIENCE)
        finally:
            # All that it has started, when something went wrong.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
        told = (tmp_path / "cluster.log").read_text()
    finally:
        server.drop("replicas")
    assert running.returncode == 0, complaints + told
    assert json.loads(out)["model_version"] == 1
    assert json.loads((tmp_path / "info.json").read_text())["model_version"] == 1
    assert "detector_requests_total" in (tmp_path / "first.metrics").read_text()
    assert f"2 replicas behind http://127.0.0.1:{first}. Ctrl-C ends all." in told
    # Nothing is left behind.
    for number in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", first + number))


def test_compose_has_two_replicas_behind_nginx_that_share_database_and_folders() -> None:
    services = COMPOSE["services"]
    api, second, nginx = services["api"], services["api-second"], services["nginx"]
    for name in ("command", "environment", "volumes", "image", "stop_grace_period"):
        assert api[name] == second[name], name
    assert "replicas" in services["postgres"]["profiles"]
    assert second["profiles"] == nginx["profiles"] == ["replicas"]
    assert set(nginx["depends_on"]) == {"api", "api-second"}
    upstream = (ROOT / "deploy" / "nginx" / "replicas.conf").read_text()
    assert re.findall(r"^ *server (\S+) ", upstream, re.MULTILINE) == ["api:8000", "api-second:8000"]
    (mounted,) = nginx["volumes"]
    source, target, access = mounted.split(":")
    assert (ROOT / source / "nginx.conf").is_file()
    assert (nginx["command"][-1], access) == (f"{target}/nginx.conf", "ro")
    whole = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    assert nginx["ports"] == ["127.0.0.1:8080:8080"]
    assert "listen 8080;" in whole


def test_every_name_and_number_that_it_tells_is_right() -> None:
    from detector.service.folding import ABANDONED, FOLDED, FOLDED_ROWS, KEPT, MOST_BYTES, SETTLED
    from detector.service.following import LONGEST_PAUSE, MOST_AT_ONCE, MOST_WAITING, PAUSE
    from detector.store.observed_folds import MOST_WAITING as MOST_UPDATES

    known = {"DETECTOR_API_KEY", *(f"DETECTOR_{name.upper()}" for name in Settings.model_fields)}
    assert set(re.findall(r"DETECTOR_[A-Z_]+", TEXT)) <= known
    assert "more than a million, or fill more than 20,000 rows, or wait for a day" in TEXT
    assert (FOLDED, FOLDED_ROWS, KEPT.days, ABANDONED.days) == (1_000_000, 20_000, 1, 1)
    assert "older than a quarter of an hour" in TEXT
    assert SETTLED.total_seconds() == 900
    assert "the four newest updates that wait" in TEXT
    assert MOST_UPDATES == 4
    assert f"more than {MOST_BYTES // 2**20} MB of it" in TEXT
    assert f"after {LONGEST_PAUSE:.0f} seconds at the longest" in TEXT
    assert f"{MOST_AT_ONCE:,} events, between which" in TEXT
    assert PAUSE == 0.25
    assert "of a quarter of a second, and of up to" in TEXT
    assert f"up to {LATEST:.0f} seconds or {ROWS_TOGETHER:,} rows" in TEXT
    assert f"At most {MOST_NAMES:,} names" in TEXT
    assert "up to a million events" in TEXT
    assert MOST_WAITING == 1_000_000
    for path in re.findall(r"\]\(\.\./([^)]+)\)", TEXT):
        assert (ROOT / path).is_file(), path
