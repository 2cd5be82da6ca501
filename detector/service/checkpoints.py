"""What a scoring job has done so far, on disk, so that another process can go on behind it.

A folder a job: ``begun.json`` says by which version and how the file is scored, ``histories`` what was known of
entities when it began, and a small Parquet file for each batch holds what the version said of its rows. All of it is
written whole and flushed. The rest of a run's figures follow from the file and from these numbers, so that a run that
was continued is the same, byte for byte, as one that was not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector.durable import write_durably
from detector.service.champion import Champion
from detector.service.workspace import Workspace
from detector.store.run_files import SCORED_COLUMNS
from detector.version import VERSION

_BEGUN, _HISTORIES = "begun.json", "histories"


@dataclass
class Checkpoint:
    """The batches that are scored already. ``champion``: by which they were, and the rest has to be."""

    folder: Path
    champion: Champion
    parts: int = 0

    def scored(self, part: int) -> pd.DataFrame | None:
        """Return what was said of the rows of a batch (counted from 0), ``None`` when it is still to be scored."""
        if part >= self.parts:
            return None
        frame: pd.DataFrame = pq.read_table(_part(self.folder, part)).to_pandas()
        return frame

    def keep(self, part: int, scored: pd.DataFrame) -> None:
        """Keep what was said of a batch."""
        file = BytesIO()
        pq.write_table(pa.Table.from_pandas(scored[list(SCORED_COLUMNS)], preserve_index=False), file)
        write_durably(_part(self.folder, part), file.getvalue())

    def drop(self) -> None:
        """Forget it all: the run is written, or nobody wants it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def found_checkpoint(ws: Workspace, job_id: str, reading: Mapping[str, Any]) -> Checkpoint | None:
    """Return what a job has done so far, ``None`` when that is nothing.

    ``reading``: how the file is read and cut into batches, as plain values. What was done in another way, or by
    another release of this program, does not count.
    """
    folder = checkpoints_folder(ws) / job_id
    try:
        begun = json.loads((folder / _BEGUN).read_bytes())
    except (FileNotFoundError, ValueError):
        begun = {}
    if begun.get("how") != _how(reading):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    parts = 0
    while _part(folder, parts).is_file():
        parts += 1
    return Checkpoint(folder, _champion_then(ws, folder, begun), parts)


def begin_checkpoint(ws: Workspace, job_id: str, reading: Mapping[str, Any], champion: Champion) -> Checkpoint:
    """Write down by which champion a job scores, with what it knows of entities now, and how it reads."""
    folder = checkpoints_folder(ws) / job_id
    # What requests let in while the file is scored must not count for its later rows: another process would not know.
    histories = champion.detector.histories_to_bytes()
    if histories is not None:
        write_durably(folder / _HISTORIES, histories)
    begun = {"how": _how(reading), "version": champion.version, "cutoff": champion.cutoff}
    write_durably(folder / _BEGUN, json.dumps(begun).encode())
    return Checkpoint(folder, _champion_then(ws, folder, begun))


def checkpoints_folder(ws: Workspace) -> Path:
    """Return the folder that holds a folder for each job."""
    return ws.settings.data_folder / "checkpoints"


def _champion_then(ws: Workspace, folder: Path, begun: Mapping[str, Any]) -> Champion:
    version = begun["version"]
    info, detector = ws.registry.info(version), ws.detector(version)
    if detector.behaviour is not None:
        detector = detector.with_histories((folder / _HISTORIES).read_bytes())
    return Champion(version, detector, begun["cutoff"], info.created_at, info.rows)


def _how(reading: Mapping[str, Any]) -> dict[str, Any]:
    return {"program": VERSION, **reading}


def _part(folder: Path, part: int) -> Path:
    return folder / f"{part:06d}.parquet"
