from __future__ import annotations

import random

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from detector.api import create_app
from detector.api.counting import MOST_KEPT, REASONS, RequestCounts
from detector.service import jobs, vitals
from detector.service.vitals import MOST_KINDS, Vitals, VitalsWatch
from tests.api.samples import ODD, transactions

ROW = transactions(1, seed=5)[0]


@pytest.fixture
def fresh(trained):
    """The API over the trained workspace, with counters of its own."""
    with TestClient(create_app(trained), raise_server_exceptions=False) as client:
        yield client


def families(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(client, name, **labels):
    for family in families(client).values():
        for sample in family.samples:
            if sample.name == name and sample.labels.items() >= labels.items():
                return sample.value
    return None


def series(client):
    return [sample for family in families(client).values() for sample in family.samples]


def test_requests_are_counted_by_route_method_and_class_of_status(fresh):
    for _ in range(3):
        fresh.post("/predict", json={"data": ROW})
    fresh.post("/predict", json={"data": {}})
    assert value(fresh, "detector_requests_total", route="/predict", method="POST", status="2xx") == 3
    assert value(fresh, "detector_requests_total", route="/predict", method="POST", status="4xx") == 1
    assert value(fresh, "detector_request_duration_seconds_count", route="/predict") == 4
    assert value(fresh, "detector_requests_refused_total", reason="invalid") == 1
    assert value(fresh, "detector_requests_in_flight") == 1, "the scrape itself"


def test_what_was_refused_for_lack_of_room_is_counted_by_kind(fresh):
    fresh.app.state.capacity.busy("learn")
    assert value(fresh, "detector_overload_refusals_total", kind="learn") == 1
    assert value(fresh, "detector_overload_refusals_total", kind="single") == 0


def test_unknown_paths_and_methods_are_one_series(fresh):
    for path in ("/nowhere", "/predict/../../etc/passwd", "/model/info/x", "/%F0%9F%92%A9"):
        fresh.get(path)
    for method in ("PUT", "DELETE", "PROPFIND", "FOO"):
        fresh.request(method, "/predict")
    assert value(fresh, "detector_requests_total", route="unknown", method="other", status="4xx") == 8
    assert value(fresh, "detector_requests_refused_total", reason="not_found") == 8


def test_scored_rows_are_counted_by_severity_flag_and_columns(fresh, trained):
    before = {name: value(fresh, name) for name in ("detector_severity_count", "detector_flagged_rows_total")}
    fresh.post("/predict", json={"data": ODD})
    fresh.post("/predict/batch", json={"transactions": transactions(20, seed=6)})
    assert value(fresh, "detector_severity_count", role="champion") == before["detector_severity_count"] + 21
    assert value(fresh, "detector_flagged_rows_total", role="champion") > before["detector_flagged_rows_total"]
    assert value(fresh, "detector_severity_bucket", role="champion", le="+Inf") == value(
        fresh, "detector_severity_count", role="champion"
    )
    known = value(fresh, "detector_rows_by_schema_total", columns="new")
    fresh.post("/predict", json={"data": ROW | {"never_seen": 1}})
    assert value(fresh, "detector_rows_by_schema_total", columns="new") == known + 1
    gone = value(fresh, "detector_rows_by_schema_total", columns="missing")
    fresh.post("/predict", json={"data": {"amount": 3.0}})
    assert value(fresh, "detector_rows_by_schema_total", columns="missing") == gone + 1


def test_the_workspace_is_told(fresh, trained):
    assert value(fresh, "detector_database_up") == 1
    assert value(fresh, "detector_champion_version") == trained.champion().version
    assert value(fresh, "detector_champion_created_timestamp_seconds") == pytest.approx(
        trained.champion().created_at.timestamp()
    )
    assert value(fresh, "detector_drift_state", state="unknown") == 1
    assert value(fresh, "detector_alerts", state="open") == 0
    assert value(fresh, "process_resident_memory_bytes") > 1e6
    assert value(fresh, "detector_build_info") == 1


def test_before_training_there_is_no_champion_to_tell_of(empty_client):
    assert value(empty_client, "detector_champion_version") is None
    assert value(empty_client, "detector_database_up") == 1


def test_a_database_that_is_away_is_said_and_nothing_else_made_up(fresh, monkeypatch):
    def away(_ws):
        raise OSError

    monkeypatch.setattr(vitals, "read_vitals", away)
    assert value(fresh, "detector_database_up") == 0
    assert value(fresh, "detector_open_cases") is None
    assert value(fresh, "detector_requests_in_flight") == 1


def test_the_database_is_asked_once_in_five_seconds_however_many_scrape(trained, monkeypatch):
    asked, now = [], [0.0]
    read = vitals.read_vitals
    monkeypatch.setattr(vitals, "read_vitals", lambda ws: asked.append(1) or read(ws))
    watch = VitalsWatch(trained, lambda: now[0])
    for _ in range(20):
        watch.vitals()
    assert len(asked) == 1
    now[0] = vitals.FRESH
    watch.vitals()
    assert len(asked) == 2


def test_jobs_of_ever_new_kinds_are_few_series():
    found = [(f"kind{number}", state, 2) for number in range(40) for state in ("active", "done", "failed")]
    bounded = vitals._bounded(found)
    assert len(bounded) == MOST_KINDS * 3
    assert sum(bounded.values()) == 40 * 3 * 2


def test_there_are_at_most_200_series_whatever_comes_in(fresh, trained, monkeypatch):
    monkeypatch.setattr(vitals, "FRESH", 0.0)
    draw = random.Random(3)
    paths = [route.path for route in fresh.app.routes if hasattr(route, "methods")]
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "X" * 40]
    for _ in range(400):
        path = draw.choice([*paths, f"/{draw.random()}", f"/model/{draw.random()}"])
        if path in ("/train", "/update"):
            path = "/predict"
        row = {f"column_{draw.randrange(500)}": draw.random(), "amount": draw.random()}
        fresh.request(draw.choice(methods), path, json={"data": row}, headers={"x-request-id": str(draw.random())})
    # Whatever answers may come: each door with each status, and every kind of job and alert there is.
    counts = fresh.app.user_middleware[0].kwargs["traffic"].counts
    for path in paths * 2 + [f"/made/up/{number}" for number in range(300)]:
        for method in methods:
            for status in (200, 204, 307, *REASONS, 418, 499, 500, 503, 599, 999):
                counts.begin()
                counts.end(path, method, status, draw.random() * 20)
    # More doors than there are, so that the bound itself is met.
    counts._known = frozenset((f"/door/{number}", "GET") for number in range(100))
    for number in range(100):
        for status in (200, 300, 400, 500):
            counts.begin()
            counts.end(f"/door/{number}", "GET", status, 0.01)
    jobs = vitals._bounded([(f"k{n}", of, 1) for n in range(40) for of in ("active", "done", "failed")])
    full = Vitals(True, 7, 1.0, "watch", 3, 5, 9.0, jobs, {"open": 1, "acknowledged": 1}, {"waiting": 1, "dead": 1})
    monkeypatch.setattr(vitals, "read_vitals", lambda _: full)
    told = series(fresh)
    assert len(counts.by_door) >= MOST_KEPT
    assert value(fresh, "detector_jobs", kind="other", state="failed") == 40 - MOST_KINDS + 1
    assert len(told) <= 200
    assert len({(sample.name, *sorted(sample.labels.items())) for sample in told}) == len(told)
    text = str([sample.labels for sample in told])
    assert "column_" not in text
    assert "made" not in text


def test_more_doors_than_are_told_apart_are_counted_together():
    counts = RequestCounts()
    counts._known = frozenset((f"/{number}", "GET") for number in range(200))
    for number in range(200):
        counts.end(f"/{number}", "GET", 200, 0.01)
    assert len(counts.by_door) == MOST_KEPT + 1
    assert sum(counts.by_door.values()) == 200


def test_every_family_says_in_words_what_it_is_and_follows_the_conventions(fresh):
    lines = fresh.get("/metrics").text.splitlines()
    named = [line.split(" ", 3) for line in lines if line.startswith("# HELP ")]
    assert len(named) == len({name for _, _, name, *_ in named})
    for _, _, name, said in named:
        assert name.startswith(("detector_", "process_"))
        assert said.endswith("."), name
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    for name, kind in kinds.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not name.endswith(("_ms", "_milliseconds", "_percent"))


def test_the_description_names_plain_text(fresh):
    told = fresh.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]
    assert list(told["content"]) == ["text/plain"]


def test_jobs_are_told_by_kind_and_by_what_became_of_them(empty_client, open_workspace):
    ws = open_workspace()
    job = jobs.submit(ws, "score", {"upload_id": "none"}, actor="test")
    jobs.wait_for_job(ws, job.id, 30)
    assert value(empty_client, "detector_jobs", kind="score", state="failed") == 1
