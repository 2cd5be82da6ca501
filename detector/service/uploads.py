"""Receiving a file, before anything is trained or scored."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO
from uuid import uuid4

from sqlalchemy import RowMapping, insert, select

from detector.durable import flush_folder, make_folder
from detector.errors import NotFoundError, UnusableFileError, excerpt
from detector.service.access import needs
from detector.service.checking import ColumnCheck, FileCheck, check
from detector.service.rejected import rejected_rows
from detector.service.sources import uploads_folder
from detector.service.workspace import Workspace
from detector.store import audit, tables

__all__ = ["ColumnCheck", "FileCheck", "Upload", "check", "get_upload", "receive", "rejected_rows"]

#: Bytes that are copied at a time.
BLOCK = 1 << 20
#: How much of a user's file name is kept.
NAME_LENGTH = 255


@dataclass(frozen=True)
class Upload:
    """A received file. ``earlier_run`` is the run that scored the same bytes with the present champion, if any."""

    id: str
    name: str
    size: int
    sha256: str
    received_at: datetime
    earlier_run: int | None


@needs("score")
def receive(ws: Workspace, name: str, content: BinaryIO | bytes, *, actor: str) -> Upload:
    """Keep a file under an id of our own; ``name`` is only shown, never used as a path.

    Raises
    ------
    UnusableFileError
        When the file is empty or larger than ``settings.max_upload_bytes``.
    """
    # A system may hand over names with bytes that are no characters; no database keeps these.
    shown = name[-NAME_LENGTH:].encode("utf-8", "replace").decode()
    upload_id = uuid4().hex
    folder = uploads_folder(ws)
    make_folder(folder)
    path = folder / upload_id
    part = path.with_suffix(".part")
    try:
        size, digest = _copy(BytesIO(content) if isinstance(content, bytes) else content, part, shown, ws)
        part.replace(path)
        flush_folder(folder)
        with ws.database.write() as connection:
            connection.execute(
                insert(tables.uploads).values(
                    id=upload_id,
                    name=shown,
                    size=size,
                    sha256=digest,
                    received_at=datetime.now(UTC),
                    received_by=actor,
                    options={},
                )
            )
            audit.record(
                connection, actor=actor, action="file received", subject=f"upload {upload_id}", sha256=digest, size=size
            )
    except BaseException:
        part.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return get_upload(ws, upload_id)


def get_upload(ws: Workspace, upload_id: str) -> Upload:
    """Return an upload; raises ``NotFoundError``."""
    champion = ws.champion()
    with ws.database.read() as connection:
        query = select(tables.uploads).where(tables.uploads.c.id == upload_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such upload.", upload=upload_id)
        earlier: int | None = None
        if champion is not None:
            earlier = connection.scalar(
                select(tables.runs.c.id)
                .where(tables.runs.c.sha256 == row["sha256"], tables.runs.c.version == champion.version)
                .order_by(tables.runs.c.id.desc())
                .limit(1)
            )
    return _upload(row, earlier)


def _upload(row: RowMapping, earlier_run: int | None) -> Upload:
    return Upload(row["id"], row["name"], row["size"], row["sha256"], row["received_at"], earlier_run)


def _copy(content: BinaryIO, part: os.PathLike[str], name: str, ws: Workspace) -> tuple[int, str]:
    digest, size, most = sha256(), 0, ws.settings.max_upload_bytes
    with open(part, "wb") as file:  # noqa: PTH123 - part is any path
        while block := content.read(BLOCK):
            size += len(block)
            if size > most:
                raise UnusableFileError(
                    f"{excerpt(name)} is larger than {most / 1024**2:,.0f} MB, the most that is taken here. "
                    "Split it, or score it with the command line, which has no such limit.",
                    limit_bytes=most,
                )
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if size == 0:
        raise UnusableFileError(f"{excerpt(name)}: the file is empty.")
    return size, digest.hexdigest()
