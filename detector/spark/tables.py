"""What is asked of a DataFrame's columns before any of its rows is looked at."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import types as spark

from detector.errors import InputError, nearest_name

_NESTED = (spark.ArrayType, spark.MapType, spark.StructType, spark.BinaryType)
_USABLE = (
    spark.NumericType, spark.BooleanType, spark.StringType, spark.CharType, spark.VarcharType, spark.DateType,
    spark.TimestampType, spark.TimestampNTZType, spark.DayTimeIntervalType, spark.NullType,
)  # fmt: skip


def usable_columns(frame: DataFrame) -> list[str]:
    """Return the names of the columns that hold single values; nested ones and bytes are carried along only.

    Raises
    ------
    InputError
        When two columns have the same name.
    """
    names = frame.columns
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"Two columns are called {twice!r}. Rename one of them.")
    return [field.name for field in frame.schema.fields if isinstance(field.dataType, _USABLE)]


def check_named(names: Iterable[str], frame: DataFrame, what: str) -> None:
    """Refuse names that are not among the columns; ``what`` begins the message.

    Raises
    ------
    InputError
    """
    for name in names:
        if name not in frame.columns:
            near = nearest_name(name, frame.columns)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(f"{what} {name!r}, but there is no such column.{hint}")


def quoted(name: str) -> str:
    """Return a column's name as Spark's expressions take it, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"
