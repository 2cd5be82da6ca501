from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

RUNNER = Path(__file__).parents[1] / "detector" / "child.py"


def start(folder: Path, module: str, code: str, *arguments: str) -> subprocess.Popen[str]:
    (folder / f"{module}.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, "-P", str(RUNNER), module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(folder)},
    )


def test_a_module_runs_as_a_program_with_its_arguments(tmp_path: Path) -> None:
    code = "import sys\nprint(__name__, sys.argv[1:])\nsys.exit(3)"
    with start(tmp_path, "told", code, "a", "--b") as process:
        assert process.stdout is not None
        assert process.stdout.read() == "__main__ ['a', '--b']\n"
    assert process.returncode == 3


def test_it_is_asked_to_stop_when_standard_input_closes(tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('asked'))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    with start(tmp_path, "waits", code) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(60) == 1


def test_a_module_without_a_handler_ends_by_the_signal(tmp_path: Path) -> None:
    with start(tmp_path, "plain", "import signal\nprint('ready', flush=True)\nsignal.pause()\n") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(60) == -signal.SIGTERM
