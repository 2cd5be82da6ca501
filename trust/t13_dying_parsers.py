"""T13: however a parser ends, its user is told that the file could not be read, and the server goes on."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pyarrow as pa
import pyarrow.parquet as pq

from trust.parsers import WAYS, Reader
from trust.promise import Outcome, Promise, Size

#: Seconds that a step of a parser has here, and within which its user must know.
STEP, TOLD_WITHIN = 2.0, 10.0
_EXPECTED = {"crash": "crashed", "memory": "memory", "spin": "took too long", "hang": "took too long"}


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Let parsers crash, fill the memory, run for ever and stand still, each twice in the same server."""
    path = folder / "sent.parquet"
    pq.write_table(pa.table({"amount": [1.0, 2.0]}), path)
    faults: list[str] = []
    slowest = 0.0
    for way in size.choose(WAYS, WAYS[:1] if broken else ("crash", "hang")):
        with Reader(folder, way=way, together=broken, parser_seconds=size.choose(STEP, 0.5)) as reader:
            for again in (False, True):
                begun = monotonic()
                found = reader.read(path)
                if found is None:
                    faults.append(f"{way}: the server died with its parser")
                    break
                told = found[0]
                if not told.startswith("refused ") or _EXPECTED[way] not in told:
                    faults.append(f"{way}: the user reads {told!r}")
                if again:  # the first time, the server itself was still starting
                    slowest = max(slowest, monotonic() - begun)
        if broken and faults:
            break  # the other ways would take the machine along
    if slowest > size.choose(STEP + TOLD_WITHIN, 60.0):
        faults.append(f"it took {slowest:.0f} s until the user knew")
    ways = len(size.choose(WAYS, WAYS[:2]))
    return Outcome(f"{ways} ways to die, told within {slowest:.1f} s, the server lives", tuple(faults))


PROMISE = Promise(
    name="T13",
    says="A parser that dies takes nobody along",
    asked="crash, lack of memory, endless work, standing still: told in words, the server lives",
    breaks="the parser runs in the server's own process",
    check=check,
)
