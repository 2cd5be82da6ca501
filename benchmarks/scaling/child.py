"""One size of one axis in a process of its own, whose memory nothing else has touched: prints its figures as JSON.

python -m benchmarks.scaling.child rows 100000
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.scaling.axes import AXES
from benchmarks.scaling.measuring import Figure, Meter


def measured(axis: str, size: int, *, quick: bool = False) -> list[Figure]:
    """Return the figures of one size, measured in this process."""
    meter = Meter(quick=quick)
    AXES[axis].measure(size, meter)
    return meter.figures


if __name__ == "__main__":
    name, count = sys.argv[1], int(sys.argv[2])
    # A small run comes first: compiled code is loaded, and what Python and its libraries keep for good is there.
    measured(name, AXES[name].quick[-1], quick=True)
    begin = time.monotonic()
    found = measured(name, count)
    seconds = time.monotonic() - begin
    print(json.dumps({"seconds": seconds, "figures": [figure.to_dict() for figure in found]}))
