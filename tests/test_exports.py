"""What the package offers by name: all of it is there, documented, and nothing is slow to import for no reason."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import detector


@pytest.mark.parametrize("name", detector.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    offered = getattr(detector, name)
    text = inspect.getdoc(offered)
    assert text is not None
    first = text.splitlines()[0]
    assert not first.startswith(f"{name}("), "a docstring that a dataclass wrote by itself"
    assert first.endswith((".", "?", ";")) or len(text.splitlines()) > 1
    for method, value in inspect.getmembers(offered, inspect.isfunction):
        if not method.startswith("_") and value.__module__.startswith("detector"):
            assert inspect.getdoc(value), f"{name}.{method}"


def test_public_names_are_sorted_and_each_is_listed_once() -> None:
    assert sorted(set(detector.__all__)) == list(detector.__all__)
    assert detector.__version__


def test_a_star_import_brings_just_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from detector import *", names)
    assert set(names) - {"__builtins__"} == set(detector.__all__)


def test_importing_the_package_brings_no_server_no_page_and_no_explainer() -> None:
    heavy = ("shap", "streamlit", "fastapi", "sqlalchemy", "duckdb", "plotly")
    code = f"import sys, detector; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
