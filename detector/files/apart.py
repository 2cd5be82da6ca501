"""Parsing in a process of its own, seen from the server: a file that crashes its parser harms nobody else.

Each pass over a Parquet file or a workbook is a child with limits on memory, processor time and the time of a step. It
sends typed batches over a pipe, see ``parsing.py``. However it ends, the user is told that this file could not be read.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from detector.errors import InputError, Problem, UnusableFileError, excerpt
from detector.files.options import Limits
from detector.files.parsing import LENGTH
from detector.files.zygote import STATUS

if sys.platform == "linux":
    import fcntl

_PIPE_BYTES = _READ_BYTES = 1 << 20
#: Seconds that a zygote has to start, and to fork.
_PATIENCE = 60.0
_ZYGOTE = Path(__file__).with_name("zygote.py")
#: Longest header or trailer, in bytes; a child that was taken over must not fill the memory with one.
_MOST_TOLD = 64 << 20
_INPUT_ERRORS: Mapping[str, type[InputError]] = {"InputError": InputError, "UnusableFileError": UnusableFileError}
_OUT_OF_TIME = tuple(getattr(signal, name, None) for name in ("SIGALRM", "SIGXCPU"))

Batch = tuple[pa.RecordBatch, Mapping[bytes, bytes]]


class DamagedError(Exception):
    """The parser could make nothing of the file, or died of it; the text says which."""


class Parsing:
    """A child that parses one file: its header at once, then its batches. Close it, or use it as a context.

    Raises
    ------
    InputError
        What the parser raised, or that it ran into a limit.
    DamagedError
        When the file cannot be parsed.
    """

    def __init__(self, kind: str, path: Path, name: str, limits: Limits, **more: Any) -> None:
        self._name, self._limits = name, limits
        size = path.stat().st_size
        request = {
            "kind": kind,
            "path": str(path.resolve()),
            "name": name,
            "limits": asdict(limits),
            "memory_bytes": limits.parser_bytes,
            "seconds": limits.parser_seconds,
            "cpu_seconds": int(limits.parser_seconds + size / limits.parser_bytes_per_second) + 1,
            # What has no limit on its size may unpack to anything, batch by batch.
            "expanded_bytes": None if limits.file_bytes is None else limits.expanded_bytes,
            **more,
        }
        self._child = start_child(request)
        try:
            self.header = self._told()
            if "end" in self.header:
                raise self._error(self.header)
        except BaseException:
            self.close()
            raise

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, each with what is told beside it."""
        try:
            stream = pa.ipc.open_stream(self._child.out)
            while True:
                try:
                    batch, told = stream.read_next_batch_with_custom_metadata()
                except StopIteration:
                    break
                yield batch, dict(told) if told else {}
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise self._died() from error
        trailer = self._told()
        if trailer["end"] != "complete":
            raise self._error(trailer)

    def close(self) -> None:
        """Let go of the child; one that is still at work ends at the next batch that it wants to send."""
        self._child.close()

    def __enter__(self) -> Parsing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _told(self) -> dict[str, Any]:
        head = self._child.out.read(LENGTH.size)
        if len(head) == LENGTH.size and (length := LENGTH.unpack(head)[0]) <= _MOST_TOLD:
            content = self._child.out.read(length)
            if len(content) == length:
                told: dict[str, Any] = json.loads(content)
                return told
        raise self._died()

    def _error(self, told: Mapping[str, Any]) -> Exception:
        if told["end"] == "input":
            error = told["error"]
            problems = [Problem(**problem) for problem in error["problems"]]
            return _INPUT_ERRORS[told["kind"]](error["message"], problems, error["total"], **error["details"])
        if told["end"] == "too large":
            limit = self._limits.expanded_bytes
            said = f"unpacks to {told['found'] / 1e6:,.0f} MB; the limit is {limit / 1e6:,.0f} MB"
            if told["what"] == "row":
                said = f"holds a row of {told['found'] / 1e6:,.0f} MB"
            return UnusableFileError(
                f"{self._name} {said}. Leave out what is not needed, or split it.", file=self._name
            )
        return self._out_of_memory() if told["end"] == "memory" else DamagedError(told["message"])

    def _died(self) -> Exception:
        """Return the error for a child that ended without a word."""
        status = self._child.status()
        if status is not None and -status in _OUT_OF_TIME:
            return UnusableFileError(
                f"{self._name} could not be read: its parser took too long. Save it as CSV, or split it.",
                file=self._name,
            )
        if status == -signal.Signals["SIGKILL"] if "SIGKILL" in signal.Signals.__members__ else False:
            return self._out_of_memory()
        return DamagedError("its parser crashed")

    def _out_of_memory(self) -> UnusableFileError:
        return UnusableFileError(
            f"{self._name} could not be read: its parser needs more than {self._limits.parser_bytes / 1e6:,.0f} MB "
            "of memory. Save it as CSV, or split it.",
            file=self._name,
        )


class Child:
    """A running parser: what it sends, and how it ended."""

    def __init__(self, out: BinaryIO, status: int | subprocess.Popen[bytes]) -> None:
        self.out = out
        self._status = status

    def status(self) -> int | None:
        """Wait for its end; return its exit code or the negative number of its signal, ``None`` when nobody knows."""
        self.out.close()
        if isinstance(self._status, subprocess.Popen):
            return self._status.wait()
        told = os.read(self._status, STATUS.size)
        return int(STATUS.unpack(told)[0]) if len(told) == STATUS.size else None

    def close(self) -> None:
        """Stop listening."""
        self.out.close()
        if isinstance(self._status, subprocess.Popen):
            self._status.kill()
            self._status.wait()
        elif self._status >= 0:
            os.close(self._status)
            self._status = -1


def start_child(request: Mapping[str, Any]) -> Child:
    """Start a parser: forked where the system can, else as a program of its own, which takes half a second more."""
    if _zygote.is_wanted and hasattr(os, "fork") and hasattr(socket, "send_fds"):
        return _zygote.fork(request)
    return spawn(request)


def read_alone() -> None:
    """Let each parser of this process be a program of its own.

    For a process that reads one file and ends: what others would be forked from is memory that nobody needs.
    """
    _zygote.is_wanted = False


def spawn(request: Mapping[str, Any]) -> Child:
    """Start a parser as a program of its own."""
    out, sent = _wide_pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-P", str(_ZYGOTE)],
            stdin=subprocess.PIPE,
            stdout=sent,
            # Ctrl-C is for who reads, who then lets go of it.
            start_new_session=True,
        )
    except BaseException:
        os.close(out)
        raise
    finally:
        os.close(sent)
    assert process.stdin is not None
    with process.stdin as asked:
        asked.write(json.dumps(request).encode() + b"\n")
    return Child(os.fdopen(out, "rb", buffering=_READ_BYTES), process)


class Zygote:
    """The zygote of this process: started when first needed, and again when it has died."""

    def __init__(self) -> None:
        self.is_wanted = True
        self._lock = threading.Lock()
        self._owner = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def warm(self) -> None:
        """Start it, unless it runs."""
        with self._lock:
            self._ready()

    def fork(self, request: Mapping[str, Any]) -> Child:
        """Have a child forked for ``request``."""
        out, sent = _wide_pipe()
        status, told = os.pipe()
        try:
            with self._lock:
                self._ask(json.dumps(request).encode(), [sent, told])
        except BaseException:
            os.close(out)
            os.close(status)
            raise
        finally:
            os.close(sent)
            os.close(told)
        return Child(os.fdopen(out, "rb", buffering=_READ_BYTES), status)

    def _ask(self, message: bytes, descriptors: list[int]) -> None:
        for _ in range(2):
            try:
                asked = self._ready()
                socket.send_fds(asked, [message], descriptors)
                if asked.recv(1):
                    return
            except OSError:
                pass
            # It has died, of a lack of memory or by somebody's hand.
            self.stop()
        raise UnusableFileError("The program that reads such files could not be started. Try again later.")

    def _ready(self) -> socket.socket:
        # A fork of this process must not share its zygote: answers would go astray.
        if self._socket is not None and self._owner == os.getpid():
            return self._socket
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                [sys.executable, "-P", str(_ZYGOTE), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket, self._owner = ours, os.getpid()
        if not ours.recv(1):
            raise ConnectionError("the zygote ended as it began")
        return ours

    def stop(self) -> None:
        """End it, where this process is the one that started it."""
        if self._owner != os.getpid():
            return
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None


def _wide_pipe() -> tuple[int, int]:
    """Return a pipe that holds a megabyte where the system lets it: fewer turns between the two processes."""
    ends = os.pipe()
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


_zygote = Zygote()
atexit.register(_zygote.stop)


def warm_up() -> None:
    """Start what parsers are forked from, so that the first file need not wait for it."""
    if _zygote.is_wanted and hasattr(os, "fork") and hasattr(socket, "send_fds"):
        # Where that fails, the file that needs it says so.
        with suppress(OSError):
            _zygote.warm()


def damaged(name: str, what: str, error: object, advice: str) -> UnusableFileError:
    """Return the error for a file that its parser can make nothing of."""
    return UnusableFileError(f"{name} {what} ({excerpt(str(error).strip())}). {advice}", file=name)
