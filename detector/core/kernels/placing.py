"""Where path lengths fall among those of the calibration rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: Equal parts of the table's range: a path is looked for among the few entries in its own.
PARTS = 4_096
#: Below this many paths, dividing the range costs more than it saves.
_FEW = 64


@njit(inline="always")
def _part(value, least, scale, parts):
    """Return the part that a value falls into; never a lesser one than that of a lesser value, so nothing is missed."""
    return min(np.int64((value - least) * scale), parts - 1)


@compiled("void(f8[::1], f8[::1], i8, i8, f8[::1])")
def severities(table, paths, start, stop, out):
    """Write the severity of ``paths[start:stop]`` among ``table`` (k,), ascending, to ``out[start:stop]``."""
    k = table.shape[0]
    least, most = (table[0], table[k - 1]) if k else (0.0, 0.0)
    parts = PARTS if stop - start >= _FEW else 1
    scale = parts / (most - least) if most > least else 0.0
    if not (most - least) * scale < np.inf:
        parts, scale = 1, 0.0
    begins = np.zeros(parts + 1, np.int64)
    for j in range(k if parts > 1 else 0):
        begins[_part(table[j], least, scale, parts) + 1] += 1
    for part in range(parts):
        begins[part + 1] += begins[part]
    begins[parts] = k
    for i in range(start, stop):
        path = paths[i]
        if path < least:
            low = high = 0
        elif path <= most:
            part = _part(path, least, scale, parts)
            low, high = begins[part], begins[part + 1]
        else:  # also NaN
            low = high = k
        while low < high:
            middle = (low + high) // 2
            if table[middle] < path:
                low = middle + 1
            else:
                high = middle
        up_to = low
        # Of equal path lengths there are few, but rows may all be equal.
        if low < k and table[low] == path:
            high = k
            while up_to < high:
                middle = (up_to + high) // 2
                if table[middle] <= path:
                    up_to = middle + 1
                else:
                    high = middle
        more_anomalous = low + 0.5 * (up_to - low + 1)
        out[i] = 100.0 * (1.0 - more_anomalous / (k + 1))
