"""What every test needs."""

from collections.abc import Iterator
from functools import partialmethod

import pytest
import structlog
from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Undo what a program run by a test set up for logs: its stderr is gone when the test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def calls_from_this_machine() -> Iterator[None]:
    """Let the test client be a program on this machine, as those are that use an API without keys."""
    patch = pytest.MonkeyPatch()
    local = partialmethod(TestClient.__init__, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
    patch.setattr(TestClient, "__init__", local)
    yield
    patch.undo()
