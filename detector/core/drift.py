"""Has a feature changed? Two statistics are compared, and the answer is given in figures and in a sentence.

The figures are taken over the deciles of what was known before, or over its categories, with a bin of its own for rows
without a value, so that values that go missing count as drift. The limits 0.1 and 0.25 are the usual ones of scorecard
monitoring (N. Siddiqi, "Credit Risk Scorecards", Wiley, 2006). How the figures are made, and why few rows do not alarm,
:mod:`detector.core.divergence` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.core.divergence import jensen_shannon, population_stability
from detector.core.statistics import NUMBER_KINDS, FeatureStatistics, Kind

Floats = NDArray[np.float64]
State = Literal["calm", "watch", "drifting"]

#: From this PSI on a feature is watched.
WATCH_PSI = 0.1
#: From this PSI on a feature is drifting.
DRIFTING_PSI = 0.25
#: The whole is drifting when drifting features carry this share of the importance.
DRIFTING_IMPORTANCE = 0.2
#: How many categories have a bin of their own; the others share one.
MOST_BINS = 20
#: How many rows before a category needs for a bin of its own: the top of many rare ones is there by chance.
LEAST_ROWS = 5

_DECILES: Floats = np.arange(1, 10, dtype=np.float64) / 10.0
_GRID: Floats = (np.arange(1000, dtype=np.float64) + 0.5) / 1000.0
_FLOAT_MAX = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class FeatureDrift:
    """How one feature has changed.

    Parameters
    ----------
    name : the feature
    kind : what it was before
    psi : population stability index, >= 0, less what chance alone adds
    jensen_shannon : Jensen-Shannon divergence of the same bins to base 2, 0-1
    wasserstein : mean distance between equal ranks in units of the interquartile range before (robust scale); ``None``
        for anything but numbers
    absent_before, absent_now : shares (0-1) of the rows without a value
    unseen_share : share (0-1) of the values now that are categories not known before; an estimate where ``before`` had
        more categories than are kept
    state : ``"calm"``, ``"watch"`` or ``"drifting"``
    sentence : the same for people
    """

    name: str
    kind: Kind
    psi: float
    jensen_shannon: float
    wasserstein: float | None
    absent_before: float
    absent_now: float
    unseen_share: float
    state: State
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return the drift as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class DriftReport:
    """How all features have changed, those first whose change weighs most (PSI times importance).

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


def compare(before: FeatureStatistics, now: FeatureStatistics, *, name: str) -> FeatureDrift:
    """Return how the feature ``name`` has changed.

    Of a datetime only the rows without a value are compared: time is expected to move on.

    Raises
    ------
    ValueError
        When the kinds differ.
    """
    if before.kind != now.kind:
        raise ValueError(f"{name} was {before.kind} and is {now.kind}: only statistics of one kind can be compared")
    if before.rows == 0 or now.rows == 0:
        which = "before" if before.rows == 0 else "now"
        return _drift(name, before, now, state="calm", sentence=f"{name}: there are no rows to compare with {which}.")
    was, found = _bins(before, now)
    stability = population_stability(was, found, before.count, now.count)
    state = _state(stability.psi) if stability.beyond_chance else "calm"
    unseen = _unseen_share(before, now)
    return _drift(
        name,
        before,
        now,
        psi=stability.psi,
        jensen_shannon=jensen_shannon(was, found),
        wasserstein=_wasserstein(before, now),
        unseen_share=unseen,
        state=state,
        sentence=_sentence(name, before, now, unseen=unseen, psi=stability.psi, state=state),
    )


def drift_report(
    before: Mapping[str, FeatureStatistics], now: Mapping[str, FeatureStatistics], importance: Mapping[str, float]
) -> DriftReport:
    """Return how all features of ``before`` have changed.

    A feature that is gone, or has become one of another kind, has drifted as if all its values were absent. Importance
    is any figure >= 0; without one above 0 all features count alike.
    """
    drifts = [_drift_of(name, statistics, now.get(name)) for name, statistics in before.items()]
    weights = {name: max(float(importance.get(name, 0.0)), 0.0) for name in before}
    total = sum(weights.values())
    shares = {name: weight / total if total > 0.0 else 1.0 / len(weights) for name, weight in weights.items()}
    drifts.sort(key=lambda drift: (-drift.psi * shares[drift.name], -drift.psi, drift.name))
    new = tuple(sorted(set(now) - set(before)))
    carried = sum(shares[drift.name] for drift in drifts if drift.state == "drifting")
    state: State = "calm" if all(drift.state == "calm" for drift in drifts) else "watch"
    if carried >= DRIFTING_IMPORTANCE:
        state = "drifting"
    drifting = sum(drift.state == "drifting" for drift in drifts)
    watched = sum(drift.state == "watch" for drift in drifts)
    sentence = f"{drifting} of {len(drifts)} features drifting, {watched} to watch, {len(new)} new."
    return DriftReport(state, tuple(drifts), shares, new, sentence)


def _drift_of(name: str, before: FeatureStatistics, now: FeatureStatistics | None) -> FeatureDrift:
    if now is not None and now.kind == before.kind:
        return compare(before, now, name=name)
    was = np.array([1.0 - before.share_absent, before.share_absent])
    found = np.array([0.0, 1.0])
    # However few rows there are now, that the values are gone is certain.
    psi = population_stability(was, found, math.inf, math.inf).psi
    sentence = f"{name} is no longer there." if now is None else f"{name} was {before.kind} and is now {now.kind}."
    gone = FeatureStatistics.empty(before.kind)
    figures = {"psi": psi, "jensen_shannon": jensen_shannon(was, found), "absent_now": 1.0}
    return _drift(name, before, gone, state=_state(psi), sentence=sentence, **figures)


def _drift(
    name: str, before: FeatureStatistics, now: FeatureStatistics, *, state: State, sentence: str, **figures: Any
) -> FeatureDrift:
    known: dict[str, Any] = {
        "psi": 0.0,
        "jensen_shannon": 0.0,
        "wasserstein": None,
        "absent_before": before.share_absent,
        "absent_now": now.share_absent,
        "unseen_share": 0.0,
    }
    return FeatureDrift(name=name, kind=before.kind, state=state, sentence=sentence, **(known | figures))


def _state(psi: float) -> State:
    if psi >= DRIFTING_PSI:
        return "drifting"
    return "watch" if psi >= WATCH_PSI else "calm"


def _bins(before: FeatureStatistics, now: FeatureStatistics) -> tuple[Floats, Floats]:
    """Return the shares of each bin before and now; the last bin holds the rows without a value."""
    if before.present <= 0.0 or now.present <= 0.0 or before.kind == "datetime":
        shares = [np.ones(1), np.ones(1)]
    elif before.kind == "numeric":
        deciles = before.quantile(_DECILES)
        # A value that fills several deciles has a bin to itself, so that leaving it shows in either direction.
        spikes = deciles[1:][deciles[1:] == deciles[:-1]]
        with np.errstate(over="ignore"):
            edges = np.unique(np.append(deciles, np.nextafter(spikes, -math.inf)))
        shares = [np.diff(statistics.cdf(edges), prepend=0.0, append=1.0) for statistics in (before, now)]
    else:
        shares = list(_category_shares(before, now))
    was, found = (
        np.append(share * (1.0 - statistics.share_absent), statistics.share_absent)
        for share, statistics in zip(shares, (before, now), strict=True)
    )
    return was, found


def _category_shares(before: FeatureStatistics, now: FeatureStatistics) -> tuple[Floats, Floats]:
    """Return the shares of the main categories, of all others together, and of those not known before."""
    main = [(category, share) for category, share in before.top(MOST_BINS) if share * before.present >= LEAST_ROWS]
    was = np.array([share for _, share in main])
    found = np.array([now.share(category) for category, _ in main])
    tails = [max(1.0 - float(shares.sum()), 0.0) for shares in (was, found)]
    if before.other or now.other:
        # Categories that were dropped for lack of room cannot be told from those not seen before.
        return np.append(was, tails[0]), np.append(found, tails[1])
    # The next row is of a new category as often as rows were the only ones of theirs (Good, Biometrika 40, 1953).
    weights = before.categories.weights
    expected = min(float(weights[weights <= 1.0].sum()) / before.present, tails[0])
    unseen = min(_unseen_share(before, now), tails[1])
    return np.append(was, [tails[0] - expected, expected]), np.append(found, [tails[1] - unseen, unseen])


def _unseen_share(before: FeatureStatistics, now: FeatureStatistics) -> float:
    if before.kind in NUMBER_KINDS or now.present <= 0.0:
        return 0.0
    known = before.weights
    unknown = sum(weight for category, weight in now.weights.items() if category not in known) / now.present
    # Categories that were known once and dropped for lack of room come back about as often as they came.
    return max(unknown - before.other / before.present, 0.0) if before.other else unknown


def _wasserstein(before: FeatureStatistics, now: FeatureStatistics) -> float | None:
    if before.kind != "numeric" or before.present <= 0.0 or now.present <= 0.0:
        return None
    _, spread = before.scale("robust")
    with np.errstate(over="ignore"):
        # Halves, since a difference of the largest numbers would overflow; divided later, so that no two are infinite.
        distances = np.abs(0.5 * now.quantile(_GRID) - 0.5 * before.quantile(_GRID)) / spread
        return min(2.0 * float((distances / len(_GRID)).sum()), _FLOAT_MAX)


def _sentence(
    name: str, before: FeatureStatistics, now: FeatureStatistics, *, unseen: float, psi: float, state: State
) -> str:
    figure = f"(PSI {psi:.2f})"
    if state == "calm":
        return f"{name} is as before {figure}."
    if abs(now.share_absent - before.share_absent) >= max(unseen, 0.02):
        return (
            f"{name} lacks a value in {now.share_absent:.1%} of the rows, before in {before.share_absent:.1%} {figure}."
        )
    if before.kind == "numeric":
        return f"{name} has moved: the median was {before.median:.4g} and is {now.median:.4g} {figure}."
    category, was, found = _most_changed(before, now)
    if unseen >= abs(found - was):
        return f"{name} holds categories not seen before in {unseen:.1%} of its values {figure}."
    return f'{name} has moved: "{category}" was {was:.1%} of its values and is {found:.1%} {figure}.'


def _most_changed(before: FeatureStatistics, now: FeatureStatistics) -> tuple[str, float, float]:
    changes = [(category, before.share(category), now.share(category)) for category in before.weights]
    return max(changes, key=lambda change: (abs(change[2] - change[1]), change[0]))
