"""Which column of a batch is a learned feature under another name.

A wrong match is worse than a missing column: its values would be mixed with others. So a match needs two kinds of
evidence at once, or one that rules chance out:

- names that are the same but for case, punctuation and usual abbreviations, and distributions that do not contradict;
- names that are near, and distributions that agree;
- for a feature of many categories: the same categories as often, and no other column or feature that is like it;
- for numbers: the same distribution within what sampling explains, which no other unknown column and no other missing
  feature comes near, and the same correlations with the columns that did come, some of which must be considerable.

Fewer than 50 rows with a value are no evidence, and two columns that fit equally well are none either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.inference import infer_kind
from detector.core.intake import Known, Way, read_again
from detector.core.later import pd
from detector.core.name_likeness import NEAR_NAME, SAME_NAME, likeness
from detector.core.reading import Floats, Reading
from detector.core.resemblance import ROWS_FOR_EVIDENCE, distance, evenly, expected_distance
from detector.core.sample import Sample
from detector.core.schema import Feature
from detector.core.statistics import FeatureStatistics
from detector.errors import NAMES_COMPARED

#: How far distributions may lie apart, beyond chance, when the names are the same, and when they are near.
APART_SAME_NAME, APART_NEAR_NAME = 0.25, 0.08
#: How much of a batch must be known categories when the names are the same, when they are near, and when nothing is.
KNOWN_SAME_NAME, KNOWN_NEAR_NAME, KNOWN_NO_NAME = 0.6, 0.8, 0.9
#: Without like names: rows with a value, different categories, different numbers.
ROWS_NO_NAME, CATEGORIES_NO_NAME, NUMBERS_NO_NAME = 200, 12, 50
#: Without like names nothing else may lie nearer than so many times what chance explains, and than this.
CLEAR, CLEARLY_APART = 3.0, 0.1
#: Correlations from which on they tell a column from others; how far their Fisher transforms may differ beyond chance;
#: how many are asked.
CORRELATED, CORRELATIONS_APART, PARTNERS = 0.25, 0.02, 24
#: Shares of absent values may differ by so much.
ABSENT_APART = 0.1
#: At least this share of a column must be readable as the feature's kind.
READABLE = 0.95


@dataclass(frozen=True)
class Match:
    """A feature found under another name.

    Parameters
    ----------
    column : the name it came under.
    because : the evidence, as the end of a sentence.
    """

    column: str
    because: str


@dataclass(frozen=True)
class _Fit:
    level: int
    apart: float
    because: str


class Candidates:
    """The columns of a batch that the model does not know, as far as they have to be looked at."""

    def __init__(self, frame: pd.DataFrame, names: Iterable[str]) -> None:
        self.rows = evenly(len(frame))
        self.frame = frame
        self.names = list(names)[:NAMES_COMPARED]
        self._columns: dict[str, pd.Series] = {}
        self._readings: dict[tuple[str, str], Reading] = {}

    def column(self, name: str) -> pd.Series:
        """Return an even share of the values of a column."""
        if name not in self._columns:
            self._columns[name] = self.frame[name].iloc[self.rows]
        return self._columns[name]

    def reading(self, name: str, known: Known) -> Reading:
        """Return them as a feature's."""
        # Spelling, factors and forms are of the feature, so that two features of a kind may read a column differently.
        key = (name, known.feature.name)
        if key not in self._readings:
            self._readings[key] = read_again(self.column(name), Way(name, known.feature.factor), known)
        return self._readings[key]


def find_renamed(
    missing: Sequence[Known],
    candidates: Candidates,
    others: Sequence[Known],
    came: Mapping[str, str],
    sample: Sample | None,
) -> dict[str, Match]:
    """Return the learned features that came under another name, with that name and the evidence.

    Parameters
    ----------
    missing : the learned features that did not come.
    candidates : the columns that are not known.
    others : all learned features.
    came : the columns of those learned features that did come.
    sample : rows of training; without them numbers are only matched by like names.
    """
    if not missing or not candidates.names or len(candidates.rows) < ROWS_FOR_EVIDENCE:
        return {}
    found: dict[tuple[str, str], _Fit] = {}
    for known in missing:
        levels = {name: likeness(known.feature.name, name) for name in candidates.names}
        fits = {
            name: fit for name, level in levels.items() if level and (fit := _like_name(known, name, level, candidates))
        }
        if not fits and len(missing) * len(candidates.names) <= NAMES_COMPARED:
            fits = _unlike_name(known, candidates, others, came, sample)
        found |= {(known.feature.name, name): fit for name, fit in fits.items()}
    return _unambiguous(found)


def _unambiguous(found: Mapping[tuple[str, str], _Fit]) -> dict[str, Match]:
    """Return the pairs of which neither side fits anything else as well."""
    chosen = {}
    for (feature, name), fit in found.items():
        rivals = [other for pair, other in found.items() if (pair[0] == feature) is not (pair[1] == name)]
        if all(other.level < fit.level for other in rivals):
            chosen[feature] = Match(name, fit.because)
    return chosen


def _like_name(known: Known, name: str, level: int, candidates: Candidates) -> _Fit | None:
    reading = candidates.reading(name, known)
    if not _readable(known.feature, reading):
        return None
    same = level == SAME_NAME
    said = "the names are nearly the same" if same else "the names are alike"
    statistics = known.statistics
    if known.feature.kind == "datetime":
        # Times go on: those of a new batch are never the old ones.
        return _Fit(level, 0.0, f"{said}, and both hold times") if same else None
    if abs(float(reading.absent.mean()) - statistics.share_absent) > (0.5 if same else ABSENT_APART):
        return None
    rows = int((~np.isnan(reading.values)).sum())
    if rows < ROWS_FOR_EVIDENCE:
        return None
    if known.feature.kind == "categorical":
        share = _share_known(reading, statistics)
        if share < (KNOWN_SAME_NAME if same else KNOWN_NEAR_NAME):
            return None
        return _Fit(level, 1.0 - share, f"{said}, and {share:.0%} of its rows hold categories that are known")
    apart, chance = _apart(reading, statistics)
    if apart > chance + (APART_SAME_NAME if same else APART_NEAR_NAME):
        return None
    return _Fit(level, apart, f"{said}, and the distributions of the values differ by {apart:.0%} at most")


def _unlike_name(
    known: Known, candidates: Candidates, others: Sequence[Known], came: Mapping[str, str], sample: Sample | None
) -> dict[str, _Fit]:
    feature = known.feature
    if feature.kind not in ("numeric", "categorical") or feature.flag or known.statistics.present < ROWS_NO_NAME:
        return {}
    fits: dict[str, tuple[float, float]] = {}
    for name in candidates.names:
        if likeness(feature.name, name) is None or infer_kind(candidates.column(name)) != feature.kind:
            continue
        reading = candidates.reading(name, known)
        if _readable(feature, reading) and (~np.isnan(reading.values)).any():
            fits[name] = _apart(reading, known.statistics)
    good = [name for name, (apart, chance) in fits.items() if apart <= chance]
    if len(good) != 1:
        return {}
    (name,) = good
    apart, chance = fits[name]
    clear = max(CLEAR * chance, CLEARLY_APART)
    reading = candidates.reading(name, known)
    rows = int((~np.isnan(reading.values)).sum())
    if rows < ROWS_NO_NAME or any(fit[0] < clear for other, fit in fits.items() if other != name):
        return {}
    if abs(float(reading.absent.mean()) - known.statistics.share_absent) > ABSENT_APART:
        return {}
    # Numbers are told from those of a column that came by their correlations, that with it among them.
    rivals = [
        other
        for other in others
        if other is not known
        and other.feature.kind == feature.kind
        and (feature.kind == "categorical" or other.feature.name not in came)
    ]
    if any(_between(known.statistics, other.statistics) < clear for other in rivals):
        return {}
    if feature.kind == "categorical":
        share = _share_known(reading, known.statistics)
        if share < KNOWN_NO_NAME or len(np.unique(reading.values[~np.isnan(reading.values)])) < CATEGORIES_NO_NAME:
            return {}
        because = f"{share:.0%} of its rows hold categories that are known, as often as in training"
        return {name: _Fit(NEAR_NAME - 1, apart, because)}
    if len(np.unique(reading.values[~np.isnan(reading.values)])) < NUMBERS_NO_NAME or sample is None:
        return {}
    if not _same_correlations(known, reading, candidates, others, came, sample):
        return {}
    because = f"the distributions of the values differ by {apart:.0%} at most, and it goes along with other columns as"
    return {name: _Fit(NEAR_NAME - 1, apart, f"{because} the feature did")}


def _readable(feature: Feature, reading: Reading) -> bool:
    if not reading.present or len(reading.unreadable) > (1.0 - READABLE) * reading.present:
        return False
    return feature.kind == "categorical" or reading.kind_found != "boolean" or feature.flag or feature.kind == "boolean"


def _share_known(reading: Reading, statistics: FeatureStatistics) -> float:
    known = np.array([name in statistics.weights for name in reading.categories] + [False])
    places = reading.values[~np.isnan(reading.values)].astype(np.intp)
    return float(known[places].mean()) if len(places) else 0.0


def _apart(reading: Reading, statistics: FeatureStatistics) -> tuple[float, float]:
    """Return how far (0-1) a reading is from what is known, and how far chance alone could take it."""
    values = reading.values[~np.isnan(reading.values)]
    if statistics.kind == "numeric":
        return distance(values, statistics), expected_distance(len(values), statistics)
    if statistics.kind == "boolean":
        return abs(float(values.mean()) - statistics.share("true")), expected_distance(len(values), statistics)
    counts = np.bincount(values.astype(np.intp), minlength=len(reading.categories)) / len(values)
    shares = np.array([statistics.share(name) for name in reading.categories])
    apart = float(np.abs(counts - shares).sum() + max(0.0, 1.0 - shares.sum())) / 2.0
    # The mean of the total variation between the shares and a sample of them, and a quarter on top.
    noise = 1.0 / len(values) + 1.0 / max(statistics.present, 1.0)
    chance = 1.25 * 0.4 * math.sqrt(noise) * float(np.sqrt(np.maximum(counts * (1.0 - counts), 0.0)).sum()) + 0.01
    return apart, chance


def _between(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Return how far (0-1) two features' distributions are apart."""
    if one.present <= 0.0 or other.present <= 0.0:
        return 1.0
    if one.kind == "numeric":
        return distance(other.quantile(np.linspace(0.005, 0.995, 199)), one)
    shares = {name: weight / other.present for name, weight in other.weights.items()}
    common = sum(min(share, one.share(name)) for name, share in shares.items())
    return 1.0 - common


def _same_correlations(
    known: Known,
    reading: Reading,
    candidates: Candidates,
    others: Sequence[Known],
    came: Mapping[str, str],
    sample: Sample,
) -> bool:
    """Return whether a column goes along with the columns that came as the feature did in training."""
    told = False
    rows = sample.rows[sample.calibration]
    mine = rows[:, known.feature.first_column].astype(np.float64)
    partners = [other for other in others if other.feature.kind == "numeric" and other.feature.name in came]
    for partner in partners[:PARTNERS]:
        before, of_before = _rank_correlation(mine, rows[:, partner.feature.first_column].astype(np.float64))
        theirs = candidates.reading(came[partner.feature.name], partner).values
        now, of_now = _rank_correlation(reading.values, theirs)
        if min(of_before, of_now) < ROWS_FOR_EVIDENCE:
            continue
        # Fisher's transform, whose standard error does not depend on the correlation; two and a half of them.
        chance = 2.5 * math.sqrt(1.06 / (of_before - 3) + 1.06 / (of_now - 3))
        if abs(_fisher(before) - _fisher(now)) > chance + CORRELATIONS_APART:
            return False
        told |= abs(before) >= CORRELATED
    return told


def _fisher(correlation: float) -> float:
    return math.atanh(min(max(correlation, -0.9999), 0.9999))


def _rank_correlation(one: Floats, other: Floats) -> tuple[float, int]:
    """Return Spearman's correlation of two columns ((n,), absent values not finite), and of how many rows it is."""
    both = np.isfinite(one) & np.isfinite(other)
    rows = int(both.sum())
    if rows < ROWS_FOR_EVIDENCE:
        return 0.0, rows
    first, second = _ranks(one[both]), _ranks(other[both])
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float((first * first).sum()) * float((second * second).sum()))
    return (float((first * second).sum()) / size if size > 0.0 else 0.0), rows


def _ranks(values: Floats) -> Floats:
    """Return the place of each value in their order; equal ones share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Floats = ends - (counts - 1) / 2.0
    return middles[inverse]
