from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from detector.service import api_probe, overview, scoring
from detector.service.api_probe import ApiProbe
from detector.service.histogram import Histogram, severity_shift
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, transactions

Give = Callable[..., Upload]


def test_a_new_workspace_has_an_empty_overview(ws: Workspace) -> None:
    found, strip = overview.overview(ws), overview.status(ws)
    assert (found.champion_version, found.runs, found.flagged_share, found.latest_run) == (None, 0, None, None)
    assert (found.flagged_per_period, found.reasons) == ((), ())
    assert (strip.champion_version, strip.cutoff, strip.drift, strip.open_flagged) == (None, None, "unknown", 0)
    assert strip.api == "starting"


def test_the_overview_adds_up_the_runs(ws: Workspace, trained: TrainResult, give: Give) -> None:
    first = scoring.score_file(ws, give(transactions(200, seed=2)).id, actor="ada")
    second = scoring.score_file(ws, give(transactions(100, seed=3)).id, actor="ada")
    found = overview.overview(ws)
    assert (found.champion_version, found.champion_rows, found.runs, found.rows_scored) == (1, 300, 2, 300)
    assert found.flagged_today == found.open_flagged == first.flagged + second.flagged
    assert found.flagged_share == second.flagged / 100
    assert found.latest_run == second
    assert [day for day, _, _ in found.flagged_per_period] == sorted(
        {day for day, _, _ in first.periods + second.periods}
    )
    newest = {day: (rows, flagged) for day, rows, flagged in second.periods}
    assert all(newest.get(day, (rows, flagged)) == (rows, flagged) for day, rows, flagged in found.flagged_per_period)
    assert sum(rows for _, rows in found.reasons) == sum(rows for _, rows in first.reasons + second.reasons)


def test_a_file_that_was_scored_twice_counts_once(ws: Workspace, trained: TrainResult, give: Give) -> None:
    upload = give(transactions(200, seed=2))
    scoring.score_file(ws, upload.id, actor="ada")
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    again = scoring.score_file(ws, upload.id, actor="ada")
    assert overview.status(ws).open_flagged == again.flagged == overview.overview(ws).open_flagged


def test_a_file_without_times_counts_on_the_day_of_its_run(ws: Workspace, give: Give) -> None:
    training.train_rows(ws, transactions().drop(columns="at"), PARAMETERS, actor="ada")
    run = scoring.score_file(ws, give(transactions(100, seed=2).drop(columns="at")).id, actor="ada")
    assert run.periods == ()
    today = datetime.now(UTC).date()
    assert overview.overview(ws).flagged_per_period[0][1:] == (100, run.flagged)
    assert abs((overview.overview(ws).flagged_per_period[0][0] - today).days) <= 1


def test_rows_like_the_models_own_are_calm(ws: Workspace, trained: TrainResult, give: Give) -> None:
    scoring.score_file(ws, give(transactions(300)).id, actor="ada")
    strip = overview.status(ws)
    assert (strip.drift, strip.drifted_columns, strip.champion_version, strip.cutoff) == ("calm", 0, 1, 90.0)


def test_a_new_column_is_worth_a_look(ws: Workspace, trained: TrainResult, give: Give) -> None:
    scoring.score_file(ws, give(transactions(300).assign(device="phone")).id, actor="ada")
    strip = overview.status(ws)
    assert (strip.drift, strip.drifted_columns) == ("watch", 1)


def test_losing_what_the_scores_rest_on_is_a_drift(ws: Workspace, trained: TrainResult, give: Give) -> None:
    scoring.score_file(ws, give(transactions(300).drop(columns=["amount", "at"])).id, actor="ada")
    strip = overview.status(ws)
    assert (strip.drift, strip.drifted_columns) == ("drifting", 2)


def test_values_unlike_those_of_training_are_a_drift(ws: Workspace, trained: TrainResult, give: Give) -> None:
    frame = transactions(600, seed=2)
    scoring.score_file(ws, give(frame.assign(amount=frame["amount"] + 5_000.0, items=99)).id, actor="ada")
    strip = overview.status(ws)
    assert (strip.drift, strip.drifted_columns) == ("drifting", 2)


def test_a_column_whose_values_moved_is_counted_beside_those_that_came_otherwise(
    ws: Workspace, trained: TrainResult, give: Give
) -> None:
    frame = transactions(600, seed=2).assign(items=lambda frame: frame["items"] + 1, device="phone")
    run = scoring.score_file(ws, give(frame).id, actor="ada")
    strip, page = overview.status(ws), overview.overview(ws)
    assert run.report["new"] == ["device"]
    assert strip.drifted_columns == page.drifted_columns == 2
    assert strip.drift == page.drift != "calm"


def test_an_even_spread_of_severities_has_not_shifted() -> None:
    assert severity_shift(Histogram.of(np.linspace(0, 100, 10_000, endpoint=False))) < 0.001
    assert severity_shift(Histogram.of(np.full(10_000, 99.0))) > 1.0
    # By hand: nine bins of 5 rows and one of 55, each plus a half, against a tenth.
    counts = np.array([5.5] * 9 + [55.5])
    shares = counts / counts.sum()
    by_hand = sum((share - 0.1) * np.log(share / 0.1) for share in shares)
    severities = np.concatenate([np.full(5, 10.0 * bin_ + 3) for bin_ in range(9)] + [np.full(55, 95.0)])
    chance = 9 / len(severities)  # nine free bins, against shares that are certain
    assert severity_shift(Histogram.of(severities)) == pytest.approx(by_hand - chance)


class _Healthy(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Healthy)
    server.asked = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_api_is_asked_once_for_several_pages(api: ThreadingHTTPServer) -> None:
    probe = ApiProbe(f"http://127.0.0.1:{api.server_port}/base")
    assert [probe.state() for _ in range(5)] == ["up"] * 5
    assert api.asked == ["/base/health"]


def test_an_api_that_answers_with_an_error_is_down(api: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Healthy, "status", 500)
    assert ApiProbe(f"http://127.0.0.1:{api.server_port}").state() == "down"


def test_an_api_that_never_answered_counts_as_starting_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(api_probe, "monotonic", lambda: now[0])
    with socket.create_server(("127.0.0.1", 0)) as held:
        nobody = ApiProbe(f"http://127.0.0.1:{held.getsockname()[1]}")
    assert nobody.state() == "starting"
    now[0] += api_probe.STARTING
    assert nobody.state() == "down"


def test_the_api_is_asked_again_after_a_while(api: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(api_probe, "monotonic", lambda: now[0])
    probe = ApiProbe(f"http://127.0.0.1:{api.server_port}")
    assert probe.state() == "up"
    monkeypatch.setattr(_Healthy, "status", 503)
    assert probe.state() == "up"
    now[0] += api_probe.BELIEVED
    assert probe.state() == "down"
