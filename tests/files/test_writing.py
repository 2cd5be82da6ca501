from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.files import ReadOptions, ScoredWriter, open_table, write_scored

several = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAME = pd.DataFrame(
    {
        "id": pd.array(["007", "=cmd()", None, 'say "hi", ok'], dtype="str"),
        "amount": [-5.2, 0.1, 1e22, float("nan")],
        "count": [1, -2, 3, 4],
        "flagged": [True, False, True, False],
        "at": pd.to_datetime(
            ["2025-01-01", "2025-01-01T10:00:00.000001", None, "1999-12-31"], utc=True, format="ISO8601"
        ),
    }
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, kind: Literal["csv", "parquet"]) -> None:
    out = tmp_path / "scored"

    written = write_scored(out, [FRAME.iloc[:2], FRAME.iloc[2:]], kind)

    frame = open_table(out, options=ReadOptions(text_columns=("id",))).frame()
    expected = FRAME.assign(at=FRAME["at"].astype("datetime64[us, UTC]"))
    if kind == "csv":
        expected.loc[1, "id"] = "'=cmd()"
    pd.testing.assert_frame_equal(frame, expected)
    assert written == 4


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_of_a_file_are_written_beside_their_scores_as_a_frame_of_both_would_be(
    tmp_path: Path, form: Literal["csv", "parquet"], kind: Literal["csv", "parquet"]
) -> None:
    source, out, expected = (tmp_path / name for name in ("source", "out", "expected"))
    rows = FRAME.assign(gaps=[None, True, None, False], none=np.nan)
    write_scored(source, [rows], form)
    if form == "parquet":
        # NaN itself, which pandas does not tell from a missing value.
        table = pq.read_table(source)
        pq.write_table(table.set_column(1, "amount", pa.array([-5.2, None, 1e22, float("nan")])), source)
    table = open_table(source, options=ReadOptions(text_columns=("id",)))
    names = {name: f"{name} (file)" for name in rows}

    with ScoredWriter(out, kind) as one, ScoredWriter(expected, kind) as other:
        for frame, arrow in table.blocks(2):
            scored = pd.DataFrame({"score": [0.5, 0.25], "flagged": [True, False], "version": np.int32(3)}, frame.index)
            one.add(arrow.rename_columns(names), scored)
            other.write(pd.concat([frame.rename(columns=names), scored], axis=1))

    assert out.read_bytes() == expected.read_bytes()
    assert one.rows == 4


@several
@given(text=st.text(st.sampled_from("=+-@\t\r\n＝a1.,'\" "), min_size=1, max_size=5))
def test_no_text_cell_begins_as_a_formula_unless_it_is_a_number(tmp_path: Path, text: str) -> None:
    out = tmp_path / "scored.csv"
    write_scored(out, [pd.DataFrame({"note": pd.array([text], dtype="str"), "n": [1]})])

    (cell, _) = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline="")))[1]

    if cell == text:
        assert text[0] not in "=+-@\t\r\n＝" or float(text) is not None
    else:
        assert cell == "'" + text


def test_numbers_stay_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    frame = pd.DataFrame({"amount": [-5.2, -7.0], "text": ["-5.2", "-cmd"], "=sum": [1, 2]})

    write_scored(out, [frame])

    assert out.read_text() == "amount,text,'=sum\n-5.2,-5.2,1\n-7,'-cmd,2\n"


def test_formulas_are_left_alone_in_parquet(tmp_path: Path) -> None:
    write_scored(tmp_path / "p", [pd.DataFrame({"=a": ["=cmd()"]})], "parquet")

    assert pq.read_table(tmp_path / "p").to_pydict() == {"=a": ["=cmd()"]}


def test_nothing_appears_when_the_writing_fails(tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    out.write_text("old")

    def frames() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"a": [1]})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_scored(out, frames())

    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "new" / "scored.csv"
    writer = ScoredWriter(out)
    writer.write(pd.DataFrame({"a": [1]}))
    assert not out.exists()

    writer.close()
    writer.close()

    assert out.read_text() == "a\n1\n"
    assert [path.name for path in out.parent.iterdir()] == ["scored.csv"]


def test_a_frame_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns"):
        write_scored(tmp_path / "out.csv", [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})])

    assert list(tmp_path.iterdir()) == []


def test_a_column_without_values_at_first_may_hold_text_later(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    frames = [pd.DataFrame({"a": [None, None], "n": [1, 2]}), pd.DataFrame({"a": ["x", None], "n": [3, 4]})]

    write_scored(out, frames)

    assert out.read_text() == "a,n\n,1\n,2\nx,3\n,4\n"


def test_categories_and_times_with_zones_are_written_as_values(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    zone = dt.timezone(dt.timedelta(hours=2))
    frame = pd.DataFrame({"c": pd.Categorical(["x", "y"]), "t": [dt.datetime(2025, 1, 1, 12, tzinfo=zone)] * 2})

    write_scored(out, [frame])

    assert open_table(out).frame()["t"].tolist() == [pd.Timestamp("2025-01-01T10:00", tz="UTC")] * 2


def test_times_without_fractions_are_written_without_them(tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"

    write_scored(out, [pd.DataFrame({"at": pd.to_datetime(["2025-01-01 10:00:01", None], utc=True), "n": [1, 2]})])

    assert out.read_text().splitlines() == ["at,n", "2025-01-01 10:00:01Z,1", ",2"]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize(
    ("zone", "years"),
    [("UTC", (1969, 2026)), ("UTC", (1, 9_999)), ("UTC", (-20, 30)), ("UTC", (9_990, 12_000)), (None, (1969, 2026)),
     ("Europe/Berlin", (1969, 2026))],
)  # fmt: skip
def test_times_are_written_as_arrow_writes_them(
    tmp_path: Path, unit: str, zone: str | None, years: tuple[int, int]
) -> None:
    first, last = ((year - 1970) * 31_556_952 for year in years)
    seconds = np.random.default_rng(0).integers(first, last, 500)
    for fraction in (0, 1):
        ticks = seconds * {"s": 1, "ms": 1_000, "us": 1_000_000}[unit] + fraction
        times = pa.array(ticks, pa.timestamp(unit, zone), mask=np.arange(500) % 9 == 0)
        write_scored(tmp_path / "out.csv", [pd.DataFrame({"at": times.to_pandas()})])
        shown = times.cast(pa.timestamp("s", zone)) if fraction == 0 else times
        expected = [text or "" for text in shown.cast(pa.string()).to_pylist()]
        assert (tmp_path / "out.csv").read_text().split("\n")[1:-1] == expected
