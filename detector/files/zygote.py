"""The process from which parsers are forked: ``zygote.py SOCKET``, or ``zygote.py`` for one request of standard input.

Importing what parses takes half a second, forking a process that has imported it some milliseconds. A server with
threads cannot be forked safely; this process has none. It is run as a file, and imports only what parsing needs. When
the process that started it is gone its socket closes, and it ends.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

#: How a child ended: its exit code, or the negative number of the signal that ended it.
STATUS = struct.Struct("<i")
_MOST_BYTES = 1 << 16


def main(arguments: list[str]) -> None:
    """Serve the socket of that file descriptor until it closes; without one, do what standard input asks for."""
    # Arrow's own allocators reserve more addresses than a limit on them would leave.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    _bare_packages()
    if arguments:
        _serve(socket.socket(fileno=int(arguments[0])))
    else:
        _parse(json.loads(sys.stdin.buffer.readline()), 1)


def _bare_packages() -> None:
    """Let modules of the package be imported without the package's own beginning, which loads all of it."""
    here = Path(__file__).resolve().parent
    for name, folder in (("detector", here.parent), ("detector.files", here)):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _serve(requests: socket.socket) -> None:
    from detector.files import parsing  # noqa: F401 - so that children have it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    watched: dict[int, int] = {}
    requests.sendall(b"\1")
    while True:
        ready, _, _ = select.select([requests.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
        _reap(watched)
        if requests.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(requests, _MOST_BYTES, 2)
        if not message:
            return
        out, status = descriptors
        child = os.fork()
        if child == 0:
            requests.close()
            for inherited in (wake, woken, status, *watched.values()):
                os.close(inherited)
            signal.set_wakeup_fd(-1)
            _parse(json.loads(message), out)
        os.close(out)
        watched[child] = status
        requests.sendall(b"\1")


def _parse(request: dict[str, Any], out: int) -> None:
    """Parse, and end this process."""
    from detector.files import parsing

    for name in ("SIGPIPE", "SIGCHLD", "SIGINT"):
        if hasattr(signal, name):
            # Who is no longer listened to ends at its next word.
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    # What libraries say as they fail may repeat the file's content.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with os.fdopen(out, "wb", buffering=1 << 16) as sink:
        parsing.parse(request, sink)
    os._exit(0)


def _reap(watched: dict[int, int]) -> None:
    """Tell of the children that have ended how they ended."""
    while watched:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        told = watched.pop(child)
        try:
            os.write(told, STATUS.pack(os.waitstatus_to_exitcode(status)))
        except BrokenPipeError:
            pass  # nobody asked
        finally:
            os.close(told)


if __name__ == "__main__":
    main(sys.argv[1:])
