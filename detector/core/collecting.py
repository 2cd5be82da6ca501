"""Statistics of the rows that are scored, read as the model reads them, so that they compare with those of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from detector.core.inference import infer
from detector.core.intake import read_again
from detector.core.later import pd
from detector.core.matching import Matcher
from detector.core.reading import Reading, read_column
from detector.core.report import AlignmentReport
from detector.core.schema import SCORED_ROLES, Schema
from detector.core.statistics import FeatureStatistics, Kind


class Collector:
    """Gathers the statistics of a file that comes in pieces.

    A column that came under another name, in another unit or written otherwise counts as what it was read as. One that
    was set aside counts as what it is by itself, as does a column that the model does not know, unless it is an id.

    Parameters
    ----------
    schema, statistics : of the model that aligns the pieces.
    """

    def __init__(self, schema: Schema, statistics: Mapping[str, FeatureStatistics]) -> None:
        self._known = Matcher(schema, statistics).known
        self._learned = frozenset(feature.name for feature in schema.learned)
        self._kinds: dict[str, Kind | None] = {}
        self._found: dict[tuple[str, Kind], FeatureStatistics] = {}

    @property
    def statistics(self) -> dict[str, FeatureStatistics]:
        """What was found of each column; of one that changed its kind within the file, what most rows are."""
        found: dict[str, FeatureStatistics] = {}
        for (name, _), statistics in self._found.items():
            if name not in found or statistics.rows > found[name].rows:
                found[name] = statistics
        return found

    def add(self, frame: pd.DataFrame, report: AlignmentReport) -> None:
        """Count the rows of a piece, of which ``report`` tells how its columns were read."""
        for name, way in report.ways.items():
            if way.column in frame.columns:
                self._track(name, read_again(frame[way.column], way, self._known[name]))
        for finding in report.columns:
            name = finding.name
            if name in report.ways or name not in frame.columns:
                continue
            if name not in self._learned and finding.status != "new":
                continue
            kind = self._kind(name, frame[name], finding.kind_found)
            if kind is not None:
                self._track(name, read_column(frame[name], kind))

    def _kind(self, name: str, column: pd.Series, found: str | None) -> Kind | None:
        """Return as what a column counts that was not used; ``None`` for one that is not worth counting."""
        if name in self._learned:
            known = self._known[name].feature.kind
            # Without a single value it is the feature that is absent, and not another kind.
            return known if found is None else _KINDS.get(found, known)
        if name not in self._kinds:
            finding = infer(name, column)
            self._kinds[name] = finding.kind if finding.role in SCORED_ROLES else None
        return self._kinds[name]

    def _track(self, name: str, reading: Reading) -> None:
        before = self._found.get((name, reading.kind)) or FeatureStatistics.empty(reading.kind)
        self._found[name, reading.kind] = reading.tracked_by(before, 1.0)


_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
