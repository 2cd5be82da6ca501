"""nginx with the configuration of ``deploy/nginx``, in front of replicas on this machine, on a free port."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trust.database_server import LEASH
from trust.serving import free_port

CONFIGURATION = Path(__file__).resolve().parents[1] / "deploy" / "nginx"
#: Seconds that nginx has to listen, or to end.
PATIENCE = 20
_SERVER = re.compile(r"^ *server +\S+( +max_fails[^;]*;)\n", re.MULTILINE)


class NginxMissingError(RuntimeError):
    """nginx is not installed."""


def program() -> str | None:
    """Return where nginx is, or ``None`` when it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Nginx:
    """A running nginx: where it listens, and the folder of its configuration, temporary files and logs."""

    port: int
    folder: Path

    @property
    def requests(self) -> str:
        """Its log of requests."""
        return (self.folder / "requests.log").read_text(errors="replace")

    @property
    def errors(self) -> str:
        """What it has complained of."""
        return (self.folder / "errors.log").read_text(errors="replace")


@contextmanager
def nginx(folder: Path, replicas: Sequence[int], *, change: tuple[str, str] = ("", "")) -> Iterator[Nginx]:
    """Run nginx in front of the ports ``replicas`` until the end of the context; ``folder`` must not be there yet.

    ``change``: what is replaced in the configuration by what, to break it on purpose.

    Raises
    ------
    NginxMissingError
        When it is not installed.
    """
    found = program()
    if found is None:
        raise NginxMissingError("nginx was not found. Install Debian's package nginx-light.")
    port = free_port()
    write_configuration(folder, port, replicas, change)
    command = [found, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "requests.log").open("ab") as requests, (folder / "errors.log").open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - nginx and our own arguments
            ["/bin/sh", "-c", LEASH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=requests,
            stderr=errors,
            start_new_session=True,
        )
    running = Nginx(port, folder)
    try:
        until = time.monotonic() + PATIENCE
        while not (folder / "nginx.pid").is_file() or not (folder / "nginx.pid").read_text().strip():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"nginx did not start: {running.errors}")
            time.sleep(0.01)
        yield running
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)


def write_configuration(folder: Path, port: int, replicas: Sequence[int], change: tuple[str, str] = ("", "")) -> None:
    """Write the configuration of ``deploy/nginx`` for these ports of this machine to the new folder ``folder``."""
    folder.mkdir()
    whole = (CONFIGURATION / "nginx.conf").read_text()
    upstream = (CONFIGURATION / "replicas.conf").read_text()
    if change[0]:
        assert change[0] in whole + upstream
        whole, upstream = whole.replace(*change), upstream.replace(*change)
    whole = whole.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    (options, *_) = _SERVER.findall(upstream)
    servers = "".join(f"    server 127.0.0.1:{replica}{options}\n" for replica in replicas)
    first = _SERVER.search(upstream)
    assert first is not None
    upstream = upstream[: first.start()] + servers + _SERVER.sub("", upstream[first.start() :])
    (folder / "nginx.conf").write_text(whole)
    (folder / "replicas.conf").write_text(upstream)
