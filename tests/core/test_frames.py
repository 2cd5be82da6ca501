"""Whatever carries rows becomes one table, or is refused with what to do."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from detector.core.frames import as_frame, holds_columns
from detector.errors import InputError


def test_a_data_frame_is_taken_as_it_is() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 9])
    assert as_frame(frame) is frame


def test_one_record_becomes_one_row() -> None:
    frame = as_frame(OrderedDict(amount=5.0, card="x", tags=[1, 2]))
    assert frame.shape == (1, 3)
    assert frame.loc[0, "tags"] == [1, 2]


def test_records_may_lack_keys() -> None:
    frame = as_frame([{"a": 1}, {"b": "x"}, {}])
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.isna().to_numpy().tolist() == [[False, True], [True, False], [True, True]]


def test_a_dictionary_of_lists_is_a_table_by_columns() -> None:
    columns = {"a": [1, 2], "b": np.array(["x", "y"]), "c": pd.Series([True, False], index=[7, 3])}
    assert holds_columns(columns)
    frame = as_frame(columns)
    assert frame.to_dict("records") == [{"a": 1, "b": "x", "c": True}, {"a": 2, "b": "y", "c": False}]
    assert not holds_columns({"a": 1, "tags": [1, 2]})
    assert not holds_columns({})


def test_columns_of_different_lengths_are_refused_with_their_lengths() -> None:
    with pytest.raises(InputError, match="equally many values: a has 2, b has 1"):
        as_frame({"a": [1, 2], "b": [1]})


def test_columns_of_an_array_are_numbered() -> None:
    frame = as_frame(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert frame.columns.tolist() == ["x0", "x1"]
    assert frame.dtypes.tolist() == [np.dtype("float64")] * 2
    assert as_frame([[1, 2], [3, 4]]).shape == (2, 2)


def test_each_column_of_an_array_of_objects_gets_its_own_type() -> None:
    frame = as_frame(np.array([[1, "a"], [2, "b"]], dtype=object))
    assert pd.api.types.is_integer_dtype(frame["x0"])
    assert frame["x1"].tolist() == ["a", "b"]


@pytest.mark.parametrize("rows", [[], (), np.empty((0, 3)), pd.DataFrame({"a": []})])
def test_no_rows_are_a_table_without_rows(rows: Any) -> None:
    assert len(as_frame(rows)) == 0


def test_column_names_become_texts() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=[0, None, ("a", 1)])
    assert as_frame(frame).columns.tolist() == ["0", "None", "('a', 1)"]
    assert frame.columns.tolist() == [0, None, ("a", 1)]
    assert as_frame({1: 5}).columns.tolist() == ["1"]


def test_two_columns_of_one_name_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="Two columns are called 'a'"):
        as_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InputError, match="Two columns are called '1'"):
        as_frame([{1: 2, "1": 3}])


def test_a_record_that_is_none_is_named_by_its_number() -> None:
    with pytest.raises(InputError, match="Record 2 is not a set of named values") as caught:
        as_frame([{"a": 1}, 5, {"a": 2}])
    (problem,) = caught.value.problems
    assert (problem.code, problem.row) == ("not_a_record", 2)


def test_half_a_surrogate_pair_is_named_by_record_and_field() -> None:
    for rows in ([{"a": "x"}, {"a": "\ud800"}], {"a": ["x", "\ud800"]}):
        with pytest.raises(InputError, match="Record 2, field 'a': the text is not valid Unicode") as caught:
            as_frame(rows)
        (problem,) = caught.value.problems
        assert (problem.code, problem.row, problem.column) == ("not_unicode", 2, "a")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (sparse.csr_matrix(np.eye(2)), "Sparse data is not supported"),
        (np.eye(2) * 1j, "Complex data not supported"),
        (np.zeros(3), r"1 dimension\(s\). Reshape your data"),
        (np.zeros((2, 2, 2)), r"3 dimension\(s\)"),
        ([1, 2], r"1 dimension\(s\)"),
        ([[1, 2], [3]], "The rows differ in length"),
        (5, r"0 dimension\(s\)"),
        ("text", r"0 dimension\(s\)"),
        (None, r"0 dimension\(s\)"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_frame(rows)
