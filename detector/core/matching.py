"""Which column of a batch each learned feature is read from: its own, one known by another name, or one recognised."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from detector.core.intake import Known, Way
from detector.core.later import pd
from detector.core.renames import Candidates, Match, find_renamed
from detector.core.sample import Sample
from detector.core.schema import Schema
from detector.core.statistics import FeatureStatistics


class Matcher:
    """Finds the columns of one schema's features; a value, made anew when the schema or its statistics change.

    Parameters
    ----------
    schema : the features.
    statistics : of each feature that takes part in scores or waits to.
    sample : rows of training, whose correlations are evidence; without them only like names are.
    """

    def __init__(
        self, schema: Schema, statistics: Mapping[str, FeatureStatistics], sample: Sample | None = None
    ) -> None:
        self.schema = schema
        self.statistics = statistics
        self.sample = sample

    @cached_property
    def known(self) -> dict[str, Known]:
        """What is known of each feature that has statistics."""
        return {
            feature.name: Known(feature, self.statistics[feature.name])
            for feature in self.schema
            if feature.name in self.statistics
        }

    def columns_of(self, frame: pd.DataFrame, before: Mapping[str, Way] | None = None) -> dict[str, Match]:
        """Return the column of each learned feature that came, by the feature's name.

        Parameters
        ----------
        before : how the features were read from the rows before, where a file comes in pieces; a name that was
            recognised there is not asked about again.
        """
        ways = before or {}
        columns = {name: place for place, name in enumerate(frame.columns)}
        found: dict[str, Match] = {}
        for feature in self.schema.learned:
            if feature.name in columns:
                found[feature.name] = Match(feature.name, "")
                continue
            alias = next((alias for alias in feature.aliases if alias in columns), None)
            if alias is not None:
                found[feature.name] = Match(alias, "")
            elif feature.name in ways and ways[feature.name].column in columns:
                found[feature.name] = Match(ways[feature.name].column, "as in the rows before")
        missing = [self.known[feature.name] for feature in self.schema.learned if feature.name not in found]
        if missing:
            taken = {match.column for match in found.values()}
            free = [name for name in columns if name not in taken and self._is_free(name)]
            if free:
                came = {name: match.column for name, match in found.items()}
                others = [self.known[feature.name] for feature in self.schema.learned]
                found |= find_renamed(missing, Candidates(frame, free), others, came, self.sample)
        return found

    def _is_free(self, name: str) -> bool:
        """Whether no update has given the column a place of its own."""
        feature = self.schema.by_name.get(name)
        if feature is None:
            return name not in self.schema.by_alias
        return feature.status == "observed" and not feature.parts and not feature.stands_by_for
