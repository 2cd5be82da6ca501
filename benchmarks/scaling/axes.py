"""The axes along which cost is measured. Another engine for an axis, or another axis, is one more entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.scaling import keeping, learning
from benchmarks.scaling.measuring import Meter


@dataclass(frozen=True)
class Axis:
    """What grows.

    Parameters
    ----------
    counts : what is counted, in the plural.
    held : what stays the same.
    sizes, quick : measured, ascending; ``quick`` ones in a moment, to see that all works.
    measure : adds the figures of one size to a meter.
    beyond : a size that is told by the slope alone, and said to be.
    drawn : works of the picture.
    """

    counts: str
    held: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    measure: Callable[[int, Meter], None]
    drawn: tuple[str, ...]
    beyond: int | None = None


AXES: dict[str, Axis] = {
    "rows": Axis(
        "rows", "10 numbers a row; learned and scored in chunks of 100,000",
        (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000), (300, 1_000), learning.rows,
        ("fit", "score", "fit, scikit-learn", "score, scikit-learn"), beyond=100_000_000,
    ),
    "features": Axis(
        "features", "4,000 rows of numbers",
        (10, 30, 100, 300, 1_000, 2_000), (2, 4), learning.features,
        ("fit", "score", "one record", "fit, scikit-learn", "score, scikit-learn"),
    ),
    "categories": Axis(
        "distinct values of a text", "1,000,000 rows of a text and a number",
        (10, 100, 1_000, 10_000, 100_000, 1_000_000), (5, 50), learning.categories,
        ("fit", "score 100,000 rows", "one record"),
    ),
    "signatures": Axis(
        "distinct sets of missing columns", "requests of 14 numbers, each lacking one set",
        (1, 3, 10, 30, 100, 200, 300, 1_000), (1, 4), learning.signatures,
        ("first request of each", "each again, in turn", "each again, as null"),
    ),
    "versions": Axis(
        "versions in the registry", "SQLite; models of 10 numbers",
        (1, 10, 100, 1_000, 3_000, 10_000), (1, 4), keeping.versions,
        ("newest 50 listed", "all listed", "one loaded", "one promoted", "workspace opened"),
    ),
    "entities": Axis(
        "entities known", "payments with card, time, amount and merchant",
        (1_000, 10_000, 100_000, 300_000, 1_000_000), (50, 200), learning.entities,
        ("one request scored", "one request let in", "update with 1,000 rows", "histories written"),
    ),
    "cases": Axis(
        "open cases", "SQLite; queues of at most 200,000 cases",
        (1_000, 10_000, 100_000, 400_000, 1_000_000), (40, 80), keeping.cases,
        ("a page of 50", "one decided", "one decided, and the page after it", "the page after the first decision"),
    ),
}  # fmt: skip
