"""Whatever carries rows becomes one table: a data frame, a dictionary, a list of dictionaries or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd
from detector.errors import InputError, Problem, excerpt

#: What every public method takes as rows.
Rows: TypeAlias = "pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | NDArray[Any]"


def as_frame(rows: Any) -> pd.DataFrame:
    """Return ``rows`` as a data frame whose column names are texts.

    Parameters
    ----------
    rows : DataFrame; one record as a dictionary, or whole columns as a dictionary of lists; records as a list of
        dictionaries, which may lack keys; or an array (n, d), whose columns are then called x0, x1 and so on.

    Raises
    ------
    InputError
        When it is none of these, when a record is not a dictionary, when columns differ in length, when two have the
        same name, or when a text is not valid Unicode.
    """
    if hasattr(rows, "toarray"):  # asked first: one of the sparse formats is a dictionary, too
        raise InputError("Sparse data is not supported. Pass a dense array, for example with .toarray().")
    if isinstance(rows, pd.DataFrame):
        frame = rows
    elif isinstance(rows, Mapping):
        frame = _from_columns(rows) if holds_columns(rows) else _from_records([rows])
    elif isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        frame = _from_records(rows)
    elif isinstance(rows, list | tuple) and any(isinstance(row, Mapping) for row in rows):
        first = next(i for i, row in enumerate(rows) if not isinstance(row, Mapping))
        raise InputError(
            f"Record {first + 1} is not a set of named values. Give each record as a dictionary.",
            [Problem("not_a_record", "not a set of named values", row=first + 1)],
        )
    else:
        frame = _from_array(rows)
    if all(type(name) is str for name in frame.columns):
        names = list(frame.columns)
    else:
        names = [str(name) for name in frame.columns]
        frame = frame.set_axis(names, axis=1)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"Two columns are called {twice!r}. Rename one of them.")
    return frame


def holds_columns(rows: Any) -> bool:
    """Return whether ``rows`` is a dictionary of whole columns: each of its values is a list, an array or a series."""
    return isinstance(rows, Mapping) and bool(rows) and all(
        type(value) not in _SINGLE and _is_column(value) for value in rows.values()
    )  # fmt: skip


#: What the values of a single record mostly are.
_SINGLE = frozenset({float, int, str, bool, type(None)})


def _is_column(value: object) -> bool:
    return isinstance(value, list | tuple | pd.Series) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _from_columns(columns: Mapping[Any, Any]) -> pd.DataFrame:
    lengths = {str(name): len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length:,}" for name, length in list(lengths.items())[:5])
        raise InputError(f"The columns must have equally many values: {told}.")
    # A series brings its index along, by which pandas would shift its values.
    bare = {name: values.array if isinstance(values, pd.Series) else values for name, values in columns.items()}
    try:
        return pd.DataFrame(bare)
    except UnicodeEncodeError:
        return _from_records([dict(zip(bare, row, strict=True)) for row in zip(*bare.values(), strict=True)])


def _from_records(records: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    try:
        return pd.DataFrame([dict(record) for record in records])
    except UnicodeEncodeError as error:
        row, name = next(
            (row, str(name))
            for row, record in enumerate(records, start=1)
            for name, value in record.items()
            if not (_is_unicode(name) and _is_unicode(value))
        )
        raise InputError(
            f"Record {row}, field {excerpt(name)!r}: the text is not valid Unicode (half of a surrogate pair).",
            [Problem("not_unicode", "the text is not valid Unicode", row=row, column=excerpt(name))],
        ) from error


def _is_unicode(value: object) -> bool:
    return not isinstance(value, str) or not any("\ud800" <= character <= "\udfff" for character in value)


def _from_array(rows: Any) -> pd.DataFrame:
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise InputError("The rows differ in length. Give every row equally many values.") from error
    if array.dtype.kind == "c":
        raise InputError("Complex data not supported. Pass real numbers.")
    if array.ndim != 2:
        raise InputError(
            f"Expected a table of rows and columns, got an array with {array.ndim} dimension(s). Reshape your data with"
            " array.reshape(-1, 1) if it has a single feature or array.reshape(1, -1) if it is a single row."
        )
    return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])]).infer_objects()
