"""Processes that checks start and kill.

A zygote has imported the product and loaded its compiled code; it forks a process for each call of
:meth:`Children.start`, which takes milliseconds instead of seconds. A child tells what it has done by lines in a file,
which a kill cannot take back, writes what is logged beside it, and ends by itself after a while.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

#: Seconds after which a child ends by itself.
LIFE = 900
_TREE = Path(__file__).resolve().parent.parent

#: Tells the starter something; what is told before a kill is known after it.
Tell = Callable[[Any], None]


class ChildProcess:
    """A child: its process id, and what it has told so far."""

    def __init__(self, zygote: Children, pid: int, told: Path) -> None:
        self.pid = pid
        self._zygote = zygote
        self._told = told
        self._code: int | None = None

    def told(self) -> list[Any]:
        """Return what the child has told, line by line; a line that a kill cut off does not count."""
        lines = self._told.read_bytes().split(b"\n")[:-1] if self._told.is_file() else []
        return [json.loads(line) for line in lines]

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        # Until it is waited for, an ended process is a zombie.
        return self._code is None and Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"

    def send(self, what: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, what)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, patience: float = LIFE) -> int:
        """Wait until it has ended and return its exit code, negative for a signal; raises ``TimeoutError``."""
        # Not in the zygote, which others need meanwhile.
        until = time.monotonic() + patience
        while self.running:
            if time.monotonic() > until:
                raise TimeoutError(f"process {self.pid} does not end")
            time.sleep(0.002)
        if self._code is None:
            self._code = self._zygote.ask({"wait": self.pid})
        return self._code


class Children:
    """A zygote and the processes that it forks. Use it from one thread at a time."""

    def __init__(self) -> None:
        self._numbers = count()
        self._lock = threading.Lock()
        # A folder of this process: several runs of the tests may go on side by side.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trust.children"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_TREE,
        )
        self.ask(None)

    def start(self, target: str, folder: Path, **arguments: Any) -> ChildProcess:
        """Fork a process that calls ``target`` (``trust.p05_kills:work``) with a ``tell`` and plain arguments.

        ``folder`` takes what it tells.
        """
        told = folder / f"told-{next(self._numbers)}.jsonl"
        pid = self.ask({"start": target, "told": str(told), "arguments": arguments})
        return ChildProcess(self, pid, told)

    def ask(self, what: Any) -> int:
        """Send the zygote an order and return its number."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            stdin.write(json.dumps(what).encode() + b"\n")
            stdin.flush()
            return int(stdout.readline())

    def close(self) -> None:
        """End the zygote; it ends what it has forked."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@cache
def children() -> Children:
    """Return the zygote of this process; it ends with it."""
    zygote = Children()
    atexit.register(zygote.close)
    return zygote


def named(target: str) -> Callable[..., Any]:
    """Return the function that ``module:name`` names."""
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _zygote() -> None:
    _warm()
    out = sys.stdout.buffer
    # What is printed by accident must not be taken for an answer.
    sys.stdout = sys.stderr
    alive: set[int] = set()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        answer = 0
        if order is not None and "start" in order:
            answer = os.fork()
            if answer == 0:
                _run(order)
            alive.add(answer)
        elif order is not None:
            alive.discard(order["wait"])
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        out.write(b"%d\n" % answer)
        out.flush()
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _run(order: Any) -> None:
    signal.alarm(LIFE)
    # The orders are the zygote's to read.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(f"{order['told']}.log", flags, 0o666), 2)
    file = os.open(order["told"], flags, 0o666)
    code = 1
    try:
        named(order["start"])(lambda what: os.write(file, json.dumps(what).encode() + b"\n"), **order["arguments"])
        code = 0
    except BaseException:  # noqa: BLE001 - a child's end is its exit code
        traceback.print_exc()
    finally:
        os._exit(code)


def _warm() -> None:
    """Import what children need and load compiled code, without a thread that a fork would lose."""
    import numpy as np
    import pandas as pd

    import detector.api.running
    import detector.service.jobs
    import detector.service.review.cases  # noqa: F401
    from detector.api.warming import warm_up
    from detector.core.model import DynamicAnomalyDetector

    random = np.random.default_rng(0)
    frame = pd.DataFrame({"amount": random.gamma(2.0, 30.0, 80), "country": random.choice(["DE", "FR"], 80)})
    model = DynamicAnomalyDetector(n_estimators=8).fit(frame)
    model.partial_fit(frame[:20])
    model.score(frame)
    DynamicAnomalyDetector.from_bytes(model.to_bytes()).explain(frame[:5])
    warm_up(None)


if __name__ == "__main__":
    # Under its own name, so that what children import is this very module.
    import_module("trust.children")._zygote()
