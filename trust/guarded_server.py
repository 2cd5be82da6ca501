"""The API behind a real socket, started as the product starts it, in a thread of this process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn

from detector.api import create_app
from detector.service.workspace import Workspace


@contextmanager
def running(ws: Workspace) -> Iterator[tuple[str, int]]:
    """Serve a workspace on a free port of this machine until the end; give host and port."""
    place = socket.create_server(("127.0.0.1", 0))
    # As the product's own command line has it: what a request says of its address is not believed.
    config = uvicorn.Config(create_app(ws), log_config=None, access_log=False, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([place],))
    thread.start()
    try:
        yield "127.0.0.1", place.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        place.close()
