"""How a PostgreSQL server is reached, and how long it may keep a caller waiting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, ExceptionContext, text

from detector.store.limits import Limits

#: What names the one driver that is installed, psycopg 3; hosting services write the first.
NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
#: Key of the advisory lock that whoever writes holds; any number that nobody else uses.
_WRITERS = 0x0DE7EC70
#: Notice within half a minute that a server vanished without a word, in seconds (the last: milliseconds).
_LIVELINESS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}


def address_of(url: URL) -> URL:
    """Return the address with the driver that is installed."""
    return url.set(drivername="postgresql+psycopg")


def place_of(url: URL) -> str:
    """Return host, port and name of the database that an address leads to."""
    host = ",".join(_texts(url, "host")) or url.host or ""
    port = ",".join(_texts(url, "port")) or url.port or 5432
    return f"{host}:{port}/{url.database or url.username}"


def engine_arguments(url: URL, limits: Limits) -> dict[str, Any]:
    """Return what ``create_engine`` is to be told; what the address itself says goes before."""
    kept = min(5, limits.connections)
    timeouts = {
        "statement_timeout": limits.statement_seconds,
        "lock_timeout": limits.lock_seconds,
        # A process that hangs while it writes would hold up all others.
        "idle_in_transaction_session_timeout": limits.statement_seconds,
    }
    options = " ".join(f"-c {name}={seconds * 1000}" for name, seconds in timeouts.items())
    given = {"application_name": "detector", "connect_timeout": limits.connect_seconds, **_LIVELINESS}
    arguments = {name: value for name, value in given.items() if name not in url.query}
    arguments["options"] = " ".join([options, *_texts(url, "options")])
    return {
        "connect_args": arguments,
        "pool_size": kept,
        "max_overflow": limits.connections - kept,
        # A connection that the server has closed is replaced before it is used.
        "pool_pre_ping": True,
    }


def wait_for_writers(connection: Connection, *, patient: bool = False) -> None:
    """Wait until nobody else writes, without limit when ``patient``; nobody will until the transaction ends."""
    if patient:
        lift_timeouts(connection)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS})


def lift_timeouts(connection: Connection) -> None:
    """Let the rest of the transaction take as long as it needs."""
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {name} = 0"))


def encoding(connection: Connection) -> str:
    """Return the encoding in which the database keeps texts."""
    return str(connection.scalar(text("SHOW server_encoding")))


def _texts(url: URL, name: str) -> tuple[str, ...]:
    found = url.query.get(name, ())
    return (found,) if isinstance(found, str) else tuple(found)


def hide_values(context: ExceptionContext) -> None:
    """Take the server's details out of an error: they tell the row that was refused, and the log would keep it."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args and isinstance(error.args[0], str):
            error.args = (error.args[0].partition("\nDETAIL:")[0], *error.args[1:])
