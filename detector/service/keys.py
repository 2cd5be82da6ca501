"""Keys of the API: made, listed, revoked. A key is shown once, to who makes it; the database has a hash of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from detector.errors import InputError, NotFoundError, excerpt
from detector.service.access import Role, needs
from detector.service.key_form import digest, id_of, new_key
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.key_tables import api_keys

#: The longest name of a key, and the longest life that may be asked for, in days.
NAME_LENGTH, MOST_DAYS = 60, 3_650
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class KeyInfo:
    """What is known of a key: everything but the key. ``last_used_at`` is at most about a minute behind."""

    id: str
    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None

    @property
    def ended(self) -> str | None:
        """Why it is not in force: ``revoked`` or ``expired``; ``None`` while it is."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else None


@dataclass(frozen=True, repr=False)
class NewKey:
    """A key that was just made. ``key`` is there once: show it, and forget it."""

    key: str
    info: KeyInfo


@needs("manage")
def create_key(ws: Workspace, name: str, role: Role, *, actor: str, days: int | None = None) -> NewKey:
    """Make a key; from the first one on, every request to the API needs one.

    Parameters
    ----------
    name : up to 60 characters that tell who uses it; no two keys in force share one. The log names it.
    days : for how many days it is valid; ``None``: until it is revoked.

    Raises
    ------
    InputError
        When name, role or days cannot be used, or a key in force has this name.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InputError(f"The name of a key has 1 to {NAME_LENGTH} printable characters.")
    if role not in ROLES:
        raise InputError(f"A key has one of the roles {', '.join(ROLES)}, not {excerpt(role)!r}.")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise InputError(f"A key is valid for 1 to {MOST_DAYS:,} days.")
    now = datetime.now(UTC)
    key = new_key()
    with ws.database.write() as connection:
        query = select(api_keys).where(api_keys.c.name == name, ~api_keys.c.own)
        for row in connection.execute(query).mappings():
            if _info(row).ended is None:
                raise InputError(f"There is a key named {excerpt(name)!r} already; revoke it or take another name.")
        info = insert_key(
            connection, key, name, role, actor=actor, now=now, until=None if days is None else now + timedelta(days)
        )
    ws.keys.look()
    return NewKey(key, info)


@needs("manage")
def list_keys(ws: Workspace, *, actor: str) -> tuple[KeyInfo, ...]:  # noqa: ARG001 - asked what it may
    """Return the keys that people made, those in force first, then by age, the newest first."""
    with ws.database.read() as connection:
        query = select(api_keys).where(~api_keys.c.own).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        found = [_info(row) for row in connection.execute(query).mappings()]
    return tuple(sorted(found, key=lambda info: info.ended is not None))


@needs("manage")
def revoke_key(ws: Workspace, key_id: str, *, actor: str, reason: str = "") -> KeyInfo:
    """End a key: at once in this process, within 0.25 s in others.

    Raises
    ------
    NotFoundError
        When there is no such key.
    InputError
        When it was revoked already.
    """
    with ws.database.write() as connection:
        query = select(api_keys).where(api_keys.c.id == key_id, ~api_keys.c.own)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"There is no key with the id {excerpt(key_id)!r}.", key=excerpt(key_id))
        if row["revoked_at"] is not None:
            raise InputError(f"The key {excerpt(row['name'])!r} was revoked already, by {row['revoked_by']}.")
        ended = {"revoked_at": datetime.now(UTC), "revoked_by": actor}
        connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(ended))
        audit.record(
            connection,
            actor=actor,
            action="key revoked",
            subject=f"key {key_id}",
            name=row["name"],
            role=row["role"],
            reason=reason.strip(),
        )
    ws.keys.look()
    return _info({**row, **ended})


def insert_key(
    connection: Connection,
    key: str,
    name: str,
    role: Role,
    *,
    actor: str,
    now: datetime,
    until: datetime | None,
    own: bool = False,
) -> KeyInfo:
    """Keep the hash of a key, and that it was made, in the caller's transaction."""
    values = {
        "id": id_of(key),
        "name": name,
        "role": role,
        "created_at": now,
        "created_by": actor,
        "expires_at": until,
        "revoked_at": None,
        "revoked_by": None,
        "last_used_at": None,
    }
    connection.execute(insert(api_keys).values(**values, sha256=digest(key.encode()).hex(), own=own))
    audit.record(
        connection,
        actor=actor,
        action="key made",
        subject=f"key {id_of(key)}",
        name=name,
        role=role,
        until=None if until is None else until.isoformat(timespec="seconds"),
        **({"own": True} if own else {}),
    )
    return _info(values)


def forget_own_keys(connection: Connection, now: datetime) -> None:
    """Remove the dashboard's own keys that have ended; the log still tells of them."""
    connection.execute(delete(api_keys).where(api_keys.c.own, api_keys.c.expires_at <= now))


def _info(row: RowMapping | dict[str, object]) -> KeyInfo:
    fields = {name: row[name] for name in KeyInfo.__dataclass_fields__}
    return KeyInfo(**fields)  # type: ignore[arg-type]  # columns have the types of the fields, which no row tells
