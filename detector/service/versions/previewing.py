"""Updates that wait for a decision: what would change, accept, reject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, insert, select, update

from detector.core.model import DynamicAnomalyDetector
from detector.durable import write_durably
from detector.errors import ConflictError, ModelFileError, NotFoundError
from detector.service.access import needs
from detector.service.histogram import Histogram
from detector.service.progress import Progress, no_progress
from detector.service.sources import EvenSample, upload_source
from detector.service.versions.comparing import Comparison, DecidedComparison, compare, compare_decided
from detector.service.versions.gating import flagged_by, suspicions
from detector.service.versions.learning import learn_table, new_features
from detector.service.versions.teaching import decided, taught
from detector.service.versions.versioning import decisions_of, new_version
from detector.service.workspace import CHAMPION, Workspace
from detector.store import audit, tables
from detector.store.observed import taken_out
from detector.store.versions import POSITION, VersionInfo

#: Rows on which a preview compares the models.
COMPARED_ROWS = 5_000


@dataclass(frozen=True)
class UpdatePreview:
    """What accepting an update would change, measured on ``compared_rows`` of its own rows (up to 5,000, evenly taken).

    ``mean_shift``: mean severity after minus before, in points. ``rank_correlation``: Spearman's, -1 to 1. The
    flagged shares (0-1) and histograms are of the same rows, scored before and after, at the champion's cutoff.
    ``decided`` tells what becomes of the cases that were decided, ``None`` without any.
    ``report`` is an ``AlignmentReport.to_dict()`` over the whole file. ``stale``: the champion has changed since,
    accepting will fail. ``suspicions``: why the gate would hold this back if nobody looked, each a sentence.
    ``set_aside``: faulty rows of the upload that took no part, beside ``rows``.
    """

    token: str
    base_version: int
    name: str
    rows: int
    report: Mapping[str, Any]
    mean_shift: float
    rank_correlation: float
    newly_flagged: int
    no_longer_flagged: int
    compared_rows: int
    columns_to_learn: tuple[str, ...]
    flagged_share_before: float
    flagged_share_after: float
    histogram_before: Histogram
    histogram_after: Histogram
    stale: bool
    set_aside: int
    upload_id: str
    decided: DecidedComparison | None
    suspicions: tuple[str, ...]


@needs("manage")
def preview_update(
    ws: Workspace, upload_id: str, *, actor: str = "analyst", progress: Progress = no_progress
) -> UpdatePreview:
    """Make the updated model, compare it with the champion, and keep it aside until it is accepted or rejected.

    Raises
    ------
    NotTrainedError, NotFoundError, InputError
        When there is no champion, no such upload, or the file cannot be read.
    NoKnownColumnsError
        When the file carries too little of what the champion knows.
    Cancelled
        When ``progress`` raised it; nothing is kept then.
    """
    champion = ws.require_champion()
    table = upload_source(ws, upload_id).open(champion.detector, progress=progress)
    sample = EvenSample(COMPARED_ROWS, seed=champion.version)
    learned = learn_table(ws, champion, table, progress, sample)
    progress(learned.rows, learned.rows, "Comparing")
    frame = sample.frame()
    assert frame is not None
    # Against the same past: the updated model has let these very rows into its histories.
    after = learned.detector.with_histories_of(champion.detector)
    compared = compare(champion.detector, after, frame, champion.cutoff)
    on_decided = compare_decided(champion.detector, after, decided(ws), champion.cutoff)
    content = learned.detector.to_bytes()
    token = uuid4().hex
    path = _preview_path(ws, token)
    write_durably(path, content)
    figures = {
        "name": table.name,
        "rows": learned.rows,
        "set_aside": learned.set_aside,
        POSITION: learned.position,
        "report": learned.report.to_dict(),
        "columns_to_learn": new_features(champion.detector, learned.detector),
        "decided": None if on_decided is None else on_decided.to_dict(),
        "suspicions": suspicions(champion, learned.detector, flagged_by(champion, frame), ws.settings),
        **compared.to_dict(),
    }
    try:
        with ws.database.write() as connection:
            connection.execute(
                insert(tables.previews).values(
                    token=token,
                    base_version=champion.version,
                    upload=upload_id,
                    sha256=sha256(content).hexdigest(),
                    state="open",
                    figures=figures,
                    created_at=datetime.now(UTC),
                    created_by=actor,
                )
            )
            audit.record(
                connection,
                actor=actor,
                action="update previewed",
                subject=f"preview {token}",
                base_version=champion.version,
                upload=upload_id,
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return get_preview(ws, token)


def get_preview(ws: Workspace, token: str) -> UpdatePreview:
    """Return a preview that still waits; raises ``NotFoundError``."""
    row = _open_preview(ws, token)
    champion = ws.champion()
    figures = row["figures"]
    compared = Comparison.from_dict(figures)
    return UpdatePreview(
        token=token,
        base_version=row["base_version"],
        name=figures["name"],
        rows=figures["rows"],
        report=figures["report"],
        columns_to_learn=tuple(figures["columns_to_learn"]),
        stale=champion is None or champion.version != row["base_version"],
        set_aside=figures.get("set_aside", 0),
        upload_id=row["upload"],
        decided=None if figures.get("decided") is None else DecidedComparison.from_dict(figures["decided"]),
        suspicions=tuple(figures.get("suspicions", ())),
        **{field.name: getattr(compared, field.name) for field in fields(Comparison)},
    )


@needs("manage")
def accept_update(ws: Workspace, token: str, *, actor: str) -> VersionInfo:
    """Register the previewed model and make it champion; decisions made since the preview are learned as well.

    Raises
    ------
    NotFoundError
        When the preview does not exist or was decided already.
    ConflictError
        When the champion has changed since the preview was made, or the log of what was observed does not go back to
        then; nothing is written.
    ModelFileError
        When the previewed model on disk is not the one that was previewed.
    """
    row = _open_preview(ws, token)
    path = _preview_path(ws, token)
    alias = ws.registry.alias(CHAMPION)
    if alias is None or alias.version != row["base_version"]:
        raise ConflictError(
            f"This preview updates version {row['base_version']}, but the champion is version "
            f"{alias.version if alias else 'none'} now. Preview the file again.",
            base_version=row["base_version"],
            champion=alias.version if alias else None,
        )
    content = path.read_bytes() if path.is_file() else b""
    if sha256(content).hexdigest() != row["sha256"]:
        raise ModelFileError("The previewed model on disk is not the one that was previewed. Preview the file again.")
    detector = taught(ws, DynamicAnomalyDetector.from_bytes(content))
    position = row["figures"].get(POSITION, 0)
    _require_covered(ws, detector, position)
    new = new_version(
        detector,
        origin="updated",
        parent=row["base_version"],
        figures={"update": row["figures"], "decisions": decisions_of(detector)},
        position=position,
    )
    info = ws.promote(
        new,
        actor=actor,
        expected_revision=alias.revision,
        reason="update accepted",
        also=_decide(token, "accepted", actor),
    )
    path.unlink(missing_ok=True)
    return info


@needs("manage")
def reject_update(ws: Workspace, token: str, *, actor: str) -> None:
    """Throw a preview away; raises ``NotFoundError``."""
    with ws.database.write() as connection:
        _decide(token, "rejected", actor)(connection, 0)
    _preview_path(ws, token).unlink(missing_ok=True)


def _preview_path(ws: Workspace, token: str) -> Path:
    return ws.settings.data_folder / "previews" / f"{token}.joblib"


def _open_preview(ws: Workspace, token: str) -> RowMapping:
    with ws.database.read() as connection:
        query = select(tables.previews).where(tables.previews.c.token == token, tables.previews.c.state == "open")
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such preview, or it was accepted or rejected already.", token=token)
    return row


def _require_covered(ws: Workspace, detector: DynamicAnomalyDetector, position: int) -> None:
    if detector.behaviour is None:
        return
    with ws.database.read() as connection:
        gone = taken_out(connection, detector.behaviour.identity)
    if gone > position:
        raise ConflictError(
            "This preview has waited for so long that it would not know all transactions that were observed meanwhile. "
            "Preview the file again."
        )


def _decide(token: str, state: str, actor: str) -> Callable[[Connection, int], None]:
    def decide(connection: Connection, version: int) -> None:
        decided = connection.execute(
            update(tables.previews)
            .where(tables.previews.c.token == token, tables.previews.c.state == "open")
            .values(state=state)
        )
        if decided.rowcount != 1:
            raise NotFoundError("There is no such preview, or it was accepted or rejected already.", token=token)
        audit.record(
            connection, actor=actor, action=f"update {state}", subject=f"preview {token}", version=version or None
        )

    return decide
