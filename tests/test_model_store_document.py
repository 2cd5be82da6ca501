"""The commands of docs/model-store.md, in their order: an S3 server, two API processes and PostgreSQL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.settings import Settings
from tests.test_operations import free_port
from trust.database_server import OWNER, shared_server

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "model-store.md").read_text()
#: Ends what the commands have left in the background, however far they came.
TIDY = "trap 'kill $(jobs -p); wait' EXIT\n"


@pytest.mark.postgres_only(reason="machines that share nothing but a model store share a PostgreSQL server as well")
def test_the_commands_of_the_document_do_what_it_says(tmp_path: Path, database_kind: str) -> None:
    server = shared_server()
    server.create("detector")
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)).replace("/tmp/", f"{tmp_path}/")
    commands = commands.replace("postgresql://detector@db.example/detector", server.address("detector"))
    for port in ("5000", "8001", "8002"):
        commands = re.sub(rf"\b{port}\b", str(free_port()), commands)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DETECTOR_", "AWS_"))}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PGUSER": OWNER,
        "DETECTOR_HOME": str(tmp_path / "home"),
        "NO_PROXY": "127.0.0.1",
    }
    said = tmp_path / "said"
    with said.open("w") as told:
        running = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", TIDY + commands],
            cwd=tmp_path,
            env=environment,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = running.wait(240)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            server.drop("detector")
    found = said.read_text()
    logs = "".join((tmp_path / name).read_text() for name in ("one.log", "two.log") if (tmp_path / name).exists())
    assert code == 0, found + logs[-3_000:]
    assert found.count('"status":"ready"') == 5
    assert '"model_version":2' in found
    assert "Copied 2 versions, 2 files" in found
    assert "Saved " in found
    for folder in ("one", "two"):
        assert len(list((tmp_path / folder / "data" / "model-cache").glob("*.model"))) == 2
        assert not (tmp_path / folder / "models" / "versions").exists()
    assert len(list((tmp_path / "saved" / "models" / "versions").iterdir())) == 2
    assert "a-secret" not in found + logs


def test_every_setting_in_the_document_is_one() -> None:
    named = set(re.findall(r"`(DETECTOR_[A-Z_]+)`", DOCUMENT))
    assert {name for name in Settings.model_fields if name.startswith("model_")} - {"model_path"} == {
        name.removeprefix("DETECTOR_").lower() for name in named
    }
    assert "2 GB" in DOCUMENT
    assert Settings.model_fields["model_cache_bytes"].default == 2 * 1024**3


def test_what_the_document_asks_to_install_is_there() -> None:
    assert (ROOT / "requirements-s3.txt").is_file()
    assert "fsspec==" in (ROOT / "requirements-s3.txt").read_text()
