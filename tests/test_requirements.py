from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = (
    "requirements.txt",
    "requirements-s3.txt",
    "requirements-spark.txt",
    "requirements-test.txt",
    "requirements-bench.txt",
)
#: What the product imports is in one of these; the second is for those who keep models in an object store.
PRODUCT = ("requirements.txt", "requirements-s3.txt")


def requirements(name: str) -> dict[str, str]:
    """Return the pins of a file, without those that it includes."""
    lines = [line.split(";")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith(("#", "-r")))


def imported_by(*places: Path) -> set[str]:
    names: set[str] = set()
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"detector"}


@pytest.mark.parametrize("name", [*FILES, "requirements-mlserver.txt"])
def test_every_requirement_is_pinned_to_one_version(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(r"[a-z0-9._-]+==[0-9][\w.]*(; sys_platform != \"win32\")?", line), line


def test_no_package_is_pinned_twice() -> None:
    pinned = [package for name in FILES for package in requirements(name)]
    assert len(pinned) == len(set(pinned))


def test_the_product_imports_only_what_it_requires() -> None:
    distributions = packages_distributions()
    required = {re.sub(r"[-_.]+", "-", package) for file in PRODUCT for package in requirements(file)}
    for name in imported_by(ROOT / "detector", ROOT / "pages", ROOT / "app.py") - {"pyspark"}:
        owners = {re.sub(r"[-_.]+", "-", owner.lower()) for owner in distributions.get(name, [])}
        assert owners & required, f"{name} is imported but not in {PRODUCT}"


def test_spark_alone_imports_what_only_spark_requires() -> None:
    beside = imported_by(*(path for path in (ROOT / "detector").iterdir() if path.name != "spark"))
    assert "pyspark" not in beside
    assert "pyspark" in imported_by(ROOT / "detector" / "spark")
