"""Whether Java is there, which the tests on Apache Spark need."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import pytest

MISSING = "Java is not installed (apt-get install openjdk-17-jre-headless): the tests on Apache Spark are left out."


@cache
def is_installed() -> bool:
    """Return whether a Java program is found as Spark looks for it."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java") is not None or (home is not None and (Path(home) / "bin" / "java").is_file())


def needed(item: pytest.Item) -> bool:
    """Return whether a test is about Spark."""
    return item.nodeid.startswith("tests/spark/")


def without(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that have to be left out.

    Raises
    ------
    pytest.UsageError
        On a machine of continuous integration: there nothing is left out.
    """
    left_out = [] if is_installed() else [item for item in items if needed(item)]
    if left_out and os.environ.get("CI"):
        raise pytest.UsageError("Java is not installed: apt-get install openjdk-17-jre-headless.")
    return left_out


def told() -> str | None:
    """Return a line for the head of a test run in which the tests on Spark are left out."""
    return None if is_installed() else MISSING
