"""Every command in docs/operations.md is run, in its order, and what the document names is there."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from detector.__main__ import main
from detector.api import create_app
from detector.service.alerts.outbox import WAITS
from detector.service.alerts.rules import RULES
from detector.service.workspace import Workspace
from detector.settings import Settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
SAMPLE = ROOT / "sample_data" / "week1.csv"


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


class Machine:
    """A machine as the document has it: its folders are inside a temporary one, and its port is a free one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "srv" / "detector"
        self.home.mkdir(parents=True)
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("DETECTOR_")}
        self.environment |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DETECTOR_HOME": str(self.home),
            "DETECTOR_API_PORT": str(self.port),
            "DETECTOR_DASHBOARD_PORT": str(free_port()),
        }
        for name in ("MODEL_PATH", "DATABASE_URL"):
            self.environment.pop(name, None)
        self.service: subprocess.Popen[bytes] | None = None

    def here(self, block: str) -> str:
        for name in ("/srv/detector", "/backup", "/tmp/rehearsal"):
            block = block.replace(name, str(self.folder) + name)
        return block.replace(":8000", f":{self.port}")

    def run(self, block: str, tries: int = 1) -> str:
        """Run a block; one that looks for what is written a moment later is run again until it finds it."""
        command = ["bash", "-euc", self.here(block)]
        for _ in range(tries):
            ran = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
            if ran.returncode == 0:
                return ran.stdout
        raise AssertionError(f"{block}\n{ran.stdout}\n{ran.stderr}")

    def start(self, block: str) -> None:
        self.service = subprocess.Popen(
            ["bash", "-euc", self.here(block).replace("DETECTOR_HOME", "exec env DETECTOR_HOME")],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        for _ in range(480):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                    return
            except OSError:
                try:
                    self.service.wait(0.25)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError("the service stopped") from None
        raise AssertionError("the service did not answer")

    def stop(self) -> int:
        if self.service is None:
            return 0
        self.service.send_signal(signal.SIGTERM)
        code, self.service = self.service.wait(60), None
        return code


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.stop()


def test_every_command_runs_in_its_order(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTOR_HOME", str(machine.home))
    assert main(["train", str(SAMPLE), "--role", "is_fraud=label", "--n-estimators", "10"]) == 0
    said = []
    for block in BLOCKS:
        if "detector serve" in block:
            machine.start(block)
            continue
        if "mv " in block:
            assert machine.stop() == 0
        said.append(machine.run(block, tries=20 if "grep" in block else 1))
    others = [line for line in (machine.home / "service.log").read_text().splitlines() if not line.startswith("{")]
    assert {line.split(" ")[0] for line in others} <= {"Dashboard", "Ready.", "Stopped."}
    told = "\n".join(said)
    assert '"model_version":1' in told
    assert "detector_champion_version 1.0" in told
    assert '"request_id":"order-66"' in told
    assert told.count("Champion  version 1") == 2
    assert "Saved " in told
    assert told.count("Restored ") == 2


def test_no_command_stands_outside_of_what_is_run() -> None:
    rest = re.sub(r"```sh\n.*?```", "", TEXT, flags=re.DOTALL)
    for code in re.findall(r"`([^`]+)`", rest):
        assert not re.match(r"(python|curl|grep|mv|cp|mkdir|docker|make|pip|pg_\w+|systemctl|kill)\s", code), code


def test_every_rule_has_its_paragraph() -> None:
    runbook = TEXT.split("## Alerts")[1].split("\n## ")[0]
    titles = set(re.findall(r"^### (.+)$", runbook, re.MULTILINE)) - {"Webhooks"}
    assert titles == {rule.title for rule in RULES.values()}


def test_every_metric_has_its_line(tmp_path: Path) -> None:
    ws = Workspace.open(Settings(home=tmp_path, model_path=None, database_url=None))
    with TestClient(create_app(ws)) as client:
        text = client.get("/metrics").text
    ws.close()
    there = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE detector_")}
    named = set(re.findall(r"`(detector_[a-z_]+)`", TEXT))
    assert named >= there
    assert named - there == {"detector_champion_version", "detector_champion_created_timestamp_seconds"}


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"`(DETECTOR_[A-Z_]+)`", TEXT))
    assert named
    assert named <= {f"DETECTOR_{name.upper()}" for name in Settings.model_fields}


def test_the_numbers_of_tries_and_hours_are_those_of_the_outbox() -> None:
    hours = round(sum(WAITS) / 3600)
    assert f"{len(WAITS) + 1} tries over {hours} hours" in TEXT
