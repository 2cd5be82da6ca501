"""The commands of docs/postgresql.md, in their order, against a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from detector.__main__ import main
from detector.settings import Settings
from trust.database_server import OWNER, shared_server

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "postgresql.md").read_text()


@pytest.mark.postgres_only(reason="the document is about PostgreSQL")
def test_the_commands_of_the_document_do_what_it_says(
    tmp_path: Path, database_kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    assert main(["train", str(ROOT / "sample_data" / "week1.csv"), "--n-estimators", "10"]) == 0
    capfd.readouterr()
    server = shared_server()
    back = tmp_path / "back.db"
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL))
    # The server of the tests is reached by its socket.
    commands = commands.replace("@db.example/", "@/").replace("/tmp/detector-back.db", str(back))
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(server.programs), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PGHOST": str(server.folder),
        "PGUSER": OWNER,
    }
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for name in ("detector", "detector_restored"):
            server.drop(name)
        server.execute("DROP ROLE IF EXISTS detector")
    assert done.returncode == 0, done.stderr
    new, moved, restored = re.split(r"^Workspace ", done.stdout, flags=re.MULTILINE)[1:]
    # An empty database takes the model that lies in the workspace for its first version.
    assert "Champion  version 1" in new
    assert "counts and hashes are equal" in done.stdout
    assert "Champion  version 1" in moved
    assert "Champion  version 1" in restored
    assert back.is_file()


def test_every_setting_in_the_document_is_one() -> None:
    known = {"DATABASE_URL", *(f"DETECTOR_{name.upper()}" for name in Settings.model_fields)}
    named = set(re.findall(r"`((?:DATABASE|DETECTOR)_[A-Z_]+)`", DOCUMENT))
    assert "DETECTOR_DATABASE_CONNECTIONS" in named
    assert named <= known
