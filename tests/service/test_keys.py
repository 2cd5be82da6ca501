from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from detector.errors import ForbiddenError, InputError, NotFoundError
from detector.service.access import Actor, Caller
from detector.service.exports.auditing import audit_page
from detector.service.key_form import KEY, digest, id_of, new_key, well_formed
from detector.service.key_watch import FRESH
from detector.service.keys import create_key, list_keys, revoke_key
from detector.service.own_keys import OwnKeys
from detector.service.workspace import Workspace
from detector.store.key_tables import api_keys


def test_a_key_is_recognised_by_its_form_and_its_checksum() -> None:
    key = new_key()
    assert KEY.fullmatch(key)
    assert well_formed(key)
    assert not well_formed(key[:-1] + ("a" if key[-1] != "a" else "b"))
    assert not well_formed(key.upper())
    assert len({new_key() for _ in range(100)}) == 100


def test_a_key_is_shown_once_and_the_database_has_only_its_hash(ws: Workspace) -> None:
    made = create_key(ws, "  nightly ", "service", actor="lea", days=30)
    assert made.key not in repr(made)
    with ws.database.read() as connection:
        (row,) = connection.execute(select(api_keys)).mappings()
    assert made.key[17:] not in str(dict(row))
    assert row["sha256"] == digest(made.key.encode()).hex()
    (info,) = list_keys(ws, actor="lea")
    assert (info.id, info.name, info.role, info.created_by) == (id_of(made.key), "nightly", "service", "lea")
    assert info.ended is None
    assert info.last_used_at is None


def test_making_and_revoking_stand_in_the_log(ws: Workspace) -> None:
    made = create_key(ws, "nightly", "service", actor="lea")
    revoke_key(ws, made.info.id, actor="lea", reason="left the team")
    words = [line.words for line in audit_page(ws).lines]
    assert words == [
        f"The key of nightly ({made.info.id}) was revoked. Reason: left the team.",
        f"A key was made for nightly ({made.info.id}), role service.",
    ]
    assert made.key[17:] not in str(audit_page(ws))


def test_a_change_that_cannot_be_logged_is_not_made(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_key(ws, "stays", "viewer", actor="lea")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no log")

    monkeypatch.setattr("detector.service.keys.audit.record", fail)
    with pytest.raises(RuntimeError):
        create_key(ws, "other", "viewer", actor="lea")
    with pytest.raises(RuntimeError):
        revoke_key(ws, made.info.id, actor="lea")
    assert [(info.name, info.ended) for info in list_keys(ws, actor="lea")] == [("stays", None)]


@pytest.mark.parametrize(
    ("name", "role", "days"), [("", "viewer", None), ("x" * 61, "viewer", None), ("a\nb", "viewer", None),
                               ("x", "root", None), ("x", "viewer", 0), ("x", "viewer", 4_000)],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(ws: Workspace, name: str, role: str, days: int | None) -> None:
    with pytest.raises(InputError):
        create_key(ws, name, role, actor="lea", days=days)  # type: ignore[arg-type]
    assert list_keys(ws, actor="lea") == ()


def test_no_two_keys_in_force_share_a_name(ws: Workspace) -> None:
    made = create_key(ws, "nightly", "service", actor="lea")
    with pytest.raises(InputError, match="named 'nightly' already"):
        create_key(ws, "nightly", "viewer", actor="lea")
    revoke_key(ws, made.info.id, actor="lea")
    create_key(ws, "nightly", "viewer", actor="lea")
    assert [info.ended for info in list_keys(ws, actor="lea")] == [None, "revoked"]


def test_only_a_key_that_is_there_can_be_revoked_and_only_once(ws: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no key with the id"):
        revoke_key(ws, "abc", actor="lea")
    made = create_key(ws, "nightly", "service", actor="lea")
    revoke_key(ws, made.info.id, actor="lea")
    with pytest.raises(InputError, match="revoked already, by lea"):
        revoke_key(ws, made.info.id, actor="ann")


@pytest.mark.parametrize("role", ["viewer", "service", "analyst", None])
def test_only_leads_see_make_and_end_keys(ws: Workspace, role: str | None) -> None:
    made = create_key(ws, "nightly", "service", actor=Actor("lea", "lead"))
    who = Actor("vic", role)  # type: ignore[arg-type]
    with pytest.raises(ForbiddenError):
        create_key(ws, "mine", "lead", actor=who)
    with pytest.raises(ForbiddenError):
        list_keys(ws, actor=who)
    with pytest.raises(ForbiddenError):
        revoke_key(ws, made.info.id, actor=who)


def test_a_revocation_reaches_other_processes_with_their_next_look(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("detector.service.key_watch.monotonic", lambda: now[0])
    made = create_key(ws, "nightly", "service", actor="lea")
    other = Workspace.open(ws.settings)
    key = made.key.encode()
    assert other.keys.look().caller(key) == Caller("key nightly", "service", verified=True)
    revoke_key(ws, made.info.id, actor="lea")
    assert ws.keys.look().caller(key) is None
    now[0] += FRESH / 2
    assert other.keys.fresh() is not None
    now[0] += FRESH
    assert other.keys.fresh() is None
    assert other.keys.look().caller(key) is None
    assert not other.keys.look().required
    other.close()


def test_fresh_keys_are_read_without_the_database(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(ws, "nightly", "service", actor="lea")
    monkeypatch.setattr("detector.service.key_watch.monotonic", lambda: ws.keys._until - 0.01)
    ws.database.close()
    monkeypatch.setattr(ws.keys, "_read", None)
    assert ws.keys.fresh() is not None


def test_a_look_begun_before_a_revocation_does_not_count_as_one_after(ws: Workspace) -> None:
    made = create_key(ws, "nightly", "service", actor="lea")
    read, begun, go_on = ws.keys._read, threading.Event(), threading.Event()

    def slow_read() -> object:
        found = read()
        begun.set()
        go_on.wait()
        ws.keys._read = read  # type: ignore[method-assign]
        return found

    ws.keys._read = slow_read  # type: ignore[method-assign, assignment]
    looking = threading.Thread(target=ws.keys.look)
    looking.start()
    begun.wait()
    revoking = threading.Thread(target=revoke_key, args=(ws, made.info.id), kwargs={"actor": "lea"})
    revoking.start()
    go_on.set()
    revoking.join()
    looking.join()
    assert ws.keys.known is not None
    assert ws.keys.known.caller(made.key.encode()) is None


def test_expired_keys_still_keep_the_others_out(ws: Workspace) -> None:
    made = create_key(ws, "short", "service", actor="lea", days=1)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=False):
        keys = ws.keys.look()
        assert keys.caller(made.key.encode()) is None
        assert keys.required
        assert list_keys(ws, actor="lea")[0].ended == "expired"


def test_the_dashboards_own_key_acts_for_a_person_in_her_role_and_is_not_listed(ws: Workspace) -> None:
    own = OwnKeys(ws)
    key = own.key_for(Actor("ann", "analyst"))
    assert own.key_for(Actor("ann", "analyst")) == key
    assert own.key_for(Actor("ann", "viewer")) != key
    keys = ws.keys.look()
    assert keys.caller(key.encode()) == Caller("ann", "analyst", verified=True)
    assert not keys.required
    assert list_keys(ws, actor="lea") == ()
    with pytest.raises(ForbiddenError):
        own.key_for(Actor("nobody", None))


def test_the_dashboards_own_keys_end_by_themselves_and_are_swept(ws: Workspace) -> None:
    own = OwnKeys(ws)
    key = own.key_for(Actor("ann", "analyst"))
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11), tick=False):
        assert ws.keys.look().caller(key.encode()) is None
        OwnKeys(ws).key_for(Actor("vic", "viewer"))
        with ws.database.read() as connection:
            assert connection.scalars(select(api_keys.c.name)).all() == ["vic"]
