"""The alignment report: what arrived, what did not, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from detector.core.intake import Way
from detector.errors import PROBLEMS_SHOWN

ColumnStatus = Literal[
    "matched", "new", "missing", "retyped", "unfamiliar", "renamed", "rescaled", "partly missing", "left out"
]  # fmt: skip
_GRAVEST_FIRST = (
    "missing", "retyped", "unfamiliar", "renamed", "rescaled", "partly missing", "new", "left out", "matched",
)  # fmt: skip


@dataclass(frozen=True)
class CellProblem:
    """A value that could not be read as its feature's kind; ``row`` counts from 0."""

    row: int
    column: str
    value: str


@dataclass(frozen=True)
class ColumnFinding:
    """What became of one column.

    Parameters
    ----------
    name : as the user's files called it when it was learned.
    status : matched, new, missing, retyped, unfamiliar (other categories than training had), renamed, rescaled (came in
        another unit, and was converted), partly missing (some rows have no value), or left out.
    kind, kind_found : the kind the model knows, and the kind that arrived.
    rows_affected : how many rows this concerns.
    action : a sentence that says what the detector did.
    default : what stands in for a missing value in displays; it never enters a score.
    nearest : for a missing column, the unknown column whose name is most like it.
    came_as : for a renamed column, the name that it came under.
    factor : for a rescaled column, what its values were divided by; else 1.
    expected : an update has met this other name or unit before, and the model expects it.
    """

    name: str
    status: ColumnStatus
    kind: str | None
    kind_found: str | None
    rows_affected: int
    action: str
    default: float | str | None = None
    nearest: str | None = None
    came_as: str | None = None
    factor: float = 1.0
    expected: bool = False


@dataclass(frozen=True)
class AlignmentReport:
    """What arrived, what did not, and what was done about it.

    Parameters
    ----------
    rows : rows looked at.
    columns : one finding a column, known or new.
    unseen : for each categorical feature, how many rows hold a category never seen in training.
    unreadable : the first 100 values, by row, that could not be read; those rows are scored without the feature.
    unreadable_total : how many there are.
    importance_carried : share (0-1) of the model's feature importance that the batch carries.
    ways : how each feature was read, by its name: what the next piece of the same file goes by where it is too short to
        show names and units itself.
    """

    rows: int
    columns: tuple[ColumnFinding, ...]
    unseen: Mapping[str, int] = field(default_factory=dict)
    unreadable: tuple[CellProblem, ...] = ()
    unreadable_total: int = 0
    importance_carried: float = 1.0
    ways: Mapping[str, Way] = field(default_factory=dict, repr=False, compare=False)

    def _named(self, status: str) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.status == status)

    @property
    def new(self) -> tuple[str, ...]:
        """Names of columns that the model has not learned."""
        return self._named("new")

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of learned features that the batch does not carry."""
        return self._named("missing")

    @property
    def retyped(self) -> tuple[str, ...]:
        """Names of features that arrived as another kind."""
        return self._named("retyped")

    @property
    def renamed(self) -> tuple[str, ...]:
        """Names of features that arrived under another name."""
        return self._named("renamed")

    @property
    def unfamiliar(self) -> tuple[str, ...]:
        """Names of features that came with other categories than training had, and are scored without."""
        return self._named("unfamiliar")

    @property
    def rescaled(self) -> tuple[str, ...]:
        """Names of features that arrived in another unit, and were converted."""
        return self._named("rescaled")

    @property
    def partly_missing(self) -> tuple[str, ...]:
        """Names of features that some rows lack."""
        return self._named("partly missing")

    @property
    def matches(self) -> bool:
        """Whether every column is as the model knows it."""
        known = ("matched", "left out")
        return not self.unreadable_total and all(column.status in known or column.expected for column in self.columns)

    def merged(self, other: AlignmentReport) -> AlignmentReport:
        """Return the report on both batches; ``other`` comes behind this one."""
        mine = {column.name: column for column in self.columns}
        theirs = {column.name: column for column in other.columns}
        columns = tuple(
            _graver(mine[name], theirs[name]) if name in mine and name in theirs else (mine.get(name) or theirs[name])
            for name in mine | theirs
        )
        moved = tuple(CellProblem(cell.row + self.rows, cell.column, cell.value) for cell in other.unreadable)
        return AlignmentReport(
            rows=self.rows + other.rows,
            columns=columns,
            unseen={
                name: self.unseen.get(name, 0) + other.unseen.get(name, 0) for name in {**self.unseen, **other.unseen}
            },
            unreadable=(self.unreadable + moved)[:PROBLEMS_SHOWN],
            unreadable_total=self.unreadable_total + other.unreadable_total,
            importance_carried=min(self.importance_carried, other.importance_carried),
            ways={**self.ways, **other.ways},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        told = asdict(replace(self, ways={}))
        del told["ways"]
        return told | {
            "unseen": dict(self.unseen), "new": list(self.new), "missing": list(self.missing),
            "retyped": list(self.retyped), "unfamiliar": list(self.unfamiliar), "renamed": list(self.renamed),
            "rescaled": list(self.rescaled), "partly_missing": list(self.partly_missing), "matches": self.matches,
        }  # fmt: skip


def _graver(one: ColumnFinding, other: ColumnFinding) -> ColumnFinding:
    first = min(one, other, key=lambda column: _GRAVEST_FIRST.index(column.status))
    rows = sum(column.rows_affected for column in (one, other) if column.status == first.status)
    return replace(first, rows_affected=rows)
