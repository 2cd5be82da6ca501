"""Whether the database answers, asked so that the question itself cannot hang for long where that can be helped."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

#: Seconds that SQLite may wait for a lock, and that a server may take to accept a connection or to answer.
PATIENCE = 1
_QUESTION = "SELECT version_num FROM alembic_version"


class DatabaseProbe:
    """Asks the database for one small thing, over a connection that nothing else uses."""

    def __init__(self, address: str) -> None:
        url = make_url(address)
        self._file = url.database if url.get_backend_name() == "sqlite" else None
        self._engine: Engine | None = None
        if self._file is None:
            waits = {"connect_timeout": 2 * PATIENCE, "tcp_user_timeout": 1000 * PATIENCE}
            alive = {"keepalives_idle": PATIENCE, "keepalives_interval": PATIENCE, "keepalives_count": 2}
            limits = {"options": f"-c statement_timeout={1000 * PATIENCE}", "application_name": "detector-probe"}
            self._engine = create_engine(url, pool_size=1, max_overflow=0, connect_args=waits | alive | limits)

    def answers(self) -> bool:
        """Ask. A server that takes the question and says nothing keeps the caller waiting; call it in a thread."""
        try:
            return self._ask_file() if self._engine is None else self._ask_server(self._engine)
        except (sqlite3.Error, SQLAlchemyError):
            if self._engine is not None:
                self._engine.dispose()
            return False

    def close(self) -> None:
        """Let go of the connection."""
        if self._engine is not None:
            self._engine.dispose()

    def _ask_file(self) -> bool:
        # Opened by its name each time: an open file goes on answering after it was moved away or replaced.
        address = f"file:{quote(str(self._file))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE / 2)) as connection:
            return connection.execute(_QUESTION).fetchone() is not None

    def _ask_server(self, engine: Engine) -> bool:
        with engine.connect() as connection:
            return connection.scalar(text(_QUESTION)) is not None
