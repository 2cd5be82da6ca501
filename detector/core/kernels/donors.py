"""Filling what rows lack from rows that are like them."""

from __future__ import annotations

import numpy as np

from detector.core.kernels.compiling import compiled


@compiled("void(f4[:,::1], i8[::1], i4[:,::1], i4[:,::1], i8[::1], i8[::1], f4[:,::1], f4[:,::1])")
def fill_from_nearest(compared, needy, candidates, spare, starts, stops, rows, out):
    """Fill the ``NaN`` of ``rows[needy]`` in ``out``, each feature from the nearest candidate that recorded it.

    ``compared`` (rows, c) is what rows are compared by (mean absolute difference), ``candidates`` (needy, k) and
    ``spare`` (needy, features) are row numbers, and a feature takes the columns ``starts[f]`` to ``stops[f] - 1``. What
    no candidate recorded comes from the feature's spare row.
    """
    k = candidates.shape[1]
    distance = np.empty(k, np.float32)
    order = np.empty(k, np.int64)
    for i in range(needy.shape[0]):
        row = needy[i]
        for a in range(k):
            total = np.float32(0.0)
            for j in range(compared.shape[1]):
                total += abs(compared[row, j] - compared[candidates[i, a], j])
            place = a
            while place > 0 and distance[place - 1] > total:
                distance[place] = distance[place - 1]
                order[place] = order[place - 1]
                place -= 1
            distance[place] = total
            order[place] = a
        for f in range(starts.shape[0]):
            if not np.isnan(rows[row, starts[f]]):
                continue
            donor = spare[i, f]
            for a in range(k):
                candidate = candidates[i, order[a]]
                if not np.isnan(rows[candidate, starts[f]]):
                    donor = candidate
                    break
            for j in range(starts[f], stops[f]):
                out[row, j] = rows[donor, j]
