"""The documents of versions, aliases and trials, for the OpenAPI description; bodies are checked by them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class VersionDocument(_Document):
    """A registered version; it never changes."""

    version: int
    created_at: datetime
    created_by: str
    origin: str = Field(description="How it came: trained, updated, taught, imported or sample.")
    parent: int | None = Field(description="The version that an update began with.")
    rows: int = Field(description="Rows learned in all.")
    features: list[str]
    contamination: float
    cutoff: float = Field(description="The severity that its share to flag implies.")
    size: int
    sha256: str
    aliases: list[str] = Field(description="`champion`, `challenger`, or nothing.")
    waiting: bool = Field(description="It was held back and waits for a person to promote or dismiss it.")
    reasons: list[str] = Field(description="Why it waits.")


class VersionsDocument(_Document):
    """A page of versions, newest first."""

    versions: list[VersionDocument]
    next: int | None = Field(description="Ask with `before` for the next page; null on the last one.")


class AliasDocument(_Document):
    """Where a name points. `revision` counts its moves; it is the `ETag` as well."""

    alias: Literal["champion", "challenger"]
    version: int
    revision: int
    moved_at: datetime
    moved_by: str


class AliasesDocument(_Document):
    """The names that point at versions."""

    aliases: list[AliasDocument]


class DroppedDocument(_Document):
    """A name that points nowhere any more."""

    alias: str
    version: None = None
    revision: Literal[0] = 0


class AliasBody(_Document):
    """Where a name is to point, and from which revision; `If-Match` may say that instead."""

    version: int = Field(ge=1, examples=[2])
    expected_revision: int | None = Field(
        None, ge=0, description="The revision that was seen, 0 for none; else `If-Match` must say it.", examples=[1]
    )
    reason: str = Field(
        "", max_length=500, description="Why, for the log; the champion needs one.", examples=["Fewer false alarms"]
    )


class TrialBody(_Document):
    """A challenger that is to see live requests, in place of any other."""

    version: int = Field(ge=1, examples=[2])
    mode: Literal["shadow", "share"] = Field(
        description="shadow: the champion answers all requests; share: the challenger answers a share of them."
    )
    share: float | None = Field(None, gt=0, lt=1, description="What the challenger answers; 0.1 when left out.")
    field: str | None = Field(
        None, max_length=500, description="Names the transaction; the field with the role id when left out."
    )
    expected_revision: int | None = Field(
        None, ge=0, description="The challenger's revision that was seen, 0 for none; else `If-Match` must say it."
    )
    reason: str = Field("", max_length=500)


class FlaggedDocument(_Document):
    """The rows that one version flags, of those that both scored, and the 95 % interval of the share."""

    version: int
    flagged: int
    share: float | None
    low: float
    high: float
    severities: list[int] = Field(description="Rows in each of 100 bins of severity.")


class TrialDocument(_Document):
    """The trial that goes on. Figures are of all processes, some seconds old, and of the champion of now."""

    version: int
    revision: int = Field(description="What a change expects; it is the `ETag` as well.")
    mode: Literal["shadow", "share"]
    share: float
    field: str | None
    started_at: datetime
    started_by: str
    rows: int = Field(description="Rows that both versions scored.")
    answered: int = Field(description="Rows among them that the challenger answered.")
    champion: FlaggedDocument
    challenger: FlaggedDocument
    both: int
    only_champion: int
    only_challenger: int
    neither: int
    mean_shift: float | None = Field(description="How far the severities of a row lie apart in the mean, in points.")
    dropped: int = Field(description="Rows that were answered and not scored by the other version, which was behind.")
    failed: int = Field(description="Rows that the challenger could not score; the champion answered them.")
