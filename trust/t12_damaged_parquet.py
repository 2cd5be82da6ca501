"""T12: Parquet files with flipped bits are read or refused, and the server that reads them stays as it was."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trust.parsers import Reader
from trust.promise import Outcome, Promise, Size

MOST = 100 << 20


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Flip bits of a file, in its pages and in its footer, and read what comes of it."""
    chance = random.Random(12)  # noqa: S311 - no secret
    path = folder / "sent.parquet"
    rows = 2_000
    numbers = np.random.default_rng(12)
    table = pa.table(
        {
            "amount": numbers.lognormal(3, 1, rows),
            "country": pa.array([chance.choice(["NL", "DE", "FR"]) for _ in range(rows)]).dictionary_encode(),
            "note": [f"note {number}" for number in range(rows)],
            "when": pa.array(np.arange(rows) * 1_000_000, pa.timestamp("us")),
            "count": numbers.integers(0, 9, rows),
        }
    )
    pq.write_table(table, path, row_group_size=500)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    read = refused = 0
    faults: list[str] = []
    # With the break, a flipped bit that crashes the parser is played by a stand-in: which bits do depends on versions.
    with Reader(folder, way="crash" if broken else "", together=broken, parser_seconds=10) as reader:
        first = reader.read(path)
        memory = first[1] if first else 0
        for number in range(size.choose(500, 30)):
            content = bytearray(whole)
            for _ in range(chance.choice([1, 1, 3])):
                begin = footer if number % 2 else 0
                content[chance.randrange(begin, len(content))] ^= 1 << chance.randrange(8)
            path.write_bytes(content)
            found = reader.read(path)
            if found is None:
                faults.append(f"damage {number} ended the server")
                break
            read += found[0].startswith("read ")
            refused += found[0].startswith("refused ")
            rise = found[1] - memory
            if rise > MOST:
                faults.append(f"damage {number} left the server with {rise / 1e6:,.0f} MB more")
                break
    return Outcome(f"{read + refused} damaged files: {refused} refused, {read} read, 0 crashes", tuple(faults))


PROMISE = Promise(
    name="T12",
    says="A damaged Parquet file harms nobody",
    asked="500 files with flipped bits: read or refused, the server lives, memory flat",
    breaks="the parser runs in the server's own process, and crashes",
    check=check,
)
