from __future__ import annotations

from pathlib import Path

import pytest

from tests import databases
from tests.databases import Kind, kinds_of
from trust import p16_two_databases as p16
from trust.promise import Size

BOTH: tuple[Kind, ...] = ("sqlite", "postgres")


@pytest.fixture
def without_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "programs", lambda: None)
    monkeypatch.setattr(p16, "programs", lambda: None)
    monkeypatch.delenv("CI", raising=False)


def test_a_test_runs_on_what_it_is_meant_for_as_far_as_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "programs", lambda: Path("/programs"))
    assert kinds_of(None, BOTH) == BOTH
    assert kinds_of("postgres", BOTH) == ("postgres",)
    assert kinds_of("sqlite", ("postgres",)) == ()


def test_where_postgresql_is_not_installed_it_is_left_out_and_that_is_told(without_postgres: None) -> None:
    assert kinds_of(None, BOTH) == ("sqlite",)
    assert kinds_of(None, ("postgres",)) == ()
    assert "PostgreSQL is not installed" in (databases.told() or "")


def test_continuous_integration_never_leaves_it_out(without_postgres: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.UsageError, match="not installed: apt-get install postgresql"):
        kinds_of(None, BOTH)


def test_who_asks_for_it_by_name_is_told_what_to_install(without_postgres: None) -> None:
    with pytest.raises(pytest.UsageError, match="not installed: apt-get install postgresql"):
        kinds_of("postgres", BOTH)


def test_the_promise_says_when_it_was_checked_without_postgresql(
    without_postgres: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With it, tests/trust leads full databases through the migrations; here it is the figure that counts.
    monkeypatch.setattr(p16, "_up_and_down", lambda *_: 0)
    outcome = p16.check(tmp_path, Size(full=False), False)
    assert outcome.kept
    assert "PostgreSQL is not installed" in outcome.figure
