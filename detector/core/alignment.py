"""The feature alignment engine: rows as they come, in; an encoded matrix in the model's columns and a report, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core.encoding import CategoryCodes, encode
from detector.core.forest import Encoded
from detector.core.inference import infer_kind, is_absent
from detector.core.later import pd
from detector.core.missing import column_is_missing
from detector.core.reading import Reading, read_column
from detector.core.report import AlignmentReport, CellProblem, ColumnFinding, ColumnStatus
from detector.core.schema import Feature, Schema
from detector.core.statistics import FeatureStatistics, Kind
from detector.core.wording import default_text
from detector.errors import PROBLEMS_SHOWN, NoKnownColumnsError, excerpt, nearest_name

__all__ = ["Aligned", "Aligner", "AlignmentReport", "CellProblem", "ColumnFinding", "ColumnStatus"]

#: So many rows with a value are needed to say that a column has changed its type, rather than that cells are bad.
ROWS_FOR_RETYPED = 20
#: Values of a new column that are looked at to tell its kind.
VALUES_LOOKED_AT = 1_000


@dataclass(frozen=True, eq=False)
class Aligned:
    """A batch in the model's columns.

    Parameters
    ----------
    matrix : (n, d) float32 encoded; ``-inf`` where absence is a state, ``NaN`` where a value is not known.
    carried : (features,) bool, which learned features the batch has at all.
    report : what was found.
    """

    matrix: Encoded
    carried: NDArray[np.bool_]
    report: AlignmentReport


class Aligner:
    """Aligns batches to one schema and its statistics; a value, made anew when either changes.

    ``importance`` is asked only when a batch lacks a learned feature: measuring it takes a forest.
    """

    def __init__(
        self, schema: Schema, statistics: Mapping[str, FeatureStatistics], importance: Callable[[], Mapping[str, float]]
    ) -> None:
        self.schema = schema
        self.statistics = statistics
        self._importance = importance

    @cached_property
    def codes(self) -> dict[str, CategoryCodes]:
        """Rarities and identities of the categories of each categorical feature."""
        return {
            feature.name: CategoryCodes(self.statistics[feature.name])
            for feature in self.schema.encoded
            if feature.kind == "categorical"
        }

    def align(self, frame: pd.DataFrame) -> Aligned:
        """Return ``frame`` in the model's columns; nothing is raised for what its rows hold."""
        matrix = np.full((len(frame), self.schema.width), np.nan, np.float32)
        learned = self.schema.learned
        carried = np.zeros(len(learned), bool)
        findings: list[ColumnFinding] = []
        unseen: dict[str, int] = {}
        cells: list[CellProblem] = []
        total = 0
        unknown = self.unknown(frame.columns)
        for place, feature in enumerate(learned):
            if feature.name not in frame.columns:
                findings.append(self.missing(feature, len(frame), unknown))
                continue
            column = frame[feature.name]
            reading = read_column(column, feature.kind)
            bad = len(reading.unreadable)
            if not bad and column_is_missing(reading.absent, self.statistics[feature.name]):
                findings.append(self.missing(feature, len(frame), came="It came without a single value"))
                continue
            if is_retyped(reading):
                findings.append(_set_aside(feature, reading))
                continue
            carried[place] = True
            unseen_here = encode(feature, reading, self.codes.get(feature.name), matrix)
            if unseen_here:
                unseen[feature.name] = unseen_here
            total += bad
            cells += [
                CellProblem(row, feature.name, excerpt(column.iloc[row]))
                for row in reading.unreadable[:PROBLEMS_SHOWN].tolist()
            ]
            findings.append(self.arrived(feature, reading.kind_found, reading.present, int(reading.absent.sum()), bad))
        findings += self.others(frame.columns, len(frame), frame)
        first = tuple(sorted(cells, key=lambda cell: cell.row)[:PROBLEMS_SHOWN])
        report = AlignmentReport(len(frame), tuple(findings), unseen, first, total, self.carries(carried))
        return Aligned(matrix, carried, report)

    def carries(self, carried: NDArray[np.bool_]) -> float:
        """Return the share (0-1) of the model's importance that these learned features have."""
        if carried.all():
            return 1.0
        importance = self._importance()
        names = (feature.name for feature, has in zip(self.schema.learned, carried, strict=True) if has)
        return min(1.0, sum(importance.get(name, 0.0) for name in names))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the names that the schema does not hold."""
        return [name for name in names if name not in self.schema.by_name]

    def missing(
        self, feature: Feature, rows: int, unknown: Iterable[str] = (), came: str = "It did not come"
    ) -> ColumnFinding:
        """Return the finding for a learned feature that did not come, or came empty."""
        default = default_text(self.statistics[feature.name])
        nearest = nearest_name(feature.name, unknown)
        text = f"{came}: all rows are scored by trees grown without it, and no value is made up."
        if nearest is not None:
            text += f" A column that the model does not know has nearly the same name, {nearest!r}: was it renamed?"
        return ColumnFinding(feature.name, "missing", feature.kind, None, rows, text, default, nearest)

    def arrived(self, feature: Feature, found: Kind, present: int, absent: int, unreadable: int) -> ColumnFinding:
        """Return the finding for a learned feature that came: as learned, with gaps, or as another type."""
        lacking = absent + unreadable
        if found != feature.kind and (feature.kind, found) not in _ALIKE and present > unreadable:
            used = "what can be read is used" if unreadable else "its values can be read and are used"
            text = f"It came as {_AS[found]} instead of {_AS[feature.kind]}, but {used}."
            return ColumnFinding(feature.name, "retyped", feature.kind, found, present, text)
        if lacking == 0:
            return ColumnFinding(feature.name, "matched", feature.kind, found, 0, "Used as learned.")
        if feature.absence_is_state and not unreadable:
            text = "Rows without a value are scored as having none: training had such rows, and showed what it means."
        elif unreadable:
            text = f"Rows without {_ONE[feature.kind]} that can be read are scored without this column."
        else:
            text = "Rows without a value are scored without this column."
        default = default_text(self.statistics[feature.name])
        return ColumnFinding(feature.name, "partly missing", feature.kind, found, lacking, text, default)

    def others(self, names: Iterable[str], rows: int, frame: pd.DataFrame | None = None) -> list[ColumnFinding]:
        """Return the findings for columns that take no part in scores: new, waiting to be learned, or left out.

        With the ``frame`` that holds them, new columns get the kind that they came as.
        """
        findings = []
        for name in names:
            feature = self.schema.by_name.get(name)
            if feature is None:
                text = "New to the model: rows are scored by the columns that it knows, and an update learns this one."
                findings.append(ColumnFinding(name, "new", None, _kind_of_new(frame, name), rows, text))
            elif feature.status in ("observed", "retired"):
                found = _kind_of_new(frame, name)
                findings.append(ColumnFinding(name, "new", feature.kind, found, rows, feature.reason))
            elif feature.status == "left out":
                findings.append(ColumnFinding(name, "left out", feature.kind, None, 0, feature.reason))
        return findings


#: Pairs (known, found) that are one type to a person: flags sent as 1 and 0, codes sent as numbers, an empty column.
_ALIKE = {("numeric", "boolean"), ("boolean", "numeric"), ("categorical", "numeric"), ("categorical", "boolean"),
          ("categorical", "datetime"), ("datetime", "categorical")}  # fmt: skip
_AS = {"numeric": "numbers", "categorical": "text", "boolean": "yes or no", "datetime": "times"}
_ONE = {"numeric": "a number", "categorical": "a text", "boolean": "a yes or no", "datetime": "a time"}


def is_retyped(reading: Reading) -> bool:
    """Return whether a column is of another type, rather than that some of its cells are bad."""
    return reading.present >= ROWS_FOR_RETYPED and len(reading.unreadable) > 0.5 * reading.present


def _kind_of_new(frame: pd.DataFrame | None, name: str) -> Kind | None:
    """Return what the first values of a column look like; ``None`` without any value."""
    if frame is None:
        return None
    present = np.flatnonzero(~is_absent(frame[name]))[:VALUES_LOOKED_AT]
    return infer_kind(frame[name].iloc[present]) if len(present) else None


def _set_aside(feature: Feature, reading: Reading) -> ColumnFinding:
    text = (
        f"It came as {_AS[reading.kind_found]} instead of {_AS[feature.kind]}, and most of it cannot be read:"
        " all rows are scored by trees grown without it."
    )
    return ColumnFinding(feature.name, "retyped", feature.kind, reading.kind_found, reading.present, text)


def no_known_columns(names: list[str]) -> NoKnownColumnsError:
    """Return the error for rows that carry nothing the model knows."""
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return NoKnownColumnsError(
        f"None of the columns that the model has learned is in these rows. It knows {shown}."
        " Check that this is the right file, or train on it."
    )
