from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_target_with_its_purpose() -> None:
    listed = make()
    assert listed.returncode == 0
    names = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split())
    lines = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", listed.stdout, re.MULTILINE))
    assert set(lines) == names
    assert names >= {
        "run",
        "test",
        "test-postgres",
        "lint",
        "types",
        "contracts",
        "browser",
        "bench",
        "sample",
        "clean",
    }


def test_no_target_runs_without_an_environment_that_it_makes_itself() -> None:
    for name in ("run", "test", "test-postgres", "lint", "types", "contracts", "browser", "bench", "sample"):
        assert re.search(rf"^{name}: \$\(VENV\)/\.(run|test|bench) ##", MAKEFILE, re.MULTILINE), name


def test_where_no_python_is_new_enough_it_says_what_to_do(tmp_path: Path) -> None:
    for name in ("python", "python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    tried = subprocess.run(
        ["make", "run", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert tried.returncode != 0
    assert "Python 3.11 or newer is needed" in tried.stderr
    assert not (tmp_path / "venv").exists()
