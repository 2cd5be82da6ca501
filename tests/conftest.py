"""What every test needs."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Undo what a program run by a test set up for logs: its stderr is gone when the test ends."""
    yield
    structlog.reset_defaults()
