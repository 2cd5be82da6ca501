"""What the registry is given about a model version, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Origin = Literal["trained", "updated", "taught", "imported", "sample"]
Lane = Literal["main", "demo"]

#: Figures of a version that tell which file its histories are in, of which entities they are (``None`` for none), and
#: up to which observed event they know the log.
HISTORIES, ENTITIES, POSITION = "histories", "entities", "observed"


@dataclass(frozen=True)
class NewVersion:
    """A model that wants to become a version: its bytes, and what should be known of it without reading them.

    ``cutoff`` is the severity (0-100) that the model's contamination implies, ``rows`` the rows it has seen in all.
    ``histories`` is what it remembers of entities, kept in a file beside the model's.
    """

    content: bytes = field(repr=False)
    origin: Origin
    rows: int
    features: tuple[str, ...]
    contamination: float
    cutoff: float
    parent: int | None = None
    lane: Lane = "main"
    figures: Mapping[str, Any] = field(default_factory=dict, repr=False)
    histories: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class VersionInfo:
    """An immutable, registered model version.

    ``number`` counts from 1 without gaps; ``parent`` is the version that an update began with; ``lane`` is ``main``,
    or ``demo`` for the versions of the drift demo; ``rows`` are the rows seen in all; ``cutoff`` is the severity
    (0-100) that the model's contamination implies; ``figures`` holds what was measured when the version was made
    (JSON-ready).
    """

    number: int
    sha256: str
    size: int
    created_at: datetime
    created_by: str
    parent: int | None
    origin: Origin
    lane: Lane
    rows: int
    features: tuple[str, ...]
    contamination: float
    cutoff: float
    figures: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Alias:
    """A name that points at a version; ``revision`` counts its moves from 1."""

    name: str
    version: int
    revision: int
    moved_at: datetime
    moved_by: str
