"""An object store that speaks S3, in this process: moto's server on loopback, and a bucket for each test."""

from __future__ import annotations

import os
import urllib.request
from itertools import count
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from detector.store.model_cache import ModelCache
from detector.store.model_objects import ObjectStore

#: What the environment says to whoever is to use it; the secret is looked for where it must not be.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "someone",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see",
    "AWS_DEFAULT_REGION": "us-east-1",
    # What the machine itself has set is none of the tests' business.
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}
_NUMBERS = count(1)


class ObjectServer:
    """A server on a port of its own; all of a process hold the same buckets, so one can stop and another go on."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def make_bucket(self) -> str:
        """Return the address of a new bucket."""
        name = f"test-{next(_NUMBERS)}"
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/{name}", method="PUT")
        urllib.request.urlopen(asked).close()
        return f"s3://{name}"

    def stop(self) -> None:
        """Stop, and refuse connections from now on."""
        self._server.stop()
        assert self._server._server is not None
        self._server._server.server_close()


#: The connection of each server's address: making one costs a third of a second of processor time.
_CONNECTIONS: dict[str, Any] = {}


def object_store(address: str, cache: ModelCache) -> ObjectStore:
    """Return a store on the server that the environment names, over a connection that stores of other tests share."""
    models, server = ObjectStore(address, cache), os.environ["AWS_ENDPOINT_URL"]
    if server in _CONNECTIONS:
        models._opened = _CONNECTIONS[server], address.removeprefix("s3://")
    else:
        _CONNECTIONS[server] = models._open()[0]
    return models


def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Not to be asked by way of a proxy.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
