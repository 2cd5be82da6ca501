"""What is let in, what waits and what is refused."""

import asyncio

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api.capacity import Busy, Capacity, CapacityMiddleware, Lane
from detector.settings import Settings
from tests.api.samples import transactions


def test_a_lane_lets_in_as_many_as_it_may_and_then_one_for_each_that_leaves():
    async def run():
        lane = Lane("batch", 1, 2, 60)
        await lane.enter()
        waiting = [asyncio.create_task(lane.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        assert lane.full
        with pytest.raises(Busy):
            await lane.enter()
        lane.leave()
        await waiting[0]
        assert not waiting[1].done()
        lane.leave()
        await waiting[1]
        lane.leave()
        assert lane.running == 0

    asyncio.run(run())


def test_who_waits_too_long_is_refused_and_leaves_no_trace():
    async def run():
        lane = Lane("learn", 1, 2, 0.01)
        await lane.enter()
        with pytest.raises(Busy):
            await lane.enter()
        lane.leave()
        assert (lane.running, lane.full) == (0, False)

    asyncio.run(run())


def test_a_turn_that_comes_as_its_request_is_cancelled_goes_to_the_next():
    async def run():
        lane = Lane("batch", 1, 2, 60)
        await lane.enter()
        gone, next_one = (asyncio.create_task(lane.enter()) for _ in range(2))
        await asyncio.sleep(0)
        lane.leave()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.wait_for(next_one, 60)
        lane.leave()
        assert lane.running == 0

    asyncio.run(run())


def passed_on(settings, scope, messages, held=0):
    """Send a request through the middleware; return what was answered and what is held at the end."""
    capacity = Capacity(settings)
    capacity.held = held
    answered = []

    async def application(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"took", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return messages.pop(0)

    async def send(message):
        answered.append(message)

    scope = {"type": "http", "path": "/predict/batch", "query_string": b"", "headers": [], "method": "POST"} | scope
    asyncio.run(CapacityMiddleware(application, capacity)(scope, receive, send))
    return answered[0]["status"], dict(answered[0]["headers"]), capacity


def parts(*sizes):
    bodies = [{"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes]
    bodies[-1]["more_body"] = False
    return bodies


CHUNKED = {"headers": [(b"transfer-encoding", b"chunked")]}


def test_a_body_is_handed_on_as_it_came_and_not_counted_any_more_after():
    status, headers, capacity = passed_on(Settings(), CHUNKED, parts(10, 20, 30))
    assert (status, headers[b"took"], capacity.held) == (200, b"60", 0)


def test_when_all_bodies_together_are_too_much_the_one_that_is_too_much_is_refused():
    settings = Settings(max_request_bytes=1_000, max_held_bytes=1_000)
    status, headers, capacity = passed_on(settings, CHUNKED, parts(50, 60), held=900)
    assert (status, capacity.held) == (503, 900)
    assert headers[b"retry-after"] == b"1"
    assert capacity.refused["batch"] == 1


def test_a_large_body_for_a_single_transaction_is_counted_as_well():
    settings = Settings(max_request_bytes=100_000, max_held_bytes=100_000)
    large = {"path": "/predict", "headers": [(b"content-length", b"90000")]}
    status, _, capacity = passed_on(settings, large, parts(90_000), held=50_000)
    assert (status, capacity.held) == (503, 50_000)


@pytest.mark.parametrize(
    ("path", "query", "lane"),
    [
        ("/predict", b"", None),
        ("/predict", b"explain=true", "batch"),
        ("/predict/batch", b"", "batch"),
        ("/train", b"", "learn"),
        ("/update", b"", "learn"),
        ("/model/info", b"", "other"),
        ("/health", b"", None),
        ("/ready", b"", None),
        ("/metrics", b"", None),
    ],
)
def test_each_request_has_its_lane(path, query, lane):
    found = Capacity(Settings()).lane({"path": path, "query_string": query})
    assert (None if found is None else found.kind) == lane


def test_a_full_lane_refuses_with_a_problem_document_before_the_body_is_read(trained):
    app = create_app(trained)
    lane = app.state.capacity.lanes["batch"]
    with TestClient(app) as client:
        lane.running, lane._waiting = lane._most, 0
        told = client.post("/predict/batch", json=transactions(2))
        alone = client.post("/predict", json={"data": transactions(1)[0]})
    assert (told.status_code, told.headers["retry-after"], alone.status_code) == (503, "1", 200)
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json()["code"] == "overloaded"
    assert told.headers["x-request-id"]
