"""Running the API: one uvicorn process with the limits of the settings, that stops without losing what it accepted.

A stop goes like this. Readiness says no. For ``stop_delay_seconds`` requests are still taken and answered with
``Connection: close``, so that clients go elsewhere by themselves. Then what lies in the queue of the listening socket
is accepted, the socket is closed, and idle connections are closed unless a request lies in them unread. What is under
way has ``stop_seconds`` to finish; jobs stop at their next batch; logs and observations are written. Whatever hangs
then, the process is gone ``EXIT_SECONDS`` after the signal.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import structlog
from uvicorn import Config, Server

from detector.api.application import create_app
from detector.api.connections import Guard, GuardedProtocol, look_after
from detector.service.logs import server_logs
from detector.settings import Settings

#: Seconds after the signal at which the process ends, whatever hangs.
EXIT_SECONDS = 28.0
#: Seconds for which a thread that computes holds the interpreter when the event loop wants it: at Python's own 5 ms
#: single requests beside a batch wait twice as long.
TURN = 0.001
#: Seconds that connections which were accepted last have to send their request.
LAST_WORDS = 0.1

_log = structlog.get_logger(__name__)


def run(settings: Settings | None = None) -> None:
    """Serve the API of the environment's workspace until a signal asks to stop."""
    server(settings or Settings()).run()


def server(settings: Settings) -> ApiServer:
    """Return the server that ``settings`` describe."""
    app = create_app(settings=settings)
    guard = Guard(settings, app.state.capacity)
    config = Config(
        guard.entrance(app),
        host=settings.api_host,
        port=settings.api_port,
        http=guard.protocol,
        ws="none",
        interface="asgi3",
        log_level=settings.log_level.lower(),
        log_config=server_logs(),
        access_log=False,
        # What a request says of the address that it came from is not believed: the socket knows.
        proxy_headers=False,
        backlog=settings.backlog,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    return ApiServer(config, guard, app.state.readiness.close)


class ApiServer(Server):
    """uvicorn's server, with a look after its connections and an end in good order."""

    def __init__(self, config: Config, guard: Guard, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._guard = guard
        self._closing = closing
        self._listeners: list[socket.socket] = []
        self._beginning: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the order to stop; from here on the time runs."""
        if not self.should_exit:
            last = threading.Timer(EXIT_SECONDS, _leave)
            last.daemon = True
            last.start()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for listener in (place for server in self.servers for place in server.sockets):
            own = socket.socket(fileno=os.dup(listener.fileno()))
            own.setblocking(False)
            self._listeners.append(own)
            # uvloop takes one new connection each time that it comes round; with much to do, that is too seldom.
            with suppress(NotImplementedError):  # what watches no sockets, as on Windows, takes all that come
                loop.add_reader(own, self._take_connections, own)

    async def main_loop(self) -> None:
        """Serve, and look after the connections meanwhile and until the end."""
        sys.setswitchinterval(TURN)
        self._looking = asyncio.create_task(look_after(self.server_state.connections))
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as this module says."""
        self._guard.stopping = True
        self._closing()
        await asyncio.sleep(self._guard.settings.stop_delay_seconds)
        await self._close_listeners()
        await asyncio.sleep(LAST_WORDS)
        await super().shutdown(sockets)
        if self._looking is not None:
            self._looking.cancel()

    async def _close_listeners(self) -> None:
        """Stop listening, and take over the connections that the system has accepted until then."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            with suppress(NotImplementedError):  # as it was not added
                loop.remove_reader(listener)
            self._take_connections(listener)
            listener.close()
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _take_connections(self, listener: socket.socket) -> None:
        """Take over the connections that the system has accepted until now."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                accepted.setblocking(False)
                task = loop.create_task(self._begin(accepted))
                self._beginning.add(task)
                task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> GuardedProtocol:
        return self._guard.protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _leave() -> None:
    _log.error("something hung; the process ends without it", seconds=EXIT_SECONDS)
    sys.stderr.flush()
    os._exit(1)
