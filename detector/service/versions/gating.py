"""The gate before the champion: an update that nobody has looked at is held back where it would change too much.

Whoever can send updates could teach the model that frauds are ordinary. Three signs are looked at: the champion flags
most of the rows that were learned; the model's own rows, which stay the same, come to stand in another order; the share
of them that is flagged moves by much. A preview needs no gate, since a person decides on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from detector.core.intervals import wilson
from detector.core.model import DynamicAnomalyDetector
from detector.core.own_rows import on_own_rows
from detector.errors import NoKnownColumnsError
from detector.service.champion import Champion
from detector.service.versions.comparing import rank_correlation
from detector.settings import Settings

#: A batch is not suspicious before so many times the share is flagged that the cutoff implies.
TIMES_EXPECTED = 4.0


@dataclass(frozen=True)
class Flagged:
    """How many of an update's rows the champion flags; of a long file, of an even sample."""

    rows: int
    flagged: int


def flagged_by(champion: Champion, frame: pd.DataFrame) -> Flagged:
    """Count the rows of an update that the champion flags, before it has learned them."""
    try:
        labels = champion.detector.score(frame, cutoff=champion.cutoff).labels
    except NoKnownColumnsError:
        return Flagged(0, 0)
    return Flagged(len(frame), int((labels == -1).sum()))


def suspicions(
    champion: Champion, updated: DynamicAnomalyDetector, batch: Flagged, settings: Settings
) -> tuple[str, ...]:
    """Return, each as a sentence, what speaks against promoting an update unseen; nothing for an ordinary one."""
    found = []
    expected = 1.0 - champion.cutoff / 100.0
    limit = max(settings.update_max_flagged, TIMES_EXPECTED * expected)
    # The lower end of the interval, so that a handful of odd rows is not taken for an attack.
    if batch.rows and wilson(batch.flagged, batch.rows)[0] > limit:
        found.append(
            f"The champion flags {batch.flagged:,} of the {batch.rows:,} rows looked at, more than "
            f"{limit:.0%} where about {expected:.1%} are usual."
        )
    own = on_own_rows(champion.detector, updated)
    if own is None:
        return (*found, "No column that the champion has learned is left in the updated model.")
    correlation = rank_correlation(own.scores_before, own.scores_after)
    if correlation < settings.update_min_correlation:
        found.append(
            f"The champion's own rows come to stand in another order: rank correlation {correlation:.2f}, below "
            f"{settings.update_min_correlation:g}."
        )
    before, after = (
        float(np.mean(severities > champion.cutoff)) for severities in (own.severities_before, own.severities_after)
    )
    if abs(after - before) > settings.update_max_shift:
        found.append(
            f"Of the champion's own rows {after:.1%} would be flagged instead of {before:.1%}, a change of more than "
            f"{settings.update_max_shift * 100:g} points."
        )
    return tuple(found)
