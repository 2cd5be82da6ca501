"""Which column of a batch each learned feature is read from: its own, one known by another name, or one recognised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from detector.core.intake import Known, Way, take_in
from detector.core.later import pd
from detector.core.reading import read_value
from detector.core.renames import Candidates, Match, find_renamed
from detector.core.resemblance import in_known_unit
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

    def in_known_terms(
        self, frame: pd.DataFrame, names: Iterable[str], before: Mapping[str, Way] | None = None
    ) -> pd.DataFrame:
        """Return rows with some features' columns under the names and in the units of training, others as they are.

        Parameters
        ----------
        names : of features, or of columns that the schema leaves out, which stay as they are.
        before : as in :meth:`columns_of`.
        """
        came = self.columns_of(frame, before)
        changed: dict[str, pd.Series] = {}
        for name in names:
            match = came.get(name)
            if match is None:
                continue
            column = frame[match.column]
            intake = take_in(match.column, column, self.known[name], (before or {}).get(name))
            if intake.way.factor != 1.0 or intake.way.form is not None:
                changed[name] = pd.Series(intake.reading.values, frame.index)
            elif match.column != name:
                changed[name] = column
        return frame.assign(**changed) if changed else frame

    def record_in_known_terms(self, record: Mapping[str, Any], names: Iterable[str]) -> Mapping[str, Any]:
        """Return one record with the keys and units that updates have remembered turned into those of training."""
        changed: dict[str, Any] = {}
        for name in names:
            feature = self.schema.by_name.get(name)
            if feature is None or not feature.takes_part or (feature.factor == 1.0 and not feature.aliases):
                continue
            key = next((key for key in (name, *feature.aliases) if key in record), None)
            if key is None:
                continue
            value, readable = read_value(record[key], feature.kind)
            if feature.factor != 1.0 and readable and isinstance(value, int | float):
                changed[name] = float(in_known_unit(np.array([float(value)]), feature.factor)[0])
            elif key != name:
                changed[name] = record[key]
        return {**record, **changed} if changed else record

    def _is_free(self, name: str) -> bool:
        """Whether no update has given the column a place of its own."""
        feature = self.schema.by_name.get(name)
        if feature is None:
            return name not in self.schema.by_alias
        return feature.status == "observed" and not feature.parts and not feature.stands_by_for
