"""How far a share that was counted can be trusted."""

from __future__ import annotations

from math import sqrt

#: Quantile of the normal distribution that leaves 2.5 % on either side.
Z = 1.959963984540054


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval (0-1) of the share ``hits / of``.

    Unlike the textbook interval it stays within 0 and 1 and is not empty at either end (E. B. Wilson, "Probable
    Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927).

    Raises
    ------
    ValueError
        Unless ``0 <= hits <= of`` and ``of > 0``.
    """
    if of <= 0 or not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    share, shrink = hits / of, 1.0 + Z * Z / of
    middle = (share + Z * Z / (2 * of)) / shrink
    half = Z / shrink * sqrt(share * (1.0 - share) / of + Z * Z / (4 * of * of))
    # At either end the bound is the share itself; rounding must not push it beyond.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return low, high
