"""Tables to which rows are added, and whose rows are never changed or removed."""

from __future__ import annotations

from alembic import op


def seal(name: str) -> None:
    """Let rows be added and read, never changed or removed."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{event.lower()} BEFORE {event} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
    else:
        op.execute(
            f"CREATE FUNCTION {name}_sealed() RETURNS trigger LANGUAGE plpgsql AS "
            # The same kind of error as on SQLite.
            f"$$ BEGIN RAISE EXCEPTION '{name} is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        # Once a statement, so that it is refused as well when no row matches, and TRUNCATE, which sees no rows.
        op.execute(
            f"CREATE TRIGGER {name}_sealed BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_sealed()"
        )


def unseal(name: str) -> None:
    """Let rows be changed again."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("update", "delete"):
            op.execute(f"DROP TRIGGER {name}_no_{event}")
    else:
        op.execute(f"DROP TRIGGER {name}_sealed ON {name}")
        op.execute(f"DROP FUNCTION {name}_sealed()")
