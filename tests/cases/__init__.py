"""Files as users send them, and what each must get: one table for the reader, the API and the pages.

``content`` is the file, byte for byte; nothing here needs a disk. Cases with one ``number`` are of one kind.
"""

from __future__ import annotations

from tests.cases.delimited import DELIMITED
from tests.cases.disguised import DISGUISED
from tests.cases.excel import EXCEL
from tests.cases.outcomes import Case, Reads, Refused
from tests.cases.parquet import PARQUET
from tests.cases.records import RECORDS
from tests.cases.values import VALUES

__all__ = ["CASES", "Case", "Reads", "Refused"]

CASES: tuple[Case, ...] = (*DELIMITED, *VALUES, *DISGUISED, *RECORDS, *PARQUET, *EXCEL)
