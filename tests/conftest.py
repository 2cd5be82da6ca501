"""What every test needs."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Undo what a program run by a test set up for logs: its stderr is gone when the test ends."""
    yield
    structlog.reset_defaults()
