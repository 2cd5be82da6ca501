"""Tables with exactly one fault, of every kind, and where it is."""

from __future__ import annotations

import random
from collections.abc import Callable

from trust.faulty_binary import excel, parquet
from trust.faulty_csv import (
    csv_after_quote,
    csv_ambiguous_date,
    csv_ambiguous_number,
    csv_bytes,
    csv_header,
    csv_infinite,
    csv_long_cell,
    csv_long_whole,
    csv_open_quote,
    csv_out_of_range,
    csv_text,
    csv_width,
)
from trust.faulty_json import (
    json_broken_document,
    json_broken_line,
    json_bytes,
    json_numbers,
    json_record,
    json_text,
    json_twice,
    json_values,
)
from trust.plain_tables import Faulty

#: The kinds of faults; Parquet and Excel, which take longer to write, come less often.
KINDS: tuple[Callable[[random.Random], Faulty], ...] = (
    csv_text, csv_infinite, csv_out_of_range, csv_long_whole, csv_width, csv_after_quote, csv_open_quote, csv_header,
    csv_bytes, csv_ambiguous_number, csv_ambiguous_date, csv_long_cell, csv_width, csv_text,
    json_text, json_numbers, json_values, json_twice, json_record, json_broken_line, json_broken_document, json_bytes,
    parquet, excel,
)  # fmt: skip
