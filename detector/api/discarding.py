"""What is still to come of a body that nobody wants: taken from the system without being copied or parsed.

Under overload most bodies are refused by their heads, and their bytes come all the same. Read as others are, a
megabyte is copied three times, in a dozen pieces, for each of which the event loop takes the interpreter's lock from
the batch that is being scored. Linux can drop what a socket has received instead, and wait until much of it is there.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

#: Bytes that should be there before they are worth a look.
_AT_ONCE = 1 << 19
#: Where dropped bytes would go; nothing is ever written there.
_NOWHERE = bytearray(1 << 20)

#: Whether this system can do it.
POSSIBLE = sys.platform == "linux"


class Discarding:
    """Takes the next ``remaining`` bytes of a connection whose transport does not read meanwhile.

    They are the socket's own, so what is sent must not be encrypted on this connection; TLS ends in front of the API.
    ``done`` is called once: with ``True`` when all are taken, with ``False`` when the other end has closed. After
    :meth:`stop` it is not called any more.

    Raises
    ------
    OSError
        When the process has no descriptor left.
    """

    def __init__(self, descriptor: int, remaining: int, done: Callable[[bool], None]) -> None:
        self.remaining = remaining
        self._done = done
        # The loop watches a descriptor for its transport already, and takes another one of the same socket.
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._loop = asyncio.get_running_loop()
        self._wait_for(_AT_ONCE)
        self._loop.add_reader(self._socket, self._take)

    def stop(self) -> None:
        """Leave the connection to its transport."""
        self._loop.remove_reader(self._socket)
        self._wait_for(1)
        self._socket.close()

    def _take(self) -> None:
        try:
            taken = self._socket.recv_into(_NOWHERE, min(self.remaining, len(_NOWHERE)), socket.MSG_TRUNC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            taken = 0
        self.remaining -= taken
        if taken and self.remaining:
            self._wait_for(_AT_ONCE)
            return
        self.stop()
        self._done(not self.remaining)

    def _wait_for(self, much: int) -> None:
        # Where a system cannot wait for much, as some that stand in for Linux, it tells of less.
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(1, min(self.remaining, much)))
