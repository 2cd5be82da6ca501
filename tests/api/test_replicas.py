"""Several processes that serve one workspace on one PostgreSQL server."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.serving import Child, answers, api_url, start_api
from detector.settings import Settings
from tests.api.samples import transactions
from tests.databases import databases
from tests.test_serving import free_port

#: Seconds that a replica has to start, or to follow another.
PATIENCE = 120


@pytest.fixture
def replicas(tmp_path: Path, database_kind: str) -> Iterator[tuple[str, str]]:
    """The addresses of two API processes over one workspace."""
    settings = [
        Settings(home=tmp_path, database_url=databases.address(tmp_path), api_port=free_port()) for _ in range(2)
    ]
    children: list[Child] = [start_api(one) for one in settings]
    try:
        for one in settings:
            until = time.monotonic() + PATIENCE
            while not answers(f"{api_url(one)}/health"):
                assert time.monotonic() < until
        first, second = map(api_url, settings)
        yield first, second
    finally:
        for child in children:
            child.stop()
        databases.forget(tmp_path)


def ask(address: str, path: str, body: object) -> dict[str, object]:
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


@pytest.mark.postgres_only(reason="SQLite's file is shared by the processes of one machine only")
def test_a_champion_that_one_replica_makes_answers_from_the_other(replicas: tuple[str, str]) -> None:
    first, second = replicas
    row = transactions(1, seed=5)[0]
    for version, (maker, follower) in enumerate(((first, second), (second, first)), start=1):
        ask(maker, "/train", {"transactions": transactions(80, seed=version)})
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = ask(follower, "/predict", {"data": row})
            except urllib.error.HTTPError as error:
                assert error.code == 503  # noqa: PT017 - nothing is trained as far as it knows
                answer = {}
            if answer.get("model_version") == version:
                break
            assert time.monotonic() < until
        # Bit for bit, but for the moment.
        assert ask(maker, "/predict", {"data": row}) | {"timestamp": answer["timestamp"]} == answer
