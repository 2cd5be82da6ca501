"""Run a module as a program, and end it when the process that started it is gone: ``child.py MODULE ARGUMENTS``.

Run as a file and not as part of the package, so that it costs nothing to start. See ``serving.py``.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

#: Seconds that the module has to finish after it was asked to.
GRACE = 30.0


def main(module: str, *arguments: str) -> None:
    """Run ``module`` with ``arguments`` until it ends or standard input closes."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _stop_with_parent() -> None:
    """Wait for the parent's end of the pipe to close, then stop this process; the hard way if it does not heed."""
    # Not through sys.stdin: a thread that waits in there holds a lock that the interpreter wants when it ends.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
