"""Scored files to take away, each with a manifest that says what it is and how it came to be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path, PurePath
from typing import Any, Literal

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import select

from detector.durable import make_folder, write_durably
from detector.errors import InputError, NotFoundError
from detector.files import ScoredWriter
from detector.files.excel_writing import MOST_COLUMNS, MOST_ROWS, WorkbookWriter
from detector.service.access import needs
from detector.service.cutoff.judged import Decided, decided_rows
from detector.service.progress import Progress, no_progress
from detector.service.runs import Run, get_run, run_path
from detector.service.workspace import Workspace
from detector.store import audit, run_files, tables
from detector.version import VERSION

ExportFormat = Literal["csv", "parquet", "xlsx"]
#: The formats, with what people call them.
FORMATS: Mapping[ExportFormat, str] = {"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel"}
#: Up to this many rows are written while a person waits; more are a job.
AT_ONCE = 20_000
#: Rows of a workbook between two reports of progress.
WORKBOOK_ROWS = 4_000
#: What decisions add, in this order.
DECISION_COLUMNS = ("decision", "decision_reason", "decided_by", "decided_at")
#: What the reasons of a queue add.
REASONS_COLUMN = "reasons"


@dataclass(frozen=True)
class Export:
    """A scored file that is ready: where it and its manifest lie, what it is called, its size in bytes."""

    run_id: int
    format: ExportFormat
    path: Path
    manifest_path: Path
    name: str
    rows: int
    size: int
    sha256: str

    @property
    def manifest_name(self) -> str:
        """What the manifest is called beside the file."""
        return f"{self.name}.manifest.json"


def export_name(run: Run, format: ExportFormat) -> str:
    """Return the name of a run's file for download."""
    return f"{PurePath(run.name).stem}_run{run.id}_scored.{format}"


def unfit(run: Run, format: ExportFormat) -> str | None:
    """Return why a run cannot be exported in a format, told before anything is written; ``None`` when it can."""
    columns = len(run.columns) + len(run_files.SCORED_COLUMNS) + len(DECISION_COLUMNS) + 1
    if format == "xlsx" and run.rows > MOST_ROWS:
        return f"An Excel sheet holds {MOST_ROWS:,} rows, and this run has {run.rows:,}. Choose CSV or Parquet."
    if format == "xlsx" and columns > MOST_COLUMNS:
        return f"An Excel sheet holds {MOST_COLUMNS:,} columns, fewer than this run has. Choose CSV or Parquet."
    return None


def ready_export(ws: Workspace, run_id: int, format: ExportFormat) -> Export | None:
    """Return the file of a run as it would be written now, when it lies there; ``None`` when it has to be written.

    Raises
    ------
    NotFoundError
        When there is no such run.
    """
    run = get_run(ws, run_id)
    path = _path(ws, run, format, decided_rows(ws, run))
    return _export(run, format, path) if path.is_file() and _manifest_path(path).is_file() else None


@needs("read")
def export_scored(
    ws: Workspace, run_id: int, format: ExportFormat, *, actor: str, progress: Progress = no_progress
) -> Export:
    """Write all rows of a run with what scoring added and what people decided, and a manifest beside it.

    A file that lies there already and would be the same is returned as it is; each call is written into the log.
    Cells that a spreadsheet would run as formulas are made harmless in CSV and Excel.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    InputError
        When the format is unknown, or cannot hold the run.
    Cancelled
        When ``progress`` raised it; nothing is kept then.
    """
    if format not in FORMATS:
        raise InputError(f"A run is exported as {', '.join(FORMATS)}, not as {format!r}.")
    run = get_run(ws, run_id)
    if problem := unfit(run, format):
        raise InputError(problem)
    decided = decided_rows(ws, run)
    path = _path(ws, run, format, decided)
    if not _manifest_path(path).is_file():
        _write(ws, run, format, path, decided, actor, progress)
    made = _export(run, format, path)
    with ws.database.write() as connection:
        audit.record(
            connection,
            actor=actor,
            action="run exported",
            subject=f"run {run.id}",
            format=format,
            rows=made.rows,
            decisions=len(decided),
            sha256=made.sha256,
        )
    return made


def _write(
    ws: Workspace,
    run: Run,
    format: ExportFormat,
    path: Path,
    decided: tuple[Decided, ...],
    actor: str,
    progress: Progress,
) -> None:
    make_folder(path.parent)
    told, shortened = f"Writing {FORMATS[format]}", 0
    progress(0, run.rows, told)
    frames = _frames(ws, run, decided)
    schema: list[dict[str, str]] = []
    writer = WorkbookWriter(path, run.created_at) if format == "xlsx" else ScoredWriter(path, format)
    with writer:
        for frame in frames:
            if not schema:
                schema = [{"name": str(name), "type": str(kind)} for name, kind in frame.dtypes.items()]
            # A workbook takes seconds for what the other formats write at once; it is told and stopped more often.
            step = WORKBOOK_ROWS if format == "xlsx" else max(len(frame), 1)
            for first in range(0, max(len(frame), 1), step):
                writer.write(frame.iloc[first : first + step])
                progress(writer.rows, run.rows, told)
    if isinstance(writer, WorkbookWriter):
        shortened = writer.shortened
    manifest = _manifest(ws, run, path, format, schema, actor) | {
        "decisions": len(decided),
        "texts_shortened": shortened,
    }
    write_durably(_manifest_path(path), json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    _sweep(path)


def _frames(ws: Workspace, run: Run, decided: tuple[Decided, ...]) -> Iterator[pd.DataFrame]:
    """Yield a run's rows with decisions and reasons beside them; the first frame comes also when there is no row."""
    reasons = _reasons(ws, run)
    added = [*(DECISION_COLUMNS if decided else ()), *([REASONS_COLUMN] if reasons is not None else [])]
    taken = {name.casefold() for name in added}
    kept = {name.casefold() for name in run.columns}
    names = {}
    for name in run.columns:
        free = name
        while free.casefold() in taken or (free != name and free.casefold() in kept):
            free = f"{free} (file)"
        names[name] = free
    said = pd.DataFrame(
        {
            "decision": [one.outcome for one in decided],
            "decision_reason": [one.reason for one in decided],
            "decided_by": [one.made_by for one in decided],
            "decided_at": pd.Series([one.made_at for one in decided], dtype="datetime64[us, UTC]"),
        },
    ).set_index(pd.Index([one.row for one in decided], dtype="int64"))
    done = 0
    for batch in run_files.batches(run_path(ws, run.id), ws.settings.batch_rows):
        rows = pd.RangeIndex(done + 1, done + 1 + len(batch))
        frame = batch.rename(columns=names)
        if decided:
            beside = said.reindex(rows)
            for name in DECISION_COLUMNS:
                frame[name] = beside[name].to_numpy() if name != "decided_at" else beside[name].array
        if reasons is not None:
            frame[REASONS_COLUMN] = reasons.reindex(rows).to_numpy()
        done += len(batch)
        yield frame


def _reasons(ws: Workspace, run: Run) -> pd.Series | None:
    """Return the reasons of a run's queue by row, as one text each; ``None`` while it has no such file."""
    path = _reasons_path(ws, run)
    if path is None:
        return None
    found = pq.read_table(path, columns=["row", "reasons"]).to_pandas()
    texts = ["; ".join(map(str, listed)) if listed is not None else None for listed in found["reasons"]]
    return pd.Series(texts, index=found["row"].to_numpy(), dtype="str")


def _reasons_path(ws: Workspace, run: Run) -> Path | None:
    with ws.database.read() as connection:
        file = connection.scalar(select(tables.queues.c.file).where(tables.queues.c.run == run.id))
    path = None if file is None else ws.settings.data_folder / "queues" / str(file)
    if path is None or not path.is_file():
        return None
    return path if {"row", "reasons"} <= set(pq.read_schema(path).names) else None


def _manifest(
    ws: Workspace, run: Run, path: Path, format: ExportFormat, schema: list[dict[str, str]], actor: str
) -> dict[str, Any]:
    version = ws.registry.info(run.version)
    return {
        "file": export_name(run, format),
        "sha256": _digest(path),
        "bytes": path.stat().st_size,
        "rows": run.rows,
        "columns": schema,
        "run": {"id": run.id, "scored_at": run.created_at.isoformat(), "scored_by": run.actor, "flagged": run.flagged},
        "source": {"file": PurePath(run.name).name, "sha256": run.sha256, "rows_set_aside": run.set_aside},
        "model": {"version": version.number, "sha256": version.sha256, "origin": version.origin},
        "cutoff": run.cutoff,
        "times": "UTC",
        "formulas": "as they are" if format == "parquet" else "an apostrophe before texts that would be formulas",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "created_by": actor,
        "program": {"name": "dynamic-anomaly-detection", "version": VERSION},
    }


def _export(run: Run, format: ExportFormat, path: Path) -> Export:
    manifest_path = _manifest_path(path)
    try:
        manifest = json.loads(manifest_path.read_bytes())
    except OSError as error:
        raise NotFoundError("The exported file is gone. Export the run again.", run=run.id) from error
    return Export(
        run.id,
        format,
        path,
        manifest_path,
        export_name(run, format),
        manifest["rows"],
        manifest["bytes"],
        manifest["sha256"],
    )


def _path(ws: Workspace, run: Run, format: ExportFormat, decided: tuple[Decided, ...]) -> Path:
    """Return where the file of a run lies; its name tells what went into it, so that a later decision makes another."""
    reasons = _reasons_path(ws, run)
    told = [VERSION, run_path(ws, run.id).name, run.name, *(str(one.number) for one in decided)]
    if reasons is not None:
        told += [reasons.name, str(reasons.stat().st_mtime_ns)]
    key = sha256("\n".join(told).encode()).hexdigest()[:16]
    return ws.settings.data_folder / "exports" / f"run{run.id}-{key}.{format}"


def _manifest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _sweep(path: Path) -> None:
    """Remove what was exported of the same run in the same format before something was decided anew."""
    start = path.name.split("-")[0]
    for other in path.parent.glob(f"{start}-*{path.suffix}*"):
        if other not in (path, _manifest_path(path)) and not other.name.startswith("."):
            other.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
