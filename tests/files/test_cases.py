from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from detector.errors import InputError, UnusableFileError
from detector.files import Limits, ReadOptions, open_table
from tests.cases import CASES, Case, Reads, Refused

READ = [case for case in CASES if isinstance(case.outcome, Reads)]
REFUSED = [case for case in CASES if isinstance(case.outcome, Refused)]
STORED_AS = "5f1c0b7e"


def options_of(case: Case) -> ReadOptions:
    options = dict(case.options)
    return ReadOptions(**options | {"limits": Limits(**options.get("limits", {}))})


def plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


@pytest.mark.parametrize("case", READ, ids=str)
def test_the_file_is_read_as_it_is_meant(case: Case, tmp_path: Path) -> None:
    path = tmp_path / STORED_AS
    path.write_bytes(case.content)
    expected = case.outcome
    assert isinstance(expected, Reads)

    table = open_table(path, name=case.name, options=options_of(case))
    frame = table.frame()

    assert {column.name: column.type for column in table.columns} == expected.types
    assert (table.format, table.encoding) == (expected.format, expected.encoding)
    assert table.rows == len(frame) == expected.rows
    assert list(frame.columns) == list(expected.types)
    assert {name: [plain(value) for value in frame[name]] for name in expected.values} == expected.values
    said = " ".join(table.notes)
    assert [words for words in expected.notes if words not in said] == []
    aside = [row for frame in table.quarantined() for row in zip(frame["row"], frame["line"], strict=True)]
    assert [(row, plain(line)) for row, line in aside] == list(expected.set_aside)
    assert table.set_aside == len(expected.set_aside)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_the_file_is_refused_with_the_place_and_what_to_do(case: Case, tmp_path: Path) -> None:
    path = tmp_path / STORED_AS
    path.write_bytes(case.content)
    expected = case.outcome
    assert isinstance(expected, Refused)

    with pytest.raises(InputError) as caught:
        open_table(path, name=case.name, options=options_of(case))

    error = caught.value
    assert isinstance(error, UnusableFileError) == expected.whole_file
    assert [words for words in expected.says if words.lower() not in error.message.lower()] == []
    assert STORED_AS not in error.message
    assert str(tmp_path) not in str(error.to_dict())
    if expected.code is not None:
        assert error.problems[0].code == expected.code
    if expected.places:
        assert tuple((p.row, p.line, p.column) for p in error.problems[: len(expected.places)]) == expected.places
    if expected.total is not None:
        assert error.total == expected.total
