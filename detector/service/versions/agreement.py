"""How far champion and challenger flag the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The alias of the version that is tried beside the champion.
CHALLENGER = "challenger"


@dataclass(frozen=True)
class Agreement:
    """How many rows both versions flag, only one of them, or neither."""

    both: int
    only_champion: int
    only_challenger: int
    neither: int

    @property
    def rows(self) -> int:
        """All rows counted."""
        return self.both + self.only_champion + self.only_challenger + self.neither

    @property
    def champion(self) -> int:
        """Rows that the champion flags."""
        return self.both + self.only_champion

    @property
    def challenger(self) -> int:
        """Rows that the challenger flags."""
        return self.both + self.only_challenger

    def plus(self, other: Agreement) -> Agreement:
        """Return the counts of both sets of rows."""
        return Agreement(
            self.both + other.both,
            self.only_champion + other.only_champion,
            self.only_challenger + other.only_challenger,
            self.neither + other.neither,
        )

    @classmethod
    def of(cls, champion: NDArray[np.bool_], challenger: NDArray[np.bool_]) -> Agreement:
        """Count two arrays of flags (n,), row for row."""
        return cls(
            int((champion & challenger).sum()),
            int((champion & ~challenger).sum()),
            int((~champion & challenger).sum()),
            int((~champion & ~challenger).sum()),
        )
