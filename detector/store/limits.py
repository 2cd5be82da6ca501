"""What a process takes of a database server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a process takes of a PostgreSQL server.

    ``connections``: most connections of this process at a time; ``connect_seconds``: for reaching the server;
    ``statement_seconds``: for one statement; ``lock_seconds``: for waiting until others have written. 0 never gives up.
    """

    connections: int = 15
    connect_seconds: int = 10
    statement_seconds: int = 60
    lock_seconds: int = 30
