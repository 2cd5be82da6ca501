"""Files that are something else than their names say."""

from __future__ import annotations

import gzip
import pickle

from tests.cases.outcomes import Case, Reads, Refused
from tests.cases.parquet import GOOD_PARQUET

DISGUISED: tuple[Case, ...] = (
    Case(
        32,
        "Parquet named .csv",
        GOOD_PARQUET,
        Reads({"amount": "number", "card": "text"}, 2, notes=(".csv", "Parquet"), format="parquet", encoding=None),
    ),
    Case(
        32,
        "text named .xlsx",
        b"a,b\n1,x\n",
        Reads({"a": "number", "b": "text"}, 1, notes=(".xlsx", "delimited text")),
        name="rows.xlsx",
    ),
    Case(32, "a PDF named .csv", b"%PDF-1.7\n", Refused(("PDF", "Export"), whole_file=True)),
    Case(32, "a web page named .csv", b"<!DOCTYPE html><table>", Refused(("web page",), whole_file=True)),
    Case(
        32,
        "a model named .csv",
        pickle.dumps([1.0]),
        Refused(("a saved Python object", "Export"), whole_file=True),
    ),
    Case(
        32,
        "a model that is plain text",
        pickle.dumps([1.0], protocol=0),
        Refused(("a saved Python object", "Export"), whole_file=True),
        name="model.joblib",
    ),
    Case(34, "gzip named .csv", b"\x1f\x8b\x08" + bytes(64), Refused(("gzip", "Unpack"), whole_file=True)),
    Case(34, "zip named .csv", b"PK\x03\x04" + bytes(64), Refused(("ZIP", "Unpack"), whole_file=True)),
    Case(34, "a bomb of gzip named .csv", gzip.compress(bytes(1 << 22)), Refused(("gzip", "Unpack"), whole_file=True)),
)
