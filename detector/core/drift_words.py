"""What has changed in a feature, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from detector.core.drift_bins import NAMED_ROWS, may_be_named
from detector.core.statistics import FeatureStatistics
from detector.core.wording import AS_KIND

#: What can change: how many rows lack a value, how many hold an unknown category, and the values.
Signal = Literal["absence", "unseen", "values"]


def gone_sentence(name: str, before: FeatureStatistics, now: FeatureStatistics | None) -> str:
    """Return what is said of a feature that did not come, or came as another kind."""
    if now is None:
        return f"{name} is no longer there."
    return f"{name} held {AS_KIND[before.kind]} and now holds {AS_KIND[now.kind]}."


def sentence_of(
    name: str, before: FeatureStatistics, now: FeatureStatistics, signals: Sequence[Signal], psi: float, unseen: float
) -> str:
    """Return what is said of a feature in which these ``signals`` are worth a word."""
    if before.count <= 0.0 or now.count <= 0.0:
        return f"{name}: there are no rows to compare with {'before' if before.count <= 0.0 else 'now'}."
    if not signals:
        return f"{name} is as before." if before.kind == "datetime" else f"{name} is as before (PSI {psi:.2f})."
    said = {
        "absence": f"lacks a value in {now.share_absent:.1%} of the rows, before in {before.share_absent:.1%}",
        "unseen": f"holds categories not known before in {unseen:.1%} of its values",
    }
    parts = [said[signal] for signal in signals if signal != "values"]
    if "values" in signals:
        moved = _moved(before, now, unseen if "unseen" in signals else 0.0)
        # Where unknown categories are the whole change, there is nothing to add but its size.
        if "unseen" in signals and moved is None:
            parts[-1] += f" (PSI {psi:.2f})"
        else:
            parts.append(f"{moved or 'has other values than before'} (PSI {psi:.2f})")
    return f"{name} {', and '.join(parts)}."


def _moved(before: FeatureStatistics, now: FeatureStatistics, least: float) -> str | None:
    """Return how the known values have moved; ``None`` where nothing can be named, or less than ``least`` (0-1)."""
    if min(before.present, now.present) < NAMED_ROWS:
        return None
    if before.kind == "numeric":
        was, found = f"{before.median:.4g}", f"{now.median:.4g}"
        if was != found:
            return f"has moved: the median was {was} and is {found}"
        low, high = (f"{side.quantile(0.05):.4g} to {side.quantile(0.95):.4g}" for side in (before, now))
        return f"has spread otherwise around a median of {was}: nine in ten values were {low} and are {high}"
    changes = [(abs(now.share(name) - before.share(name)), name) for name in before.weights]
    named = [change for change in changes if may_be_named(change[1], before, now)]
    if not named:
        return None
    size, name = max(named)
    if size < max(least, 0.01):
        return None
    return f'has moved: "{name}" was {before.share(name):.1%} of its values and is {now.share(name):.1%}'
