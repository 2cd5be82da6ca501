"""What this process has scored, in plain counters: cheap enough for every request, read by metrics and by alerts.

Nothing of a row is kept: only how many there were, where their severities fell, and which columns did not come or were
new.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: As which version rows were scored.
VersionRole = Literal["champion", "challenger"]
#: How the columns of rows compare with what the version learned.
Outcome = Literal["as_learned", "missing", "new", "missing_and_new"]

ROLES: tuple[VersionRole, ...] = ("champion", "challenger")
OUTCOMES: tuple[Outcome, ...] = ("as_learned", "missing", "new", "missing_and_new")
#: Upper edges of the classes of severity (0-100); the last one holds all.
SEVERITIES = (25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0)
#: Sets of missing and new columns that are told apart between two looks; of rows with others only the number is kept.
MOST_SETS = 1_000
#: Columns that are named in one look at the traffic.
MOST_COLUMNS = 100

_EDGES = np.array(SEVERITIES)
_Names = tuple[str, ...]


@dataclass
class Scored:
    """What was scored as one role since the process began. ``expected``: rows that the cutoff lets expect above it."""

    rows: int = 0
    flagged: int = 0
    expected: float = 0.0
    severity_sum: float = 0.0
    by_severity: list[int] = field(default_factory=lambda: [0] * len(SEVERITIES))


@dataclass(frozen=True)
class Seen:
    """What was scored with the champion between two looks; ``missing`` and ``new``: rows by column."""

    rows: int
    flagged: int
    expected: float
    missing: Mapping[str, int]
    new: Mapping[str, int]


class Measures:
    """The counters of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.scored: dict[VersionRole, Scored] = {role: Scored() for role in ROLES}
        self.outcomes: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self._sets: dict[tuple[_Names, _Names], int] = {}
        self._taken = (0, 0, 0.0)

    def note(
        self,
        severities: NDArray[np.float64],
        cutoff: float,
        missing: _Names = (),
        new: _Names = (),
        role: VersionRole = "champion",
    ) -> None:
        """Count rows that were scored: ``severities`` (n,) 0-100, the ``cutoff``, the columns they lack and add."""
        if len(severities) == 1:
            # One row is the busiest case, and needs no array.
            severity = float(severities[0])
            with self._lock:
                scored = self.scored[role]
                scored.rows += 1
                scored.flagged += severity > cutoff
                scored.expected += 1.0 - cutoff / 100.0
                scored.severity_sum += severity
                scored.by_severity[bisect_left(SEVERITIES, severity)] += 1
                if role == "champion":
                    self._count(missing, new, 1)
            return
        rows = len(severities)
        places = np.bincount(np.searchsorted(_EDGES, severities), minlength=len(SEVERITIES)).tolist()
        flagged, total = int(np.count_nonzero(severities > cutoff)), float(severities.sum())
        with self._lock:
            scored = self.scored[role]
            scored.rows += rows
            scored.flagged += flagged
            scored.expected += rows * (1.0 - cutoff / 100.0)
            scored.severity_sum += total
            scored.by_severity[:] = [a + b for a, b in zip(scored.by_severity, places, strict=False)]
            if role == "champion":
                self._count(missing, new, rows)

    def take(self) -> Seen:
        """Return what was scored with the champion since the last call."""
        with self._lock:
            sets, self._sets = self._sets, {}
            champion = self.scored["champion"]
            before, now = self._taken, (champion.rows, champion.flagged, champion.expected)
            self._taken = now
        missing, new = Counter[str](), Counter[str]()
        for (gone, came), rows in sets.items():
            missing.update(dict.fromkeys(gone, rows))
            new.update(dict.fromkeys(came, rows))
        return Seen(
            now[0] - before[0],
            now[1] - before[1],
            now[2] - before[2],
            dict(missing.most_common(MOST_COLUMNS)),
            dict(new.most_common(MOST_COLUMNS)),
        )

    def _count(self, missing: _Names, new: _Names, rows: int) -> None:
        if not missing and not new:
            self.outcomes["as_learned"] += rows
            return
        self.outcomes["missing_and_new" if missing and new else "missing" if missing else "new"] += rows
        names = (missing, new)
        if names in self._sets or len(self._sets) < MOST_SETS:
            self._sets[names] = self._sets.get(names, 0) + rows
