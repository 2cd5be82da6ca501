"""The verdicts on a batch, put together from parts that different versions scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detector.api.answers import came_as, predictions, rescaled
from detector.api.kinds import Fields
from detector.api.payloads import Record
from detector.core.alignment import AlignmentReport
from detector.core.explain import Explanation
from detector.core.scoring import ScoreResult
from detector.service.champion import Champion


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on some rows, and what was found of their columns."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    retyped: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    rescaled: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        by: Champion,
        fields: Fields,
        rows: Sequence[Record],
        result: ScoreResult,
        explanation: Explanation | None,
    ) -> Verdicts:
        """Return what one version says of rows."""
        return replace(cls.about(result.report), rows=predictions(by, fields, rows, result, explanation))

    @classmethod
    def about(cls, report: AlignmentReport) -> Verdicts:
        """Return what was found of the columns alone."""
        return cls([], report.retyped, came_as(report), rescaled(report))

    def with_part(self, other: Verdicts, places: Sequence[int]) -> Verdicts:
        """Return all verdicts in the order in which the rows came; those of ``other`` belong at ``places``."""
        theirs = dict(zip(places, other.rows, strict=True))
        mine = iter(self.rows)
        return Verdicts(
            [theirs[place] if place in theirs else next(mine) for place in range(len(self.rows) + len(theirs))],
            tuple(sorted({*self.retyped, *other.retyped})) if other.retyped else self.retyped,
            {**other.renamed, **self.renamed},
            {**other.rescaled, **self.rescaled},
        )
