from __future__ import annotations

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import InputError
from detector.files import Limits, open_table
from detector.files.apart import Parsing


def stored(folder: Path, table: pa.Table) -> Path:
    path = folder / "stored"
    pq.write_table(table, path, row_group_size=100)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    out = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(500)), "b": [f"x{n}" for n in range(500)]}), out, row_group_size=200)
    path = tmp_path / "stored"
    for _ in range(100):
        content = bytearray(out.getvalue())
        for _ in range(chance.choice([1, 3])):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            table = open_table(path)
        except InputError:
            continue
        assert sum(len(frame) for frame in table.batches()) == table.rows


def test_what_the_parser_says_of_a_damaged_file_is_told_without_its_line_break(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")

    with pytest.raises(InputError, match="is not a readable Parquet file") as caught:
        open_table(path)

    assert "\\n" not in str(caught.value)


def test_long_rows_are_read_few_at_a_time(tmp_path: Path) -> None:
    rows = 3_000
    path = tmp_path / "long"
    table = pa.table({"note": ["x" * 8_192] * rows, "n": range(rows)})
    pq.write_table(table, path, use_dictionary=False)

    with Parsing("parquet", path, "long", Limits()) as parsing:
        sizes = [batch.num_rows for batch, _ in parsing.batches()]

    assert sum(sizes) == rows
    assert max(sizes) == 1_024


def test_times_that_do_not_fit_are_refused_and_not_wrapped_around(tmp_path: Path) -> None:
    path = stored(tmp_path, pa.table({"t": pa.array([2**62], pa.timestamp("ms"))}))

    with pytest.raises(InputError, match='Column "t" holds times beyond'):
        open_table(path)


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(24, 3), pa.decimal256(40, 0)]
)
def test_every_numeric_type_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    table = open_table(stored(tmp_path, pa.table({"n": pa.array([1, 2], pa.int64()).cast(kind, safe=False)})))

    assert table.columns[0].type == "number"
    assert table.frame()["n"].tolist() == [1, 2]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_every_text_type_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    table = open_table(stored(tmp_path, pa.table({"t": pa.array(["é", None, ""], pa.string()).cast(kind)})))

    assert table.columns[0].nulls == 2
    assert table.frame()["t"].dtype == "str"
    assert table.frame()["t"].tolist()[0] == "é"


@pytest.mark.parametrize("kind", [pa.binary(), pa.time64("us"), pa.duration("s")])
def test_other_types_are_refused_by_column(tmp_path: Path, kind: pa.DataType) -> None:
    path = stored(tmp_path, pa.table({"ok": [1], "odd": pa.array([None], kind)}))

    with pytest.raises(InputError, match='Column "odd" has the type'):
        open_table(path)
