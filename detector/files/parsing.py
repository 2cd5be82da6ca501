"""What is done with a Parquet file or a workbook in a process of its own: parse it, and send it on as Arrow batches.

Sent are, in this order: a header (JSON), an Arrow IPC stream, and a trailer (JSON) that says how it ended. A child that
dies sends no trailer. This module is imported by the parser's zygote, which knows nothing of the rest of the package.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from detector.errors import InputError
from detector.files.cells import TextBlock
from detector.files.excel import ExcelSource
from detector.files.footer import claims
from detector.files.options import Limits, ReadOptions

#: Rows of a Parquet file that are decoded together, values where rows are wide, and bytes where they are long.
BATCH_ROWS, BATCH_CELLS, BATCH_BYTES = 32_768, 1 << 18, 4 << 20
#: Bytes of a batch as it is sent; larger ones are sent in parts, so that who receives them holds little.
SENT_BYTES = 32 << 20
#: Bytes of a column of a Parquet file that are read at once.
READ_BYTES = 1 << 16
#: Length of a header or a trailer, before it.
LENGTH = struct.Struct("<I")
#: Names of the two columns before a workbook's own.
ROWS, LINES = "rows", "lines"

_LEAST_BATCH_ROWS = 1_024


class TooLargeError(Exception):
    """The file holds more than is allowed; ``found`` in bytes, of all or of one row."""

    def __init__(self, what: str, found: int) -> None:
        super().__init__(what)
        self.what, self.found = what, found


def parse(request: Mapping[str, Any], out: BinaryIO) -> None:
    """Parse what ``request`` names, under its limits, and send it to ``out``."""
    _limit(request)
    seconds = float(request["seconds"])
    trailer: dict[str, Any] = {"end": "complete"}
    try:
        parts = _parquet(request) if request["kind"] == "parquet" else _workbook(request)
        _timed(seconds)
        header, schema = next(parts)
        _send(out, header)
        with pa.ipc.new_stream(out, schema) as stream:
            try:
                for batch, told in parts:
                    _timed(0)  # who receives it may take any time
                    for piece in _pieces(batch):
                        stream.write_batch(piece, custom_metadata=told)
                    _timed(seconds)
            except _FAILURES as error:
                trailer = _told(error)
    except _FAILURES as error:
        # Nothing was sent yet: the header says it.
        _send(out, _told(error))
        return
    _timed(0)
    _send(out, trailer)


#: All that a damaged file makes the libraries raise.
_FAILURES = (InputError, TooLargeError, MemoryError, pa.ArrowException, OSError, ValueError, OverflowError)


def _parquet(request: Mapping[str, Any]) -> Iterator[Any]:
    expanded_limit = request["expanded_bytes"]
    # Read piece by piece, and not the whole column of a part at once: parts may hold a million rows.
    with pq.ParquetFile(request["path"], pre_buffer=False, buffer_size=READ_BYTES) as file:
        schema, metadata = file.schema_arrow.remove_metadata(), file.metadata
        expanded = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
        if expanded_limit is not None and expanded > expanded_limit:
            raise TooLargeError("all", expanded)
        plain = pa.schema([pa.field(field.name, _plain_type(field.type)) for field in schema])
        header = {
            "rows": metadata.num_rows,
            "schema": base64.b64encode(schema.serialize()).decode(),
            "claims": {name: asdict(claim) for name, claim in claims(metadata, schema).items()},
        }
        yield header, plain
        row_bytes = expanded // max(1, metadata.num_rows)
        fitting = min(BATCH_CELLS // max(1, len(schema)), BATCH_BYTES // max(1, row_bytes))
        rows = max(_LEAST_BATCH_ROWS, min(BATCH_ROWS, fitting))
        held = 0
        for batch in file.iter_batches(rows, use_threads=False):
            arrays = [_plain(values) for values in batch.columns]
            sent = pa.RecordBatch.from_arrays(arrays, schema=plain)
            held += sent.nbytes
            if expanded_limit is not None and held > expanded_limit:
                raise TooLargeError("all", held)
            yield sent, None


def _workbook(request: Mapping[str, Any]) -> Iterator[Any]:
    options = ReadOptions(sheet=request["sheet"], limits=Limits(**request["limits"]))
    source = ExcelSource(Path(request["path"]), request["name"], options)
    names = source.names
    fields = [(ROWS, pa.int64()), (LINES, pa.int64()), *((f"c{at}", pa.string()) for at in range(len(names)))]
    header = {"names": names, "notes": source.notes, "sheet": source.sheet, "first_column": source.first_column}
    schema = pa.schema(fields)
    yield header, schema
    for block in source.blocks():
        yield _block_batch(block, names, schema), _told_rows(block)


def _block_batch(block: TextBlock, names: tuple[str, ...], schema: pa.Schema) -> pa.RecordBatch:
    # From anything but buffers, Arrow makes arrays only once it has imported pandas: longer than to parse most files.
    numbers = [
        pa.Int64Array.from_buffers(pa.int64(), len(at), [None, pa.py_buffer(at)]) for at in (block.rows, block.lines)
    ]
    arrays = [*numbers, *(block.columns[name].array() for name in names)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _told_rows(block: TextBlock) -> dict[str, str] | None:
    if not block.bad:
        return None
    return {"bad": json.dumps([[asdict(row.problem), row.record] for row in block.bad])}


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.nbytes <= SENT_BYTES:
        yield batch
    elif batch.num_rows == 1:
        raise TooLargeError("row", batch.nbytes)
    else:
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half))
        yield from _pieces(batch.slice(half))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of what :func:`_plain` makes of values of ``kind``."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def _plain(values: pa.Array) -> pa.Array:
    """Return values that need no further thought: dictionaries decoded, half floats widened, texts of one kind."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_float16(values.type):
        return values.cast(pa.float32())
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type):
        values.validate(full=True)  # a damaged file may hold text that is no UTF-8
    return values


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, InputError):
        return {"end": "input", "kind": type(error).__name__, "error": error.to_dict()}
    if isinstance(error, TooLargeError):
        return {"end": "too large", "what": error.what, "found": error.found}
    if isinstance(error, MemoryError):
        return {"end": "memory"}
    return {"end": "damaged", "message": str(error)[:500]}


def _send(out: BinaryIO, message: Mapping[str, Any]) -> None:
    content = json.dumps(message).encode()
    out.write(LENGTH.pack(len(content)) + content)
    out.flush()


def _limit(request: Mapping[str, Any]) -> None:
    """Bound memory and processor time of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    bounds = {
        resource.RLIMIT_CPU: request["cpu_seconds"],
        resource.RLIMIT_CORE: 0,
        # Nothing is written but to the pipe.
        resource.RLIMIT_FSIZE: 0,
    }
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        # Where the system does not tell how much is mapped already, a bound on it would be a guess.
        pages = 0
    if pages:
        bounds[resource.RLIMIT_AS] = pages * os.sysconf("SC_PAGE_SIZE") + request["memory_bytes"]
    for which, most in bounds.items():
        hard = resource.getrlimit(which)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))


def _timed(seconds: float) -> None:
    """End this process when its next step takes longer; 0: it may take any time."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
