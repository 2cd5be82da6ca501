"""Has a feature changed? Two statistics are compared, and the answer is given in figures and in sentences.

Three things can change, and each has a limit of its own: the values (population stability index, PSI), how many rows
lack one, and how many hold a category that was not known. A feature *drifts* where one of them lies beyond its limit
and also beyond chance. The limits 0.1 and 0.25 of PSI are the usual ones of scorecard monitoring (N. Siddiqi, "Credit
Risk Scorecards", Wiley, 2006); the two shares have limits that stand in the same ratio.

Neither half decides alone. Among a million rows any difference is beyond chance, however small: it has no effect worth
an alarm. Among thirty rows chance makes large effects. What is held for chance, :mod:`detector.core.significance` says;
p-values are adjusted for the number of features compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.core.divergence import jensen_shannon, population_stability
from detector.core.drift_bins import shares_by_bin, unseen_shares
from detector.core.drift_words import Signal, gone_sentence, sentence_of
from detector.core.significance import adjusted, chi_square, chi_squared_p, kolmogorov_smirnov, shares_p
from detector.core.statistics import FeatureStatistics, Kind

Floats = NDArray[np.float64]
State = Literal["calm", "watch", "drifting"]

#: From this PSI on a feature is drifting.
DRIFTING_PSI = 0.25
#: A feature drifts when the share of rows without a value has changed by this much.
DRIFTING_ABSENCE = 0.05
#: A feature drifts when this share of its values is of unknown categories, less what was to be expected.
DRIFTING_UNSEEN = 0.05
#: A feature is watched from this part of a limit on: from a PSI of 0.1, and a change of a share by 0.02.
WATCHED = 0.4
#: A change so many times its limit is as strong as can be: a column that is gone is so, or a PSI of 1.
STRONGEST = 4.0
#: What unchanged data would show in fewer comparisons than this share is beyond chance.
CHANCE = 0.001
#: The whole is drifting when drifting features carry this share of the importance.
DRIFTING_IMPORTANCE = 0.2

_GRID: Floats = (np.arange(1000, dtype=np.float64) + 0.5) / 1000.0
_FLOAT_MAX = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class FeatureDrift:
    """How one feature has changed.

    Parameters
    ----------
    name : the feature
    kind : what it was before
    psi : population stability index of the values, >= 0, less what chance alone adds
    jensen_shannon : Jensen-Shannon divergence of the same bins to base 2, 0-1
    wasserstein : mean distance between equal ranks in units of the interquartile range before (robust scale); ``None``
        for anything but numbers
    test : ``"Kolmogorov-Smirnov"`` for numbers, ``"chi-square"`` for categories and booleans, ``None`` where values
        are not tested
    statistic : of the test: the largest distance of the distributions (0-1), or chi-square
    p_value, p_adjusted : of the test, as it is, and adjusted for the number of features; from sketches, approximate
    absent_before, absent_now : shares (0-1) of the rows without a value
    unseen_share : share (0-1) of the values now that are categories not known before; an estimate where ``before`` had
        more categories than are kept
    unseen_expected : what of that was to be expected, since some categories come only now and then
    strength : how large the change is beside its limit, 0-4; 1 is where drifting begins, 0 what chance may have done,
        and beyond 4 hardly anything is left as it was
    state : ``"calm"``, ``"watch"`` or ``"drifting"``
    sentence : the same for people
    """

    name: str
    kind: Kind
    psi: float = 0.0
    jensen_shannon: float = 0.0
    wasserstein: float | None = None
    test: str | None = None
    statistic: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    absent_before: float = 0.0
    absent_now: float = 0.0
    unseen_share: float = 0.0
    unseen_expected: float = 0.0
    strength: float = 0.0
    state: State = "calm"
    sentence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the drift as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class DriftReport:
    """How all features have changed, those first whose change weighs most (strength times importance).

    Parameters
    ----------
    state : ``"drifting"`` when drifting features carry at least a fifth of the importance, ``"watch"`` when any feature
        is not calm, else ``"calm"``
    features : the drift of every feature known before
    importance : share (0-1) of each in all decisions
    new : features that were not known before, by name
    sentence : the same for people
    """

    state: State
    features: tuple[FeatureDrift, ...]
    importance: Mapping[str, float]
    new: tuple[str, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; each feature carries its importance."""
        features = [drift.to_dict() | {"importance": self.importance[drift.name]} for drift in self.features]
        return {"state": self.state, "sentence": self.sentence, "features": features, "new": list(self.new)}


@dataclass(frozen=True)
class _Evidence:
    """What speaks for a change of one feature, before the number of features is allowed for.

    ``p_values``: of the PSI, of the test, of absence and of unknown categories, where there is such a figure.
    """

    drift: FeatureDrift
    before: FeatureStatistics
    now: FeatureStatistics | None
    p_values: Mapping[str, float] = field(default_factory=dict)


def compare(before: FeatureStatistics, now: FeatureStatistics, *, name: str) -> FeatureDrift:
    """Return how the feature ``name`` has changed, looked at by itself.

    Of a datetime only the rows without a value are compared: time is expected to move on.

    Raises
    ------
    ValueError
        When the kinds differ.
    """
    if before.kind != now.kind:
        raise ValueError(f"{name} was {before.kind} and is {now.kind}: only statistics of one kind can be compared")
    return _judged([_evidence(name, before, now)])[0]


def drift_report(
    before: Mapping[str, FeatureStatistics],
    now: Mapping[str, FeatureStatistics],
    importance: Mapping[str, float],
    *,
    filling: Collection[str] = (),
) -> DriftReport:
    """Return how all features of ``before`` have changed.

    A feature that is gone, or has become one of another kind, has drifted: all its values are absent. Importance
    is any figure >= 0; without one above 0 all features count alike. Features that are ``filling`` rest on earlier
    rows, of which training had none at its beginning: that fewer rows lack a value than then is to be expected.
    """
    drifts = _judged(
        [_evidence(name, statistics, now.get(name), name in filling) for name, statistics in before.items()]
    )
    weights = {name: max(float(importance.get(name, 0.0)), 0.0) for name in before}
    total = sum(weights.values())
    shares = {name: weight / total if total > 0.0 else 1.0 / len(weights) for name, weight in weights.items()}
    drifts.sort(key=lambda drift: (-drift.strength * shares[drift.name], -drift.strength, -drift.psi, drift.name))
    new = tuple(sorted(set(now) - set(before)))
    carried = sum(shares[drift.name] for drift in drifts if drift.state == "drifting")
    state: State = "calm" if all(drift.state == "calm" for drift in drifts) else "watch"
    if carried >= DRIFTING_IMPORTANCE:
        state = "drifting"
    drifting = sum(drift.state == "drifting" for drift in drifts)
    watched = sum(drift.state == "watch" for drift in drifts)
    sentence = f"{drifting} of {len(drifts)} columns drifting, {watched} to watch, {len(new)} new."
    return DriftReport(state, tuple(drifts), shares, new, sentence)


def _evidence(name: str, before: FeatureStatistics, now: FeatureStatistics | None, filling: bool = False) -> _Evidence:
    drift = FeatureDrift(name, before.kind, absent_before=before.share_absent)
    if now is None or now.kind != before.kind:
        # However few rows there are now, that the values are gone is certain.
        gone = replace(drift, absent_now=1.0)
        return _Evidence(replace(gone, jensen_shannon=1.0 if before.present else 0.0), before, now, {"absence": 0.0})
    drift = replace(drift, absent_now=now.share_absent)
    if before.count <= 0.0 or now.count <= 0.0:
        return _Evidence(drift, before, now)
    p_values = {}
    if not (filling and now.share_absent < before.share_absent):
        p_values["absence"] = shares_p(before.share_absent, before.count, now.share_absent, now.count)
    if before.present <= 0.0 or now.present <= 0.0 or before.kind == "datetime":
        return _Evidence(drift, before, now, p_values)
    was, found = shares_by_bin(before, now)
    stability = population_stability(was, found, before.present, now.present)
    test = (kolmogorov_smirnov if before.kind == "numeric" else chi_square)(before, now)
    unseen, expected = unseen_shares(before, now)
    p_values |= {"psi": chi_squared_p(stability.statistic, stability.freedom), "test": test.p_value}
    if unseen > expected:
        p_values["unseen"] = shares_p(expected, before.present, unseen, now.present)
    return _Evidence(
        replace(
            drift,
            psi=stability.psi,
            jensen_shannon=jensen_shannon(was, found),
            wasserstein=_wasserstein(before, now) if before.kind == "numeric" else None,
            test=test.test,
            statistic=test.statistic,
            p_value=test.p_value,
            unseen_share=unseen,
            unseen_expected=expected,
        ),
        before,
        now,
        p_values,
    )


def _judged(found: Sequence[_Evidence]) -> list[FeatureDrift]:
    """Return the drift of each feature, with its p-values adjusted for how many features were asked the same."""
    p_values: list[dict[str, float]] = [{} for _ in found]
    for figure in ("psi", "test", "absence", "unseen"):
        asked = [place for place, evidence in enumerate(found) if figure in evidence.p_values]
        for place, p in zip(asked, adjusted([found[place].p_values[figure] for place in asked]), strict=True):
            p_values[place][figure] = p
    return [_judge(evidence, p) for evidence, p in zip(found, p_values, strict=True)]


def _judge(evidence: _Evidence, p_values: Mapping[str, float]) -> FeatureDrift:
    drift, before, now = evidence.drift, evidence.before, evidence.now
    beyond = {figure for figure, p in p_values.items() if p <= CHANCE}
    strengths: dict[Signal, float] = {
        "absence": abs(drift.absent_now - drift.absent_before) / DRIFTING_ABSENCE if "absence" in beyond else 0.0,
        "unseen": (drift.unseen_share - drift.unseen_expected) / DRIFTING_UNSEEN if "unseen" in beyond else 0.0,
        "values": drift.psi / DRIFTING_PSI if beyond & {"psi", "test"} else 0.0,
    }
    strength = min(max(strengths.values()), STRONGEST)
    state: State = "drifting" if strength >= 1.0 else "watch" if strength >= WATCHED else "calm"
    drift = replace(drift, strength=strength, state=state, p_adjusted=p_values.get("test"))
    if now is None or now.kind != before.kind:
        return replace(drift, sentence=gone_sentence(drift.name, before, now))
    signals = [signal for signal, one in strengths.items() if one >= WATCHED]
    told = sentence_of(drift.name, before, now, signals, drift.psi, drift.unseen_share)
    return replace(drift, sentence=told)


def _wasserstein(before: FeatureStatistics, now: FeatureStatistics) -> float:
    _, spread = before.scale("robust")
    with np.errstate(over="ignore"):
        # Halves, since a difference of the largest numbers would overflow; divided later, so that no two are infinite.
        distances = np.abs(0.5 * now.quantile(_GRID) - 0.5 * before.quantile(_GRID)) / spread
        return min(2.0 * float((distances / len(_GRID)).sum()), _FLOAT_MAX)
