from __future__ import annotations

import re
import runpy
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from detector.api import create_app
from detector.service.workspace import Workspace
from detector.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the API over an empty workspace."""
    workspace = Workspace.open(Settings(home=tmp_path))
    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(workspace), log_config=None))
    thread = Thread(target=server.run, args=([place],))
    thread.start()
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    place.close()
    workspace.close()


def test_the_python_walkthrough_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "python_walkthrough.py"), run_name="__main__")
    out = capsys.readouterr().out
    before, after = (
        int(re.search(rf"{title}\n.*; (\d+) of \d+ frauds caught", out).group(1))
        for title in ("Five more features", "Five more features, after an update that learned them")
    )
    assert after > before
    assert "device_age_days: new" in out
    assert "country: missing" in out
    assert "the same scores: True" in out


def test_the_http_walkthrough_runs(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "http_walkthrough.py"))["main"](address)
    out = capsys.readouterr().out
    assert "Trained on 1500 rows" in out
    assert "'new_features': ['device_age_days'" in out
    assert "'missing_features': ['country', 'entry_mode', 'transactions_24h']" in out
    assert "'reasons': [{" in out
    assert "Updated with 500 rows: 11 features are known now" in out


def test_the_http_walkthrough_says_when_nothing_answers() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{place.getsockname()[1]}"
    with pytest.raises(SystemExit, match=f"Nothing answers at {address}; start it with `make run`"):
        runpy.run_path(str(EXAMPLES / "http_walkthrough.py"))["main"](address)
