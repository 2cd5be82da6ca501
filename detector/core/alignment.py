"""The feature alignment engine: rows as they come, in; an encoded matrix in the model's columns and a report, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core.encoding import CategoryCodes, encode
from detector.core.forest import Encoded
from detector.core.inference import infer_kind, is_absent
from detector.core.intake import ROWS_FOR_RETYPED, ROWS_FOR_UNFAMILIAR, Way, take_in
from detector.core.later import pd
from detector.core.matching import Matcher
from detector.core.missing import column_is_missing
from detector.core.reading import Reading
from detector.core.renames import Match
from detector.core.report import AlignmentReport, CellProblem, ColumnFinding, ColumnStatus
from detector.core.schema import Feature
from detector.core.statistics import Kind
from detector.core.wording import AS_KIND, KNOWN_GAPS, ONE_OF_KIND, alias_text, default_text, unit_text
from detector.errors import PROBLEMS_SHOWN, NoKnownColumnsError, excerpt, nearest_name

__all__ = ["ROWS_FOR_RETYPED", "Aligned", "Aligner", "AlignmentReport", "CellProblem", "ColumnFinding", "ColumnStatus"]

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

    def __init__(self, matcher: Matcher, importance: Callable[[], Mapping[str, float]]) -> None:
        self.matcher = matcher
        self.schema = matcher.schema
        self.statistics = matcher.statistics
        self._importance = importance

    @cached_property
    def codes(self) -> dict[str, CategoryCodes]:
        """Rarities and identities of the categories of each categorical feature."""
        return {
            feature.name: CategoryCodes(self.statistics[feature.name])
            for feature in self.schema.encoded
            if feature.kind == "categorical"
        }

    def align(self, frame: pd.DataFrame, after: AlignmentReport | None = None) -> Aligned:
        """Return ``frame`` in the model's columns; nothing is raised for what its rows hold.

        Parameters
        ----------
        after : the report on the pieces before this one, where a file comes in pieces. What was found there holds where
            this piece has too few rows to say otherwise, as the last one of a file may.
        """
        aligned = self._aligned(frame, after, unfamiliar_too=False)
        if not aligned.carried.any() and aligned.report.unfamiliar:
            # Nothing else came: to see every row as rare is better than to see nothing.
            aligned = self._aligned(frame, after, unfamiliar_too=True)
        return aligned

    def _aligned(self, frame: pd.DataFrame, after: AlignmentReport | None, *, unfamiliar_too: bool) -> Aligned:
        ways_before = {} if after is None else after.ways
        matrix = np.full((len(frame), self.schema.width), np.nan, np.float32)
        learned = self.schema.learned
        carried = np.zeros(len(learned), bool)
        findings: list[ColumnFinding] = []
        unseen: dict[str, int] = {}
        cells: list[CellProblem] = []
        ways: dict[str, Way] = {}
        total = 0
        came = self.matcher.columns_of(frame, ways_before)
        used = {match.column for match in came.values()}
        unknown = [name for name in self.unknown(frame.columns) if name not in used]
        for place, feature in enumerate(learned):
            match = came.get(feature.name)
            if match is None:
                findings.append(self.missing(feature, len(frame), unknown))
                continue
            column = frame[match.column]
            intake = take_in(match.column, column, self.matcher.known[feature.name], ways_before.get(feature.name))
            reading = intake.reading
            bad = len(reading.unreadable)
            if not bad and column_is_missing(reading.absent, self.statistics[feature.name]):
                findings.append(self.missing(feature, len(frame), came="It came without a single value"))
                continue
            if intake.retyped:
                findings.append(_set_aside(feature, reading))
                continue
            unfamiliar = self.matcher.known[feature.name].is_unfamiliar(reading) or (
                reading.present < ROWS_FOR_UNFAMILIAR and after is not None and feature.name in after.unfamiliar
            )
            if unfamiliar and not unfamiliar_too:
                findings.append(_unfamiliar(feature, reading))
                continue
            carried[place] = True
            ways[feature.name] = intake.way
            unseen_here = encode(feature, reading, self.codes.get(feature.name), matrix)
            if unseen_here:
                unseen[feature.name] = unseen_here
            total += bad
            cells += [
                CellProblem(row, match.column, excerpt(column.iloc[row]))
                for row in reading.unreadable[:PROBLEMS_SHOWN].tolist()
            ]
            absent = len(reading.absent) - reading.present
            findings.append(self.found(feature, match, intake.way, reading.kind_found, reading.present, absent, bad))
        findings += self.others([name for name in frame.columns if name not in used], len(frame), frame)
        first = tuple(sorted(cells, key=lambda cell: cell.row)[:PROBLEMS_SHOWN])
        report = AlignmentReport(len(frame), tuple(findings), unseen, first, total, self.carries(carried), ways)
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
        return [name for name in names if name not in self.schema.by_name and name not in self.schema.by_alias]

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

    def found(
        self, feature: Feature, match: Match, way: Way, kind: Kind, present: int, absent: int, unreadable: int
    ) -> ColumnFinding:
        """Return the finding for a learned feature that was found in a column and read in this ``way``."""
        if way.flag or way.form is not None:
            said = "It came in another spelling of yes and no, and is read as the same flag."
            if way.form is not None:
                said = "It came as text instead of numbers: the numbers in it are read."
                said += " What stands around each of them is left out." if way.form.around else ""
            text = " ".join((said, self._gaps(feature, absent, unreadable))).strip()
            found = ColumnFinding(feature.name, "retyped", feature.kind, kind, present, text)
        else:
            found = self.arrived(feature, kind, present, absent, unreadable)
        return self._changed(found, feature, way, match, present + absent)

    def _changed(self, found: ColumnFinding, feature: Feature, way: Way, match: Match, rows: int) -> ColumnFinding:
        """Return a finding with what is to be said of another name or another unit."""
        renamed, factor = way.column != feature.name, way.factor
        if not renamed and factor == 1.0 == feature.factor:
            return found
        said = [alias_text(way.column, feature.name, match.because)] if renamed else []
        if factor != 1.0 or feature.factor != 1.0:
            said.append(unit_text(factor, feature.factor, feature.role == "amount"))
        remembered = (not renamed or way.column in feature.aliases) and factor == feature.factor
        expected = remembered and found.status == "matched"
        if found.status != "matched":
            said.append(found.action)
        return replace(
            found,
            status="renamed" if renamed else "rescaled",
            rows_affected=rows,
            action=" ".join(said),
            came_as=way.column if renamed else None,
            factor=factor,
            expected=expected,
        )

    def arrived(self, feature: Feature, found: Kind, present: int, absent: int, unreadable: int) -> ColumnFinding:
        """Return the finding for a learned feature that came: as learned, with gaps, or as another type."""
        lacking = absent + unreadable
        if found != feature.kind and (feature.kind, found) not in _ALIKE and present > unreadable:
            used = "what can be read is used" if unreadable else "its values can be read and are used"
            text = f"It came as {AS_KIND[found]} instead of {AS_KIND[feature.kind]}, but {used}."
            return ColumnFinding(feature.name, "retyped", feature.kind, found, present, text)
        if lacking == 0:
            return ColumnFinding(feature.name, "matched", feature.kind, found, 0, "Used as learned.")
        text = self._gaps(feature, absent, unreadable)
        default = default_text(self.statistics[feature.name])
        return ColumnFinding(feature.name, "partly missing", feature.kind, found, lacking, text, default)

    @staticmethod
    def _gaps(feature: Feature, absent: int, unreadable: int) -> str:
        if absent + unreadable == 0:
            return ""
        if feature.absence_is_state and not unreadable:
            return KNOWN_GAPS
        if unreadable:
            return f"Rows without {ONE_OF_KIND[feature.kind]} that can be read are scored without this column."
        return "Rows without a value are scored without this column."

    def others(self, names: Iterable[str], rows: int, frame: pd.DataFrame | None = None) -> list[ColumnFinding]:
        """Return the findings for columns that take no part in scores: new, waiting to be learned, or left out.

        With the ``frame`` that holds them, new columns get the kind that they came as.
        """
        findings = []
        for name in names:
            feature = self.schema.by_name.get(name)
            if feature is None or feature.stands_by_for:
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


def _kind_of_new(frame: pd.DataFrame | None, name: str) -> Kind | None:
    """Return what the first values of a column look like; ``None`` without any value."""
    if frame is None:
        return None
    present = np.flatnonzero(~is_absent(frame[name]))[:VALUES_LOOKED_AT]
    return infer_kind(frame[name].iloc[present]) if len(present) else None


def _unfamiliar(feature: Feature, reading: Reading) -> ColumnFinding:
    text = (
        "Most of its values are others than those that training had most of, so that nearly every row would look rare:"
        " all rows are scored by trees grown without it, and an update learns how frequent they are."
    )
    return ColumnFinding(feature.name, "unfamiliar", feature.kind, reading.kind_found, reading.present, text)


def _set_aside(feature: Feature, reading: Reading) -> ColumnFinding:
    why = "most of it cannot be read"
    if feature.kind == "categorical":
        why = "most of it was never among its categories"
    text = (
        f"It came as {AS_KIND[reading.kind_found]} instead of {AS_KIND[feature.kind]}, and {why}:"
        " all rows are scored by trees grown without it, and an update learns it anew."
    )
    return ColumnFinding(feature.name, "retyped", feature.kind, reading.kind_found, reading.present, text)


def no_known_columns(names: list[str]) -> NoKnownColumnsError:
    """Return the error for rows that carry nothing the model knows."""
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return NoKnownColumnsError(
        f"None of the columns that the model has learned is in these rows. It knows {shown}."
        " Check that this is the right file, or train on it."
    )
