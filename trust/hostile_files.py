"""Files that pretend to be models and would rather do something else: each writes to a canary if it gets to run."""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from detector.core import archive


class Runs:
    """Pickles to a call of ``function``."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def sealed(payload: bytes) -> bytes:
    """Return an envelope around ``payload`` in which everything is right, as somebody who knows the format makes it."""
    return archive._dump(
        {
            "format": archive.FORMAT,
            "version": archive.FORMAT_VERSION,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "payload": payload,
        }
    )


def hostile_files(canary: Path) -> dict[str, bytes]:
    """Return the files by what they try; what any of them runs makes ``canary``."""
    touch = f"touch '{canary}'"
    python = f"open({str(canary)!r}, 'w').close()"
    command = Runs(os.system, touch)
    huge = struct.pack("<Q", 2**62)
    listed: Any = command
    for _ in range(40):
        listed = [{"deeper": listed}]
    return {
        "a command": pickle.dumps(command),
        "a command in protocol 0": pickle.dumps(command, protocol=0),
        "eval": pickle.dumps(Runs(eval, python)),
        "exec in protocol 2": pickle.dumps(Runs(exec, python), protocol=2),
        "a command among plain values": pickle.dumps({"format": archive.FORMAT, "version": 2, "more": command}),
        "a command deep inside": pickle.dumps(listed),
        "a command under a memo": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c"
        + bytes([len(touch)])
        + touch.encode()
        + b"\x94\x85\x94R\x94.",
        "a chain of attributes": pickle.dumps(Runs(getattr, Runs(__import__, "os"), "system")),
        "an instance of protocol 0": b"(S'" + touch.encode() + b"'\nios\nsystem\n.",
        "an array of objects": pickle.dumps(np.array([command], object)),
        "joblib with a command": _joblib({"rows": np.arange(8.0), "more": command}),
        "joblib with an array of objects": _joblib(np.array([command], object)),
        "joblib packed with zlib": _joblib({"more": command}, compress=("zlib", 9)),
        "joblib packed with lzma": _joblib({"more": command}, compress=("lzma", 3)),
        "a bomb of zlib": zlib.compress(bytes(1 << 26), 9),
        "a bomb of bzip2": bz2.compress(bytes(1 << 26), 9),
        "a zip of a pickle": _zip({"model.joblib": pickle.dumps(command)}),
        "a zip of arrays with objects": _arrays(command),
        "an array file with objects": _array(command),
        "an array of joblib that maps a file": _memory_map(canary),
        "bytes of a claimed length": b"\x80\x04\x8e" + huge + b"abc.",
        "a text of a claimed length": b"\x80\x04\x8d" + huge + b"abc.",
        "a frame of a claimed length": b"\x80\x04\x95" + huge + b"K\x01.",
        "a place in the memo far away": b"\x80\x04K\x01r\xff\xff\xff\xff.",
        "a byte array of a claimed length": b"\x80\x05\x96" + huge + b"abc.",
        "ten lists of ten lists and so on": b"\x80\x04]\x94"
        + b"".join(b"](" + (b"h" + bytes([level])) * 10 + b"e\x94" for level in range(30))
        + b".",
        "a hundred thousand lists in each other": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
        "a persistent object": b"\x80\x04Pabc\n.",
        "an extension of the registry": b"\x80\x04\x82\x01.",
        "a buffer from elsewhere": b"\x80\x05\x97.",
    }


def _joblib(value: object, **options: Any) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out, **options)
    return out.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


def _arrays(value: object) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, rows=np.array([value], object))
    return out.getvalue()


def _array(value: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([value], object), allow_pickle=True)
    return out.getvalue()


def _memory_map(canary: Path) -> bytes:
    """Return a pickle that opens a file for writing as a memory map, which numpy does on construction."""
    return pickle.dumps(Runs(np.memmap, str(canary), "uint8", "w+", 0, (1,)))
