"""Parquet: types, and files that are damaged."""

from __future__ import annotations

import datetime as dt
import io
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.cases.outcomes import MISSING, Case, Reads, Refused


def _parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


GOOD_PARQUET = _parquet(pa.table({"amount": [1.5, 2.5], "card": ["a", "b"]}))


PARQUET: tuple[Case, ...] = (
    Case(
        37,
        "Parquet cut short",
        GOOD_PARQUET[:-20],
        Refused(("not a readable Parquet file",), whole_file=True),
        name="rows.parquet",
    ),
    Case(
        37,
        "Parquet with a footer that lies about its length",
        GOOD_PARQUET[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
        Refused(("not a readable Parquet file",), whole_file=True),
        name="rows.parquet",
    ),
    Case(
        37,
        "nested columns",
        _parquet(pa.table({"a": [1], "parts": [[1, 2]]})),
        Refused(('"parts"', "list<"), "unusable_type", ((None, None, "parts"),), 1),
        name="rows.parquet",
    ),
    Case(
        37,
        "decimals, dictionaries, nanoseconds, long integers",
        _parquet(
            pa.table(
                {
                    "price": pa.array(["1.25", None]).cast(pa.decimal128(12, 2)),
                    "shop": pa.array(["x", "y"]).dictionary_encode(),
                    "at": pa.array([1_500, None], pa.timestamp("ns", "Europe/Paris")),
                    "id": [1234567890123456789, None],
                    "n": pa.array([1, 2], pa.uint8()),
                    "ok": [True, None],
                    "ratio": [0.5, float("nan")],
                }
            )
        ),
        Reads(
            {
                "price": "number",
                "shop": "text",
                "at": "time",
                "id": "text",
                "n": "number",
                "ok": "boolean",
                "ratio": "number",
            },
            2,
            {
                "price": [1.25, MISSING],
                "at": [dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), MISSING],
                "id": ["1234567890123456789", MISSING],
                "ok": [True, MISSING],
                "ratio": [0.5, MISSING],
            },
            ("microsecond", "15 digits"),
            format="parquet",
            encoding=None,
        ),
        name="rows.parquet",
    ),
    Case(
        37,
        "text in Parquet: times are read, numbers stay text",
        _parquet(pa.table({"t": ["2025-01-01T10:00:00Z", ""], "n": ["1", "2"]})),
        Reads(
            {"t": "time", "n": "text"},
            2,
            {"t": [dt.datetime(2025, 1, 1, 10, tzinfo=UTC), MISSING], "n": ["1", "2"]},
            format="parquet",
            encoding=None,
        ),
        name="rows.parquet",
    ),
    Case(
        37,
        "infinity in Parquet",
        _parquet(pa.table({"a": [1.0, float("inf"), 3.0]})),
        Refused(('Row 2, column "a"', "infinite"), "infinite", ((2, None, "a"),), 1),
        name="rows.parquet",
    ),
    Case(
        37,
        "infinity in Parquet set aside",
        _parquet(pa.table({"a": [1.0, float("inf"), 3.0]})),
        Reads({"a": "number"}, 2, {"a": [1, 3]}, format="parquet", encoding=None, set_aside=((2, None),)),
        name="rows.parquet",
        options={"on_error": "quarantine"},
    ),
)
