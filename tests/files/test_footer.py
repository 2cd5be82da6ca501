"""Parquet files whose end tells enough are read once; what comes out is what reading them twice gives."""

from __future__ import annotations

import gc
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import InputError, UnusableFileError
from detector.files import ReadOptions, open_table, parquet
from detector.files.found_values import FoundValues
from detector.files.parsing import BATCH_ROWS

ROWS = 3 * BATCH_ROWS + 5
LATE = ROWS - 2


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects a name for each child that parses."""
    begun: list[str] = []

    class Counted(parquet.Parsing):
        def __init__(self, *args: Any, **more: Any) -> None:
            begun.append(args[2])
            super().__init__(*args, **more)

    monkeypatch.setattr(parquet, "Parsing", Counted)
    return begun


def columns() -> dict[str, Any]:
    numbers = np.arange(ROWS)
    return {
        "id": [f"T{number}" for number in range(ROWS)],
        "amount": numbers / 8,
        "items": numbers % 7,
        "ok": numbers % 2 == 0,
        "at": pa.array(numbers, pa.timestamp("s")),
        "gaps": pa.array(numbers, mask=numbers % 5 == 0),
    }


def stored(folder: Path, columns: dict[str, Any], **how: Any) -> Path:
    path = folder / "stored.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=BATCH_ROWS + 1_000, **how)
    return path


def changed(values: Any, at: int, value: Any) -> Any:
    values = np.array(values)
    values[at] = value
    return values


def read(path: Path, options: ReadOptions | None = None) -> tuple[Any, pd.DataFrame] | str:
    try:
        table = open_table(path, options=options)
        return table.columns, table.frame()
    except InputError as error:
        return str(error)


def test_a_long_file_whose_end_tells_enough_is_read_once(tmp_path: Path, passes: list[str]) -> None:
    table = open_table(stored(tmp_path, columns()))
    assert [column.type for column in table.columns] == ["text", "number", "number", "boolean", "time", "number"]
    frame = table.frame()
    assert len(passes) == 1
    assert frame["amount"].tolist() == columns()["amount"].tolist()
    assert frame["gaps"].isna().sum() == (np.arange(ROWS) % 5 == 0).sum()
    pd.testing.assert_frame_equal(table.frame(), frame)
    assert len(passes) == 2


def test_a_table_that_nobody_reads_lets_go_of_its_parser_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[parquet.Parsing] = []
    close = parquet.Parsing.close
    monkeypatch.setattr(parquet.Parsing, "close", lambda self: closed.append(self) or close(self))
    # The collector finds what holds on to itself, at some later time.
    gc.disable()
    try:
        table = open_table(stored(tmp_path, columns()))
        assert closed == []
        del table
        assert len(closed) == 1
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "late",
    [
        {},
        {"amount": changed(np.arange(ROWS) / 8, LATE, np.nan)},
        {"amount": changed(np.arange(ROWS) / 8, LATE, np.inf)},
        {"amount": np.where(np.arange(ROWS) < LATE, np.nan, 1.0)},
        {"amount": np.full(ROWS, np.nan)},
        {"items": changed(np.arange(ROWS), LATE, 10**16)},
        {"items": pa.array(np.arange(ROWS), mask=np.arange(ROWS) == LATE)},
        {"items": pa.nulls(ROWS, pa.int64())},
        {"items": changed(np.arange(ROWS, dtype=np.uint64), LATE, 2**63 + 5)},
        {"ok": pa.array(np.arange(ROWS) > 3, mask=np.arange(ROWS) == LATE)},
        {"id": [""] * LATE + ["a", "b"]},
        {"id": [""] * BATCH_ROWS + ["a"] * (ROWS - BATCH_ROWS)},
        {"id": [""] * (BATCH_ROWS - 1) + ["a"] * (ROWS - BATCH_ROWS + 1)},
        {"id": ["2025-01-01"] * ROWS},
        {"id": ["2025-01-01"] * LATE + ["not a time", ""]},
        {"id": pa.array(["a", "b", None] * (ROWS // 3) + ["a"] * (ROWS % 3)).dictionary_encode()},
        {"at": changed(np.arange(ROWS), LATE, 10**15).astype("datetime64[s]")},
        {"items": pa.array([None] * (ROWS - 1) + [Decimal("1.25")], pa.decimal128(9, 2))},
    ],
    ids=lambda late: "-".join(late) or "as it is",
)
def test_what_the_end_tells_changes_nothing(tmp_path: Path, late: dict[str, Any]) -> None:
    told = read(stored(tmp_path, columns() | late))
    untold = read(stored(tmp_path, columns() | late, write_statistics=False))
    if isinstance(told, str):
        assert told == untold
        return
    assert not isinstance(untold, str)
    assert [(c.name, c.type, c.whole) for c in told[0]] == [(c.name, c.type, c.whole) for c in untold[0]]
    pd.testing.assert_frame_equal(told[1], untold[1])


def test_a_column_filled_in_the_first_half_is_not_empty_beside_one_of_which_the_end_tells_nothing(
    tmp_path: Path,
) -> None:
    half = 2 * BATCH_ROWS
    amount = pa.array([1.5] * half + [None] * half)
    told = read(
        stored(tmp_path, {"amount": amount, "price": pa.array([Decimal("1.25")] * 2 * half, pa.decimal128(9, 2))})
    )
    assert not isinstance(told, str)
    assert [(column.type, column.nulls) for column in told[0]] == [("number", half), ("number", 0)]
    assert told[1]["amount"].notna().sum() == half


@pytest.mark.parametrize("name", ["amount", "items"])
def test_numbers_that_a_model_knows_as_texts_stay_texts(tmp_path: Path, name: str) -> None:
    options = ReadOptions(text_columns=(name,))
    told, untold = (read(stored(tmp_path, columns(), write_statistics=how), options) for how in (True, False))
    assert not isinstance(told, str)
    assert not isinstance(untold, str)
    assert told[1][name].dtype == "str"
    pd.testing.assert_frame_equal(told[1], untold[1])


@pytest.mark.parametrize(
    "late",
    [
        {"amount": changed(np.arange(ROWS) / 8, LATE, np.inf)},
        {"items": changed(np.arange(ROWS), LATE, 10**16)},
        {"items": pa.array(np.arange(ROWS), mask=np.arange(ROWS) == LATE)},
        {"ok": pa.array(np.arange(ROWS) > 3, mask=np.arange(ROWS) == LATE)},
    ],
    ids=["infinite", "long", "missing", "neither true nor false"],
)
def test_an_end_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: dict[str, Any]) -> None:
    monkeypatch.setattr(FoundValues, "settled_by", lambda *_: True)
    monkeypatch.setattr(FoundValues, "believe", lambda *_: None)
    table = open_table(stored(tmp_path, columns() | late))
    with pytest.raises(UnusableFileError, match="its end says something else of its values"):
        list(table.batches())


def test_rows_are_set_aside_as_ever(tmp_path: Path) -> None:
    path = stored(tmp_path, columns() | {"amount": changed(np.arange(ROWS) / 8, LATE, np.inf)})
    table = open_table(path, options=ReadOptions(on_error="quarantine"))
    assert (table.rows, table.set_aside) == (ROWS - 1, 1)
    assert len(table.frame()) == ROWS - 1
    assert [row for frame in table.quarantined() for row in frame["row"]] == [LATE + 1]
