from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import detector.files
from detector.errors import Cancelled, InputError, UnusableFileError
from detector.files import UNLIMITED, Limits, ReadOptions, open_table, warm_up

ROWS = 70_000


@pytest.fixture(scope="module", params=["csv", "parquet", "ndjson"])
def long_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("long") / "stored"
    amounts = np.arange(ROWS) / 4
    table = pa.table({"n": np.arange(ROWS), "amount": amounts, "shop": pa.array([f"s{n % 7}" for n in range(ROWS)])})
    if request.param == "parquet":
        pq.write_table(table, path, row_group_size=20_000)
    elif request.param == "csv":
        table.to_pandas().to_csv(path, index=False)
    else:
        table.to_pandas().to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("size", [999, 65_536, 100_000])
def test_batches_are_the_file_in_its_order_whatever_their_size(long_file: Path, size: int) -> None:
    table = open_table(long_file)
    start = 0
    for batch in table.batches(size):
        assert isinstance(batch.index, pd.RangeIndex)
        assert (batch.index.start, len(batch)) == (start, min(size, ROWS - start))
        assert batch["n"].tolist() == list(range(start, start + len(batch)))
        assert [str(kind) for kind in batch.dtypes] == ["int64", "float64", "str"]
        start += len(batch)
    assert start == table.rows == ROWS


def test_blocks_hold_the_same_rows_as_a_frame_and_as_arrow_has_them(long_file: Path) -> None:
    table = open_table(long_file)

    for frame, rows in table.blocks(30_000):
        pd.testing.assert_frame_equal(rows.to_pandas(), frame.reset_index(drop=True))
    assert frame.index.stop == ROWS


def test_a_sample_is_the_first_rows(long_file: Path) -> None:
    table = open_table(long_file)

    assert table.sample(3).to_dict("list") == {"n": [0, 1, 2], "amount": [0, 0.25, 0.5], "shop": ["s0", "s1", "s2"]}
    assert table.frame(0).shape == (0, 3)


def test_the_table_can_be_read_again_and_twice_at_once(long_file: Path) -> None:
    table = open_table(long_file)
    pairs = zip(table.batches(30_000), table.batches(30_000), strict=True)

    assert all(one.equals(other) for one, other in pairs)


def test_progress_is_told_and_can_stop_the_reading(long_file: Path) -> None:
    told: list[int] = []

    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        told.append(done_rows)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        open_table(long_file, progress=stop)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(file_bytes=1000), "the limit is 0 MB"),
        (Limits(rows=1000), "1,000"),
        (Limits(columns=2), "2"),
    ],
)
def test_limits_are_kept_by_every_format(long_file: Path, limits: Limits, says: str) -> None:
    with pytest.raises(UnusableFileError, match=says):
        open_table(long_file, options=ReadOptions(limits=limits))


def test_the_command_line_has_no_limit_on_rows_and_bytes() -> None:
    assert (UNLIMITED.rows, UNLIMITED.file_bytes) == (None, None)
    assert UNLIMITED.columns == Limits().columns


def test_an_error_names_the_file_as_the_user_does_and_never_the_path(tmp_path: Path) -> None:
    path = tmp_path / "0d9f"
    path.write_bytes(b"a,a\n1,2\n")

    with pytest.raises(InputError) as caught:
        open_table(path, name="C:\\exports\\" + "long" * 75 + ".csv")

    assert caught.value.message.startswith("longlong")
    assert "…" in caught.value.message
    assert len(caught.value.message.split(" has ")[0]) == 80
    assert "0d9f" not in str(caught.value.to_dict())


def test_rows_set_aside_carry_their_text(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b'a,b\n1,x\n2\n3,"y\nz",\nfour,w\n5,v\n')

    table = open_table(path, options=ReadOptions(numeric_columns=("a",), on_error="quarantine"))
    (aside,) = table.quarantined()

    assert table.frame()["a"].tolist() == [1, 5]
    assert table.frame().index.tolist() == [0, 1]
    assert aside["record"].tolist() == ["2", '3,"y\nz",', "four,w"]
    assert aside["row"].tolist() == [2, 3, 4]
    assert aside["line"].tolist() == [3, 4, 6]
    assert aside["reason"].tolist()[2] == '"four" is not a number that can be used.'


def test_an_error_tells_whether_setting_rows_aside_would_heal_it(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    for content, heals in ((b"a,b\n1,2\n1,2,3\n", True), (b"a,a\n1,2\n", False), (b'a;b\n"1,234";2\n', False)):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            open_table(path)
        assert caught.value.details.get("can_set_aside", False) is heals


def test_warming_up_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    warm_up()

    assert list(tmp_path.iterdir()) == []


def test_every_public_name_exists_and_is_explained() -> None:
    public = {name: getattr(detector.files, name) for name in detector.files.__all__}

    assert [name for name, thing in public.items() if not thing.__doc__] == []
