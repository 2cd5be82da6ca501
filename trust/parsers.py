"""A process that reads files as the server does, and parsers that do what hostile files make parsers do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parent.parent
#: How a parser may end: by a fault of its own, out of memory, running for ever, or standing still.
WAYS = ("crash", "memory", "spin", "hang")

#: The zygote with another parser in it.
_STAND_IN = """
import importlib.util, os, signal, sys, time
path = {zygote!r}
spec = importlib.util.spec_from_file_location("zygote", path)
zygote = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zygote)
zygote._bare_packages()
from detector.files import parsing

def stand_in(request):
    {hostile}
    yield

parsing._parquet = stand_in
zygote._bare_packages = lambda: None
zygote.main(sys.argv[1:])
"""
#: What a hostile file makes of the process that parses it.
_HOSTILE = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "memory": "held = bytearray(1 << 40)",
    "spin": "while True: pass",
    "hang": "time.sleep(3600)",
}
#: Reads files one by one and says of each what came of it; with a line of Python before it to break it.
_READER = """
import sys, orjson, psutil
{broken}
from pathlib import Path
from detector.errors import DetectorError
from detector.files import Limits, ReadOptions, open_table
from detector.files import apart
{stand_in}
limits = Limits(**orjson.loads(sys.argv[1]))
me = psutil.Process()
for line in sys.stdin:
    try:
        table = open_table(Path(line.strip()), name="sent.parquet", options=ReadOptions(limits=limits))
        told = "read " + str(sum(len(frame) for frame in table.batches()))
    except DetectorError as error:
        told = "refused " + error.message
    print(orjson.dumps([told, me.memory_info().rss]).decode(), flush=True)
"""
#: The parser in the process of its caller, as it would be without one of its own.
IN_PROCESS = """
import io, os, signal, time
from detector.files import apart, parsing
parsing._limit = parsing._timed = lambda *_: None
def together(request):
    out = io.BytesIO()
    {hostile}
    parsing.parse(request, out)
    out.seek(0)
    return apart.Child(out, -1)
apart.start_child = together
"""


class Reader:
    """A process that reads one file after the other; the context ends it."""

    def __init__(self, folder: Path, *, way: str = "", together: bool = False, **limits: float) -> None:
        broken = IN_PROCESS.format(hostile=_HOSTILE.get(way, "pass")) if together else ""
        stand_in = ""
        if way and not together:
            zygote = folder / "zygote_stand_in.py"
            real = str(ROOT / "detector" / "files" / "zygote.py")
            zygote.write_text(_STAND_IN.format(zygote=real, hostile=_HOSTILE[way]))
            stand_in = f"apart._ZYGOTE = Path({str(zygote)!r})"
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _READER.format(broken=broken, stand_in=stand_in), orjson.dumps(limits).decode()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def read(self, path: Path) -> tuple[str, int] | None:
        """Return what came of a file, and the bytes of memory held after it; ``None`` when the process has died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(str(path).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        if not line:
            return None
        told, memory = orjson.loads(line)
        return str(told), int(memory)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
