"""Run migrations over the connection that ``Database.migrate`` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from detector.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
