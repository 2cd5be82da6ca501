"""The kind of a column comes from its values, whatever type they are kept in."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from detector.core.inference import infer_kind


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([1, 2, None], None, "numeric"), ([1.5, 2], None, "numeric"), ([True, None, False], object, "boolean"),
        ([True, 1, 0, None], object, "boolean"), ([5, True, 3.2, None], object, "numeric"),
        ([decimal.Decimal("1.5"), None], object, "numeric"), ([10**40, 1], object, "numeric"),
        ([1, "a"], object, "categorical"), ([[1], None], object, "categorical"), ([1 + 2j], None, "categorical"),
        (["a", None], None, "categorical"), (["1", "2"], None, "categorical"), (["007"], None, "categorical"),
        (["true", "False", None], None, "boolean"), (["yes", "no"], None, "categorical"),
        (["2024-01-02", " 2024-01-03T04:05:06Z ", ""], None, "datetime"), (["2024-01-02", "soon"], None, "categorical"),
        (["03/04/2025"], None, "categorical"), (["2024", "2025"], None, "categorical"),
        ([dt.date(2024, 1, 2), None], object, "datetime"), ([pd.Timestamp("2024-01-02", tz="UTC")], None, "datetime"),
        ([pd.Timedelta("1h"), pd.NaT], None, "numeric"), ([dt.timedelta(1), None], object, "numeric"),
        ([1, 2, None], "Int64", "numeric"), ([True, None], "boolean", "boolean"), (["x", None],
        "string", "categorical"),
        ([1.5, None], "Float64", "numeric"), ([1, 2], "category", "categorical"), (["a"], "category", "categorical"),
        (["2024-01-02"], "category", "datetime"), ([True, False], "category", "boolean"), ([],
        "category", "categorical"),
        ([1, None], pd.ArrowDtype(pa.int32()), "numeric"), ([True], pd.ArrowDtype(pa.bool_()), "boolean"),
        (["x"], pd.ArrowDtype(pa.string()), "categorical"), (["2024-01-02"], pd.ArrowDtype(pa.string()), "datetime"),
        ([dt.date(2024, 1, 2)], pd.ArrowDtype(pa.date32()), "datetime"),
        ([pd.Timestamp("2024-01-02")], pd.ArrowDtype(pa.timestamp("us")), "datetime"),
        ([pd.Timedelta("1h")], pd.ArrowDtype(pa.duration("us")), "numeric"),
        ([decimal.Decimal("1.5")], pd.ArrowDtype(pa.decimal128(4, 2)), "numeric"),
        ([decimal.Decimal("sNaN"), 1.0], object, "numeric"), ([None, None], object, "numeric"), ([],
        "float64", "numeric"),
    ],
    ids=str,
)  # fmt: skip
def test_the_kind_comes_from_the_values(values: list[Any], dtype: Any, kind: str) -> None:
    assert infer_kind(pd.Series(values, dtype=dtype)) == kind


def test_one_text_that_is_no_time_among_a_thousand_does_not_change_the_kind() -> None:
    assert infer_kind(pd.Series(["2024-01-02"] * 999 + ["2024-99-99"])) == "datetime"
    assert infer_kind(pd.Series(["2024-01-02"] * 900 + ["2024-99-99"] * 100)) == "categorical"


def test_a_column_of_numbers_with_a_few_texts_is_meant_as_numbers() -> None:
    assert infer_kind(pd.Series([1, 2.5, "NA", 4], dtype=object)) == "numeric"
    assert infer_kind(pd.Series(["a", "b", 3], dtype=object)) == "categorical"
