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
from tests.databases import Kind, databases

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def address(tmp_path: Path, database_kind: Kind) -> Iterator[str]:
    """Serve the API over an empty workspace."""
    workspace = Workspace.open(Settings(home=tmp_path, database_url=databases.address(tmp_path)))
    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(workspace), log_config=None))
    thread = Thread(target=server.run, args=([place],))
    thread.start()
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    place.close()
    workspace.close()
    databases.forget(tmp_path)


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


def told(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run an example; whatever it tells, its anomalies are found often and about as many rows flagged as asked."""
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    out = capsys.readouterr().out
    found = re.findall(r"hold (\d+) of (\d+) .*; by chance it would be (\d+)", out)
    assert found
    assert all(int(hit) >= 2 * int(chance) and int(hit) > 0.2 * int(planted) for hit, planted, chance in found)
    shares = [float(share) for share in re.findall(r"flagged: ([\d.]+)% of [\d,]+ \w+, where 5% was asked", out)]
    assert len(shares) == len(found)
    assert all(2.0 <= share <= 8.0 for share in shares)
    return out


def test_the_shop_example_finds_frauds_while_columns_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    out = told("shop_fraud.py", capsys)
    assert "device_score: New to the model" in out
    assert "entry_mode: It did not come" in out
    assert "card_present: It came in another spelling of yes and no" in out
    assert re.search(r"  customer_id: .*times what is usual for it", out)


def test_the_machine_example_finds_faults_while_sensors_age(capsys: pytest.CaptureFixture[str]) -> None:
    out = told("machine_sensors.py", capsys)
    assert "vibration_mm_s: Rows without a value are scored without this column" in out
    assert "vibration_mm_s: It did not come" in out
    assert "pressure_bar: Its values are 100 times those of training" in out
    before, after = out.split("before an update with that day: ")[1].split("after it: ")
    assert "oil_c is 58.4, higher than any value seen" in before
    assert "higher than any value seen" not in after


def test_the_log_example_finds_incidents_under_a_new_log_shipper(capsys: pytest.CaptureFixture[str]) -> None:
    out = told("server_logs.py", capsys)
    assert "template: 24 lines hold a value never seen in training" in out
    assert "level: It did not come" in out
    assert "message_length: It came as 'msg_length', and is read as 'message_length'" in out
    assert re.search(r"After an update with day 3 it knows .*queue_depth", out)
    for day in out.split("\nDay ")[1:]:
        flagged, lines = map(int, re.search(r"burst: (\d+) of (\d+) lines flagged", day).groups())
        assert flagged > 0.8 * lines


def test_the_network_example_finds_attacks_in_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    out = told("network_connections.py", capsys)
    assert "destination_age_days: New to the model" in out
    assert "flag: It did not come" in out
    for flagged, planted in re.findall(r"(?:port scan|exfiltration): (\d+) of (\d+) connections flagged", out):
        assert int(flagged) > 0.5 * int(planted)


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
