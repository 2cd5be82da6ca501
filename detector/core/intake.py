"""How a learned feature is read from the column that a batch has for it: spelling, type and unit may have changed.

What is decided here is decided alike for scoring, for updates and for explanations. A flag is read in any spelling; all
else needs evidence from enough rows. Where rows come in pieces, as from a file, what was found in one piece holds for
the next one unless that shows otherwise: see ``after`` in :meth:`detector.core.alignment.Aligner.align`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from detector.core.inference import BOOLEAN_TEXTS, is_absent
from detector.core.later import pd
from detector.core.number_texts import Form, form_of
from detector.core.numerals import number_of
from detector.core.reading import Reading, read_column
from detector.core.resemblance import (
    FAR_APART,
    ROWS_FOR_EVIDENCE,
    Magnitudes,
    distance,
    evenly,
    in_known_unit,
    looked_at,
    unit_of,
)  # fmt: skip
from detector.core.schema import Feature
from detector.core.statistics import FeatureStatistics, Kind

#: So many rows with a value are needed to say that a column has changed its type, rather than that cells are bad.
ROWS_FOR_RETYPED = 20
#: So many rows are needed to say that a batch has other categories than training had: fewer may be an attack.
ROWS_FOR_UNFAMILIAR = 200
#: The categories that make up so large a share of training are looked for; and where less of it is to be expected among
#: fresh rows, as in columns of mostly new values, nothing is said.
FAMILIAR, LEAST_EXPECTED = 0.9, 0.5
#: A flag that is written as text has at most so many values, one of which may mean that it is not known.
MOST_SPELLINGS = 3
#: Of a feature's categories, so many of the heaviest are looked at to tell whether they are numbers.
CATEGORIES_LOOKED_AT = 50


@dataclass(frozen=True)
class Way:
    """How a feature is read.

    Parameters
    ----------
    column : the name of its column in the batch.
    factor : what its numbers are divided by.
    flag : yes and no came in another spelling than in training.
    form : how numbers were written for people, or ``None``.
    """

    column: str
    factor: float = 1.0
    flag: bool = False
    form: Form | None = None


@dataclass(frozen=True, eq=False)
class Intake:
    """A feature's values in a batch.

    Parameters
    ----------
    way : how they were read.
    reading : the values, in the unit and the spelling of training.
    retyped : they are of another type than the feature, and are not to be used.
    """

    way: Way
    reading: Reading
    retyped: bool


class Known:
    """What is asked again and again of a feature's statistics."""

    def __init__(self, feature: Feature, statistics: FeatureStatistics) -> None:
        self.feature = feature
        self.statistics = statistics
        self.magnitudes = Magnitudes(statistics) if feature.kind == "numeric" else None
        self._spellings: dict[bool, str] | None = None

    @property
    def spellings(self) -> dict[bool, str]:
        """How a feature of categories spells yes and no; empty when it is no flag."""
        if self._spellings is None:
            weights = self.statistics.weights
            self._spellings = {}
            if self.feature.kind == "categorical" and len(weights) <= MOST_SPELLINGS:
                # The heaviest spelling of each, of equally heavy ones the first by name.
                for name in sorted(weights, key=lambda name: (-weights[name], name)):
                    meant = BOOLEAN_TEXTS.get(name.strip().lower())
                    if meant is not None:
                        self._spellings.setdefault(meant, name)
                if len(self._spellings) < 2:
                    self._spellings = {}
        return self._spellings

    def spelled(self, category: str) -> str:
        """Return the spelling of training for another spelling of the same flag; anything else as it is."""
        if not self.spellings or category in self.statistics.weights:
            return category
        meant = BOOLEAN_TEXTS.get(category.strip().lower())
        return category if meant is None else self.spellings[meant]

    @cached_property
    def _most(self) -> tuple[frozenset[str], float]:
        """The categories that make up nine tenths of training, and what share of fresh rows to expect among them."""
        weights, present = self.statistics.weights, self.statistics.present
        found: set[str] = set()
        total = once = 0.0
        for name in sorted(weights, key=lambda name: (-weights[name], name)):
            if total < FAMILIAR * present:
                found.add(name)
            total += weights[name]
            once += weights[name] if weights[name] <= 1.0 else 0.0
        # As many rows hold a category never seen as hold one seen once (Good and Turing: I. J. Good, Biometrika 1953).
        return frozenset(found), FAMILIAR - once / max(present, 1.0)

    def is_unfamiliar(self, reading: Reading) -> bool:
        """Whether the categories of a batch are so unlike those of training that rarities say nothing about its rows.

        So they are when what made up nine tenths of training makes up less than half of what it should.
        """
        most, expected = self._most
        if self.feature.kind != "categorical" or reading.present < ROWS_FOR_UNFAMILIAR or expected < LEAST_EXPECTED:
            return False
        known = np.array([name in most for name in reading.categories], bool)
        return bool(reading.counts[known].sum() < 0.5 * expected * reading.present)

    def names_numbers(self) -> bool:
        """Whether most of what is known of the categories are numbers: codes, which may come as numbers."""
        top = self.statistics.top(CATEGORIES_LOOKED_AT)
        numbers = sum(share for name, share in top if not math.isnan(number_of(name)))
        return numbers >= 0.5 * sum(share for _, share in top)


def is_flag(statistics: FeatureStatistics) -> bool:
    """Return whether a numeric feature only ever held 0 and 1."""
    if statistics.kind != "numeric" or statistics.minimum != 0.0 or statistics.maximum != 1.0:
        return False
    return statistics.distinct <= 2


def is_retyped(reading: Reading) -> bool:
    """Return whether a column is of another type, rather than that some of its cells are bad."""
    return reading.present >= ROWS_FOR_RETYPED and len(reading.unreadable) > 0.5 * reading.present


def take_in(name: str, column: pd.Series, known: Known, before: Way | None = None) -> Intake:
    """Return the values of ``column``, which is called ``name``, as those of a feature.

    Parameters
    ----------
    before : how the piece before this one was read, where there was one; else the schema says what to expect.
    """
    feature = known.feature
    way = Way(name, feature.factor if before is None else before.factor)
    reading = read_column(column, feature.kind)
    if feature.derived:  # computed here, so it is what it was
        return Intake(way, reading, retyped=False)
    if feature.kind == "categorical":
        respelled = _respelled(reading, known)
        if respelled is not None:
            return Intake(replace(way, flag=True), respelled, retyped=False)
        other = _not_words(reading, known)
        return Intake(way, reading if other is None else replace(reading, kind_found=other), other is not None)
    if feature.kind != "numeric":
        return Intake(way, reading, is_retyped(reading))
    if len(reading.unreadable) and feature.flag:
        flag = _as_numbers(read_column(column, "boolean"))
        if len(flag.unreadable) < len(reading.unreadable):
            way, reading = replace(way, flag=True), flag
    if len(reading.unreadable) and not way.flag:
        way, reading = _written(column, known, way, reading, before)
    if is_retyped(reading):
        return Intake(way, reading, retyped=True)
    assert known.magnitudes is not None
    way = replace(way, factor=unit_of(reading.values, known.magnitudes, way.factor))
    return Intake(way, _converted(reading, way.factor), retyped=False)


def read_again(column: Any, way: Way, known: Known, reader: Reader | None = None) -> Reading:
    """Return the values of some rows of a column that was taken in in this ``way``.

    ``reader`` reads columns of the sort at hand; by default they are series.
    """
    reader = reader or SERIES
    if way.form is not None:
        return _converted(reader.written(column, way.form), way.factor)
    if way.flag and known.feature.kind == "numeric":
        return _as_numbers(reader.read(column, "boolean"))
    reading = reader.read(column, known.feature.kind)
    if known.feature.kind == "categorical":
        return _respelled(reading, known) or reading
    return _converted(reading, way.factor)


def _as_numbers(reading: Reading) -> Reading:
    return replace(reading, kind="numeric")


def _converted(reading: Reading, factor: float) -> Reading:
    return reading if factor == 1.0 else replace(reading, values=in_known_unit(reading.values, factor))


def _respelled(reading: Reading, known: Known) -> Reading | None:
    """Return the reading with other spellings of a flag replaced; ``None`` when there is none."""
    spelled = [known.spelled(name) for name in reading.categories] if known.spellings else []
    if not spelled or tuple(spelled) == reading.categories:
        return None
    categories = tuple(dict.fromkeys(spelled))
    places = np.array([categories.index(name) for name in spelled] + [math.nan])
    codes = np.where(np.isnan(reading.values), len(spelled), reading.values).astype(np.intp)
    return replace(reading, values=places[codes], categories=categories)


def _not_words(reading: Reading, known: Known) -> Kind | None:
    """Return what came where words are known, numbers as a rule: all of it would be unseen categories."""
    if reading.present < ROWS_FOR_RETYPED or known.statistics.present < ROWS_FOR_RETYPED:
        return None
    weights, rows = known.statistics.weights, reading.counts
    unseen = np.array([name not in weights for name in reading.categories], bool)
    if rows[unseen].sum() <= 0.5 * reading.present:
        return None
    found = reading.kind_found
    if found == "categorical":  # a file may bring numbers as text, since text is what the model knows
        numbers = np.array([not math.isnan(number_of(name)) for name in reading.categories], bool)
        if rows[unseen & numbers].sum() <= 0.5 * reading.present:
            return None
        found = "numeric"
    return None if found == "numeric" and known.names_numbers() else found


def _written(column: pd.Series, known: Known, way: Way, reading: Reading, before: Way | None) -> tuple[Way, Reading]:
    """Return how numbers that were written for people are read, when they are, and the reading."""
    if column.dtype.kind not in "OU":
        return way, reading
    form = None
    if reading.present >= ROWS_FOR_RETYPED:
        present = np.flatnonzero(~reading.absent)
        form = form_of(column.iloc[present[evenly(len(present))]])
    elif before is not None:
        form = before.form
    if form is None:
        return way, reading
    found = _from_form(column, form)
    if len(found.unreadable) >= len(reading.unreadable):
        return way, reading
    if form.around and not _plausible(found, known, way.factor):
        return way, reading
    return replace(way, form=form), found


def _from_form(column: pd.Series, form: Form) -> Reading:
    values = form.numbers(column)
    absent = is_absent(column).copy()
    bad = np.isnan(values) & ~absent
    absent[bad] = [isinstance(value, str) and not value.strip() for value in column[bad].astype(object)]
    return Reading("numeric", "categorical", values, (), absent, np.flatnonzero(bad & ~absent))


@dataclass(frozen=True)
class Reader:
    """Reads columns of one sort: as a kind, and as numbers that were written for people."""

    read: Callable[[Any, Kind], Reading]
    written: Callable[[Any, Form], Reading]


#: Reads the columns of a frame.
SERIES = Reader(read_column, _from_form)


def _plausible(reading: Reading, known: Known, factor: float) -> bool:
    """Whether numbers with something around them could be the feature's: 12 EUR may be an amount, or a name."""
    some = looked_at(reading.values)
    if len(some) < ROWS_FOR_EVIDENCE or known.statistics.present <= 0.0 or known.magnitudes is None:
        return True
    unit = unit_of(reading.values, known.magnitudes, factor)
    return distance(in_known_unit(some, unit), known.statistics) <= FAR_APART
