"""A fitted model as bytes: plain values in a versioned envelope, and nothing that could run.

The file is a pickle, as joblib writes it, of dictionaries, lists, texts, numbers and bytes only. Before it is loaded,
its instructions are read one by one, and any that such values do not need is refused: those that construct objects, and
those that refer back, by which a small file can ask for a huge memory. Arrays lie in it as triples of data type, shape
and bytes. Around the payload lie the format's name, its
version and the SHA-256 of the payload, and a file whose bytes are not exactly what writing its content again would give
is refused, so no change goes unnoticed.

``FORMAT_VERSION`` grows by one whenever a reader of the old version could not read the new one; a reader keeps reading
all versions from ``OLDEST_VERSION`` on. Rows of the first version were encoded otherwise, and cannot be read again from
what it kept.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import pickletools
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelFileError, excerpt

FORMAT = "dynamic-anomaly-detector"
FORMAT_VERSION = 2
OLDEST_VERSION = 2
#: Larger files are refused before they are parsed.
LARGEST_FILE = 2 * 1024**3
#: Pickle protocol; fixed, since the bytes must be reproducible.
_PROTOCOL = 4
_DTYPES = ("<f4", "<f8", "<i4", "<i8", "<u4", "<u8", "|u1", "|b1")
_ENVELOPE = {"format", "version", "sha256", "payload"}
#: Nothing in a model lies deeper than this.
_DEEPEST = 32
#: All that writing plain values needs, and MEMOIZE: without an instruction that refers back it does nothing, and with
#: it an ordinary pickle can be told from a damaged one.
_INSTRUCTIONS = frozenset(
    {
        "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
        "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
        "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "TUPLE3",
        "MEMOIZE",
    }
)  # fmt: skip
_CONSTRUCTING = frozenset({"GLOBAL", "STACK_GLOBAL", "INST"})


def to_bytes(content: dict[str, Any]) -> bytes:
    """Return ``content`` (builtins and arrays) as the bytes of a model file; equal content gives equal bytes."""
    payload = _dump(_packed(content))
    return _dump(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "payload": payload,
        }
    )


def from_bytes(data: bytes) -> dict[str, Any]:
    """Return the content of a model file.

    Raises
    ------
    ModelFileError
        When the bytes are damaged, foreign, of a newer or a too old format, or hold anything but plain values.
    """
    if len(data) > LARGEST_FILE:
        raise ModelFileError("The model file is larger than any model that this program writes.")
    envelope = _load(data)
    if type(envelope) is not dict or envelope.get("format") != FORMAT:
        raise ModelFileError("This file is not a model of this program.")
    version = envelope.get("version")
    if type(version) is not int or version < 1:
        raise ModelFileError("The model file does not say which format it has.")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"The model file has format {version}, and this program reads up to {FORMAT_VERSION}. Update the program."
        )
    if version < OLDEST_VERSION:
        raise ModelFileError(
            f"The model file has format {version}, of an earlier program, which is no longer read. Train again."
        )
    payload = envelope.get("payload")
    if (
        set(envelope) != _ENVELOPE
        or type(payload) is not bytes
        or envelope.get("sha256") != hashlib.sha256(payload).hexdigest()
    ):
        raise _damaged()
    if _dump(envelope) != data:
        raise _damaged()
    content = _unpacked(_load(payload), 0)
    if type(content) is not dict:
        raise _damaged()
    return content


def _damaged() -> ModelFileError:
    return ModelFileError("The model file is damaged. Restore it from a backup or train again.")


def _foreign(asked_for: str) -> ModelFileError:
    return ModelFileError(
        "This file is not a model of this program: it asks to construct objects.", asked_for=asked_for
    )


class _PlainUnpickler(pickle.Unpickler):
    """Constructs no class, should an instruction that asks for one ever get this far."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _foreign(f"{module}.{name}")


def _dump(value: Any) -> bytes:
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=_PROTOCOL)
    pickler.fast = True  # no memo: bytes depend on values alone, not on which of them are one object
    pickler.dump(value)
    return stream.getvalue()


def _must_be_plain(data: bytes) -> None:
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _CONSTRUCTING:
            raise _foreign(".".join(texts[-2:]) if argument is None else str(argument).replace(" ", "."))
        if isinstance(argument, str):
            texts = [*texts[-1:], excerpt(argument)]
        if opcode.name not in _INSTRUCTIONS:
            raise _damaged()


def _load(data: bytes) -> Any:
    try:
        _must_be_plain(data)
        stream = io.BytesIO(data)
        value = _PlainUnpickler(stream).load()
    except ModelFileError:
        raise
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError,
        MemoryError, UnicodeDecodeError, ImportError, RecursionError,
    ) as error:  # fmt: skip  # all that a damaged pickle is known to raise
        raise _damaged() from error
    if stream.read(1):
        raise _damaged()
    return value


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, list(value.shape), value.tobytes())
    if isinstance(value, dict):
        return {key: _packed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(item) for item in value]
    if value is None or type(value) in (str, int, float, bool, bytes):
        return value
    raise TypeError(f"a model file holds plain values only, not {type(value).__name__}")


def _unpacked(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _damaged()
    if isinstance(value, dict):
        return {key: _unpacked(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpacked(item, depth + 1) for item in value]
    return _array(*value) if isinstance(value, tuple) else value


def _array(dtype: Any, shape: Any, data: Any) -> NDArray[Any]:
    if type(dtype) is not str or dtype not in _DTYPES or type(data) is not bytes or type(shape) is not list:
        raise _damaged()
    if any(type(side) is not int or side < 0 for side in shape):
        raise _damaged()
    if math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise _damaged()
    try:
        return np.frombuffer(data, dtype).reshape(shape).copy()
    except (ValueError, OverflowError) as error:  # more dimensions, or longer ones, than numpy knows
        raise _damaged() from error
