from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from detector.errors import InputError
from detector.files import excel_writing
from detector.files.excel_writing import MOST_CHARACTERS, WorkbookWriter

MADE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "=cmd|' /C calc'!A0": ["=1+1", "@SUM(A1)", "-5.5", None],
            "amount": [1.25, np.nan, np.inf, -3.0],
            "id": [1, 2, 10**17 + 1, 4],
            "at": pd.to_datetime(["2026-03-01T08:15", "1850-01-01", None, "2026-03-02"], format="ISO8601").tz_localize(
                "UTC"
            ),
            "yes": [True, False, True, False],
            "link": ["https://example.org", "mailto:a@b.c", "plain", "\x07bell \U0001f600"],
            "kind": pd.Categorical(["a", "b", None, "a"]),
        }
    )


def written(path: Path, *frames: pd.DataFrame) -> list[tuple[object, ...]]:
    with WorkbookWriter(path, MADE) as writer:
        for one in frames:
            writer.write(one)
    sheet = openpyxl.load_workbook(path).active
    assert not any(cell.data_type == "f" or cell.hyperlink for row in sheet.iter_rows() for cell in row)
    return [tuple(cell.value for cell in row) for row in sheet.iter_rows()]


def test_texts_are_texts_and_never_formulas_or_links(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.xlsx", frame())
    assert rows[0][0] == "'=cmd|' /C calc'!A0"
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'@SUM(A1)", "-5.5", None]
    assert [row[5] for row in rows[1:4]] == ["https://example.org", "mailto:a@b.c", "plain"]


def test_numbers_times_and_flags_keep_their_type_and_their_digits(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.xlsx", frame())
    assert [row[1] for row in rows[1:]] == [1.25, None, "inf", -3]
    assert [row[2] for row in rows[1:]] == [1, 2, str(10**17 + 1), 4]
    assert [row[3] for row in rows[1:]] == [
        datetime(2026, 3, 1, 8, 15),
        "1850-01-01 00:00:00",
        None,
        datetime(2026, 3, 2),
    ]
    assert [row[4] for row in rows[1:]] == [True, False, True, False]
    assert [row[6] for row in rows[1:]] == ["a", "b", None, "a"]


def test_frames_follow_each_other(tmp_path: Path) -> None:
    assert len(written(tmp_path / "a.xlsx", frame(), frame())) == 9


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        written(tmp_path / name, frame())
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_a_text_too_long_for_a_cell_is_cut_and_counted(tmp_path: Path) -> None:
    long = pd.DataFrame({"note": ["x" * MOST_CHARACTERS, "x" * (MOST_CHARACTERS + 1), "\U0001f600" * MOST_CHARACTERS]})
    with WorkbookWriter(tmp_path / "a.xlsx", MADE) as writer:
        writer.write(long)
    assert writer.shortened == 2
    column = [row[0].value for row in openpyxl.load_workbook(tmp_path / "a.xlsx").active.iter_rows(min_row=2)]
    assert column[0] == long["note"][0]
    assert column[1] == "x" * (MOST_CHARACTERS - 1) + "…"


def test_more_rows_than_a_sheet_holds_are_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel_writing, "MOST_ROWS", 6)
    with pytest.raises(InputError, match="Choose CSV or Parquet"):
        written(tmp_path / "a.xlsx", frame(), frame())
    assert list(tmp_path.iterdir()) == []


def test_a_frame_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the first one had"):
        written(tmp_path / "a.xlsx", frame(), frame().drop(columns="id"))
    assert list(tmp_path.iterdir()) == []
