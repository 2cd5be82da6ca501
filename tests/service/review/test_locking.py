from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detector.service.review import locking
from detector.service.review.case_ids import CaseId
from detector.service.workspace import Workspace
from detector.store import audit

ONE, TWO = CaseId(1, 1), CaseId(1, 2)


def later(monkeypatch: pytest.MonkeyPatch, span: timedelta) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + span

    monkeypatch.setattr(locking, "datetime", Later)


def test_whoever_comes_first_holds_a_case_for_five_minutes(queued: Workspace) -> None:
    lock = locking.hold(queued, ONE, actor="ada")
    assert (lock.case, lock.holder) == (ONE, "ada")
    assert timedelta(minutes=4) < lock.until - datetime.now(UTC) <= locking.HELD
    assert locking.hold(queued, ONE, actor="bob") == lock
    assert locking.held_by_others(queued, "bob") == {ONE: lock}
    assert locking.held_by_others(queued, "ada") == {}


def test_looking_again_holds_it_longer(queued: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = locking.hold(queued, ONE, actor="ada")
    later(monkeypatch, timedelta(minutes=3))
    assert locking.hold(queued, ONE, actor="ada").until > first.until


def test_a_lock_expires_by_itself(queued: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    locking.hold(queued, ONE, actor="ada")
    later(monkeypatch, timedelta(minutes=6))
    assert locking.held_by_others(queued, "bob") == {}
    assert locking.hold(queued, ONE, actor="bob").holder == "bob"
    with queued.database.read() as connection:
        assert audit.entries(connection, limit=1)[0].action != "case taken over"


def test_opening_the_next_case_lets_go_of_the_one_before(queued: Workspace) -> None:
    locking.hold(queued, ONE, actor="ada")
    locking.hold(queued, TWO, actor="ada")
    assert list(locking.held_by_others(queued, "bob")) == [TWO]


def test_a_case_can_be_taken_over_and_the_log_says_so(queued: Workspace) -> None:
    locking.hold(queued, ONE, actor="ada")
    assert locking.hold(queued, ONE, actor="bob", take_over=True).holder == "bob"
    assert locking.hold(queued, ONE, actor="ada").holder == "bob"
    with queued.database.read() as connection:
        entry = audit.entries(connection, limit=1)[0]
    assert (entry.actor, entry.action, entry.subject, entry.details) == (
        "bob",
        "case taken over",
        f"case {ONE}",
        {"held_by": "ada"},
    )


def test_only_the_holder_lets_go(queued: Workspace) -> None:
    locking.hold(queued, ONE, actor="ada")
    locking.release(queued, ONE, actor="bob")
    assert list(locking.held_by_others(queued, "bob")) == [ONE]
    locking.release(queued, ONE, actor="ada")
    assert locking.held_by_others(queued, "bob") == {}
