"""What is asked of a DataFrame's session and columns before any of its rows is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as spark

from detector.errors import InputError, nearest_name

_USABLE = (
    spark.NumericType, spark.BooleanType, spark.StringType, spark.CharType, spark.VarcharType, spark.DateType,
    spark.TimestampType, spark.TimestampNTZType, spark.DayTimeIntervalType, spark.NullType,
)  # fmt: skip
_NOT_IN_ARROW = (spark.YearMonthIntervalType, spark.CalendarIntervalType)


def context_of(session: SparkSession) -> SparkContext:
    """Return the context of a session.

    Raises
    ------
    InputError
        When the session is one of Spark Connect, which has none.
    """
    try:
        return session.sparkContext
    except AttributeError as error:  # pyspark's own is one as well
        raise InputError(
            "This session is one of Spark Connect, which cannot broadcast a model. Use a classic session."
        ) from error


def usable_columns(frame: DataFrame) -> list[str]:
    """Return the names of the columns that hold single values; nested ones and bytes are carried along only.

    Raises
    ------
    InputError
        When two columns have the same name, or Spark takes the names of two for one.
    """
    resolved = _resolver(frame)
    seen: dict[str, str] = {}
    for name in frame.columns:
        other = seen.get(resolved(name))
        seen[resolved(name)] = name
        if other == name:
            raise InputError(f"Two columns are called {name!r}. Rename one of them.")
        if other is not None:
            raise InputError(
                f"Two columns are called {other!r} and {name!r}, which Spark takes for one name. Rename one of them, or"
                " set spark.sql.caseSensitive to true."
            )
    return [field.name for field in frame.schema.fields if isinstance(field.dataType, _USABLE)]


def check_carried(frame: DataFrame) -> None:
    """Refuse columns that Spark cannot hand to Python and back.

    Raises
    ------
    InputError
    """
    for field in frame.schema.fields:
        if any(isinstance(kind, _NOT_IN_ARROW) for kind in _within(field.dataType)):
            raise InputError(
                f"Column {field.name!r} holds spans of months, which Spark cannot hand to Python. Cast it to text, or"
                " drop it."
            )


def check_free(added: Iterable[str], frame: DataFrame, what: str) -> None:
    """Refuse columns that are called like those that are ``added`` to them, or that Spark takes for these.

    Raises
    ------
    InputError
        Says ``what`` the added column is.
    """
    resolved = _resolver(frame)
    taken = {resolved(name): name for name in added}
    for name in frame.columns:
        own = taken.get(resolved(name))
        if own is not None:
            mistaken = "" if own == name else f", which Spark takes for {own!r}"
            raise InputError(f"A column is called {name!r}{mistaken}, as {what}. Rename or drop it.")


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


def _within(kind: spark.DataType) -> Iterator[spark.DataType]:
    """Yield a type and the types that are nested in it."""
    yield kind
    inner: list[spark.DataType] = []
    if isinstance(kind, spark.ArrayType):
        inner = [kind.elementType]
    elif isinstance(kind, spark.MapType):
        inner = [kind.keyType, kind.valueType]
    elif isinstance(kind, spark.StructType):
        inner = [field.dataType for field in kind.fields]
    for each in inner:
        yield from _within(each)


def _resolver(frame: DataFrame) -> Callable[[str], str]:
    """Return what makes of a name what Spark tells columns apart by: the name, by default but for its case."""
    told = frame.sparkSession.conf.get("spark.sql.caseSensitive")
    return str if told is not None and told.lower() == "true" else str.lower
