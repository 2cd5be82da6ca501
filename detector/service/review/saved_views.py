"""Views of the queue that a person keeps under a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import delete, insert, select

from detector.errors import InputError, NotFoundError
from detector.service.review.filters import Filters
from detector.service.workspace import Workspace
from detector.store import audit, tables

#: Characters of a name.
NAME_LENGTH = 60
#: Views that one person keeps.
MOST_VIEWS = 50


@dataclass(frozen=True)
class SavedView:
    """What a person asked of the queue, under a name."""

    name: str
    filters: Filters
    saved_at: datetime


def list_views(ws: Workspace, *, owner: str) -> tuple[SavedView, ...]:
    """Return a person's views in the order of their names."""
    views = tables.saved_views
    query = select(views).where(views.c.owner == owner)
    with ws.database.read() as connection:
        found = connection.execute(query).mappings().all()
    kept = [SavedView(row["name"], Filters.from_query(dict(parse_qsl(row["query"]))), row["saved_at"]) for row in found]
    return tuple(sorted(kept, key=lambda view: view.name.casefold()))


def save_view(ws: Workspace, name: str, filters: Filters, *, owner: str) -> SavedView:
    """Keep what was asked for under a name; a view of that name is replaced.

    Raises
    ------
    InputError
        When the name is empty or too long, or the person keeps too many views.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH:
        raise InputError(f"The name of a view has 1 to {NAME_LENGTH} characters.")
    views, now = tables.saved_views, datetime.now(UTC)
    mine = (views.c.owner == owner, views.c.name == name)
    query = urlencode(filters.to_query())
    with ws.database.write() as connection:
        connection.execute(delete(views).where(*mine))
        if len(connection.scalars(select(views.c.id).where(views.c.owner == owner)).all()) >= MOST_VIEWS:
            raise InputError(f"One person keeps at most {MOST_VIEWS} views. Delete one first.")
        connection.execute(insert(views).values(owner=owner, name=name, query=query, saved_at=now))
        audit.record(connection, actor=owner, action="view saved", subject=f"view {name}", query=query)
    return SavedView(name, filters, now)


def delete_view(ws: Workspace, name: str, *, owner: str) -> None:
    """Forget a view; raises ``NotFoundError`` when the person has none of that name."""
    views = tables.saved_views
    with ws.database.write() as connection:
        gone = connection.execute(delete(views).where(views.c.owner == owner, views.c.name == name))
        if not gone.rowcount:
            raise NotFoundError(f"There is no view {name!r}.", name=name)
        audit.record(connection, actor=owner, action="view deleted", subject=f"view {name}")
