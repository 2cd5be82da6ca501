"""Where rows come from: an upload of the workspace or a file on disk, read the same way each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import select

from detector.core.model import DynamicAnomalyDetector
from detector.core.schema import Feature
from detector.errors import NotFoundError
from detector.files import UNLIMITED, Limits, ReadOptions, Table, open_table
from detector.service.progress import Progress, no_progress
from detector.service.workspace import Workspace
from detector.side_by_side import ahead
from detector.store import tables


@dataclass(frozen=True)
class Source:
    """A file that can be opened: where it lies, what the user calls it, and how it is read."""

    path: Path
    name: str
    options: ReadOptions
    upload_id: str | None = None
    sha256: str | None = None

    @property
    def sets_aside(self) -> bool:
        """Whether faulty rows are set aside instead of refusing the file."""
        return self.options.on_error == "quarantine"

    def options_for(self, detector: DynamicAnomalyDetector | None) -> ReadOptions:
        """Return how the file is read, with what a model knows about its columns."""
        if detector is None:
            return self.options
        features = tuple(feature for feature in detector.schema_ if not feature.derived and not feature.stands_by_for)
        return replace(
            self.options,
            expected_columns=_names(features),
            text_columns=_names(feature for feature in features if feature.kind == "categorical"),
            numeric_columns=_names(feature for feature in features if feature.kind == "numeric" and feature.takes_part),
        )

    def open(self, detector: DynamicAnomalyDetector | None = None, *, progress: Progress = no_progress) -> Table:
        """Open the file, reading it once; a model's columns help to recognise headers and to keep codes as text.

        Raises
        ------
        InputError
            When the file cannot be read.
        Cancelled
            When ``progress`` raised it.
        """
        options = self.options_for(detector)

        def told(done_rows: int, total_rows: int | None, message: str) -> None:
            progress(done_rows, total_rows, f"{message} {self.name}")

        return open_table(self.path, name=self.name, options=options, progress=told)


def _names(features: Iterable[Feature]) -> tuple[str, ...]:
    """Return the names under which files may hold these features."""
    return tuple(name for feature in features for name in (feature.name, *feature.aliases))


def upload_source(ws: Workspace, upload_id: str) -> Source:
    """Return the source of an upload, with the options that its check remembered; raises ``NotFoundError``."""
    with ws.database.read() as connection:
        query = select(tables.uploads).where(tables.uploads.c.id == upload_id)
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such upload.", upload=upload_id)
    path = uploads_folder(ws) / row["id"]
    if not path.is_file():
        raise NotFoundError("The uploaded file is gone from data/uploads. Upload it again.", upload=upload_id)
    settings = ws.settings
    limits = Limits(
        file_bytes=settings.max_upload_bytes,
        parser_bytes=settings.parser_bytes,
        parser_seconds=settings.parser_seconds,
    )
    return Source(path, row["name"], ReadOptions(**row["options"], limits=limits), row["id"], row["sha256"])


def path_source(path: Path, *, set_aside: bool = False, reading: ReadOptions | None = None) -> Source:
    """Return the source of a file on disk, without the limits of uploads; raises ``NotFoundError``.

    ``set_aside``: faulty rows are set aside instead of refusing the file. ``reading``: how to read it, where that is
    known.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    options = replace(reading or ReadOptions(), limits=UNLIMITED, on_error="quarantine" if set_aside else "refuse")
    return Source(path, path.name, options)


def uploads_folder(ws: Workspace) -> Path:
    """Return the folder of the uploads."""
    return ws.settings.data_folder / "uploads"


def told_batches(table: Table, size: int, progress: Progress, message: str) -> Iterator[pd.DataFrame]:
    """Yield a table's batches, each read while the one before is worked on.

    ``progress`` is told before the first and after each.
    """
    return (batch for batch, _ in told_blocks(table, size, progress, message))


def told_blocks(table: Table, size: int, progress: Progress, message: str) -> Iterator[tuple[pd.DataFrame, pa.Table]]:
    """Yield what :func:`told_batches` does, each with the same rows as Arrow has them."""
    done = 0
    progress(done, table.rows, message)
    for batch, rows in ahead(table.blocks(size)):
        yield batch, rows
        done += len(batch)
        progress(done, table.rows, message)


class EvenSample:
    """At most ``most`` rows of all that come, each as likely as any other, in the order in which they came.

    Each row draws a number from ``seed``; the rows with the least numbers stay.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._random = np.random.default_rng(seed)
        self._kept: list[pd.DataFrame] = []
        self._drawn: list[NDArray[np.float64]] = []
        self._held = 0

    def add(self, batch: pd.DataFrame) -> None:
        """Take a batch into account."""
        self._kept.append(batch)
        self._drawn.append(self._random.random(len(batch)))
        self._held += len(batch)
        if self._held > 1.25 * self._most:
            self._thin()

    def frame(self) -> pd.DataFrame | None:
        """Return the sample, numbered from 0, or ``None`` when nothing came."""
        if self._held > self._most:
            self._thin()
        if not self._kept:
            return None
        frame = self._kept[0] if len(self._kept) == 1 else pd.concat(self._kept, ignore_index=True)
        return frame.reset_index(drop=True)

    def _thin(self) -> None:
        frame, drawn = pd.concat(self._kept, ignore_index=True), np.concatenate(self._drawn)
        stay = np.sort(np.argpartition(drawn, self._most - 1)[: self._most])
        self._kept, self._drawn, self._held = [frame.iloc[stay]], [drawn[stay]], self._most
