"""Taking a database to any revision of its schema, up or down."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from detector.store import tables

MIGRATIONS = Path(tables.__file__).with_name("migrations")


@cache
def revisions() -> tuple[str, ...]:
    """Return all revisions, the first first."""
    found = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return tuple(reversed([script.revision for script in found]))


def migrate_to(connection: Connection, revision: str) -> None:
    """Lead the schema up or down to a revision (``base``: to nothing) in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    known = revisions()
    now = MigrationContext.configure(connection).get_current_revision()
    down = revision == "base" or (now is not None and known.index(revision) < known.index(now))
    (command.downgrade if down else command.upgrade)(config, revision)
