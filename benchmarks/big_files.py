"""Files of millions of rows through the real command: rows a second, processor time, memory of all processes together.

    python -m benchmarks.big_files --rows 20000000

Makes its files itself, block by block, as Parquet (parts of a million rows, as most writers make them) and as CSV: ten
columns as transactions have them, or thirty of numbers (``--kinds numbers``). ``python -m detector train`` and
``score`` run as they would by hand. Memory is the sum of what the command and its children hold at one moment,
looked at fifty times a second; pages that they share are counted for each of them. Rates count the whole command, its
start included. The peer reads the same Parquet file by blocks with pandas, encodes texts and times as usual, scores
with scikit-learn's ``IsolationForest`` of as many trees, and writes Parquet; it gets the first ``--peer-rows`` rows.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from benchmarks.common import arguments, report

TRAINED_ROWS, BLOCK_ROWS, PART_ROWS = 100_000, 250_000, 1_000_000
COUNTRIES = np.array(["DE", "FR", "IT", "ES", "NL", "PL", "AT", "BE", "US", "GB"])
CHANNELS = np.array(["chip", "online", "swipe", "phone"])
MERCHANTS = np.array([f"merchant {i:04d}" for i in range(800)])
FIRST_TIME = np.datetime64("2026-01-01", "us")
#: Seconds between two looks at the memory.
LOOK = 0.02
PAGE = os.sysconf("SC_PAGE_SIZE")

PEER = """
import sys
import numpy as np, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import OrdinalEncoder

train, path, out, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
first = pd.read_parquet(train)
texts = [name for name in first if first[name].dtype.kind not in "fiM" and name != "transaction_id"]
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
if texts:
    encoder.fit(first[texts])

def encoded(frame):
    columns = {name: frame[name] for name in frame if frame[name].dtype.kind in "fi"}
    if "time" in frame:
        columns |= {"hour": frame["time"].dt.hour, "weekday": frame["time"].dt.weekday}
    numbers = pd.DataFrame(columns).to_numpy(np.float32)
    return np.hstack([numbers, encoder.transform(frame[texts]).astype(np.float32)]) if texts else numbers

model = IsolationForest(n_estimators=100, contamination=0.1, random_state=0).fit(encoded(first))
writer = None
for batch in pq.ParquetFile(path).iter_batches(65_536):
    if rows <= 0:
        break
    frame = batch.to_pandas()
    scores = -model.score_samples(encoded(frame))
    table = pa.Table.from_pandas(frame.assign(score=scores, flagged=scores > -model.offset_), preserve_index=False)
    writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
    writer.write_table(table)
    rows -= len(frame)
writer.close()
"""


@dataclass(frozen=True)
class Ran:
    """What a command took: seconds by the clock and of the processors, and the most bytes that its processes held."""

    wall: float
    processor: float
    most_bytes: int


def main() -> None:
    """Make the files, run the commands, and print what each took."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000, help="0: no peer")
    parser.add_argument("--kinds", nargs="+", choices=("transactions", "numbers"), default=["transactions", "numbers"])
    parser.add_argument("--formats", nargs="+", choices=("parquet", "csv"), default=["parquet", "csv"])
    parser.add_argument("--folder", type=Path, help="where the files are made; some GB are needed there")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(dir=options.folder) as name:
        for kind in options.kinds:
            rows += measure(Path(name), kind, options.rows, options.formats, options.peer_rows)
    notes = {"rows": options.rows, "rows of the peer": options.peer_rows, "load before": os.getloadavg()[0]}
    report("big_files", rows, options.out, notes=notes, peers=("pyarrow",))


def measure(folder: Path, kind: str, rows: int, formats: list[str], peer_rows: int) -> Iterator[dict[str, Any]]:
    """Yield a line for each way of files in and out, and one for the peer."""
    train, home = folder / f"{kind}-train.parquet", folder / f"{kind}-home"
    home.mkdir()
    write(train, kind, TRAINED_ROWS, seed=0)
    run([sys.executable, "-m", "detector", "train", str(train)], home)
    ways = [(one, other) for one in formats for other in formats if one == "csv" or other == "parquet"]
    for form in formats:
        path = folder / f"{kind}.{form}"
        write(path, kind, rows, seed=1)
        for out_form in [other for one, other in ways if one == form]:
            out = folder / f"scored.{out_form}"
            ran = run([sys.executable, "-m", "detector", "score", str(path), "--out", str(out)], home)
            out.unlink()
            yield line(f"{kind}, {form} to {out_form}", rows, ran)
        if form == "parquet" and peer_rows:
            few, out = min(rows, peer_rows), folder / "peer.parquet"
            ran = run([sys.executable, "-c", PEER, str(train), str(path), str(out), str(few)], home)
            yield line(f"{kind}, parquet to parquet: scikit-learn", few, ran)
        path.unlink()


def line(what: str, rows: int, ran: Ran) -> dict[str, Any]:
    """Return a line of the table."""
    return {
        "what": what,
        "rows": f"{rows:,}",
        "seconds": round(ran.wall, 1),
        "rows a second": f"{rows / ran.wall:,.0f}",
        "processor s per million rows": round(ran.processor / rows * 1e6, 2),
        "MB at most": round(ran.most_bytes / 1e6),
    }


def run(command: list[str], home: Path) -> Ran:
    """Run a command in a workspace and watch it; what it prints is shown when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    environment = os.environ | {"DETECTOR_HOME": str(home), "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        most = 0
        while process.poll() is None:
            most = max(most, held(process.pid))
            time.sleep(LOOK)  # memory is sampled, and looking all the time would take a processor
        wall = time.perf_counter() - begin
        assert process.stdout is not None
        said = process.stdout.read().decode()
    if process.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{said}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Ran(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most)


def held(process: int) -> int:
    """Return the bytes that a process and all that it started hold in memory now."""
    total, processes = 0, [(process, b"")]
    for one, parent in processes:
        # Any of them may end while it is looked at.
        with suppress(OSError, IndexError):
            program = Path(f"/proc/{one}/cmdline").read_bytes()
            # What has not begun its own program yet is in its parent's memory.
            if program == parent:
                continue
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE
            for thread in Path(f"/proc/{one}/task").iterdir():
                processes += [(int(child), program) for child in (thread / "children").read_text().split()]
    return total


def write(path: Path, kind: str, rows: int, seed: int) -> None:
    """Write ``rows`` made-up rows, in memory that does not depend on how many they are."""
    writer: Any = None
    waiting: list[pa.Table] = []
    for start in range(0, rows, BLOCK_ROWS):
        waiting.append(block(kind, start, min(BLOCK_ROWS, rows - start), seed))
        if len(waiting) * BLOCK_ROWS < PART_ROWS and start + BLOCK_ROWS < rows:
            continue
        part = pa.concat_tables(waiting)
        if writer is None:
            make = pq.ParquetWriter if path.suffix == ".parquet" else arrow_csv.CSVWriter
            writer = make(path, part.schema)
        writer.write_table(part)
        waiting.clear()
    writer.close()


def block(kind: str, start: int, rows: int, seed: int) -> pa.Table:
    """Return the rows from ``start`` on."""
    rng = np.random.default_rng([seed, start])
    if kind == "numbers":
        return pa.table({f"x{at}": rng.normal(at, 1 + at, rows).round(4) for at in range(30)})
    numbers = np.arange(start, start + rows)
    times = FIRST_TIME + (numbers * 1_500_000 + rng.integers(0, 1_000_000, rows)).astype("timedelta64[us]")
    return pa.table({
        "transaction_id": [f"T{number:011d}" for number in numbers.tolist()],
        "time": pa.array(times, pa.timestamp("us")).cast(pa.timestamp("s", "UTC"), safe=False),
        "amount": np.exp(rng.normal(3.5, 1.2, rows)).round(2),
        "balance": rng.normal(2_000, 700, rows).round(2),
        "age_days": rng.integers(0, 4_000, rows),
        "tries": rng.poisson(1.2, rows),
        "distance": rng.exponential(20.0, rows).round(3),
        "country": COUNTRIES[np.minimum(rng.geometric(0.3, rows), 10) - 1],
        "channel": CHANNELS[rng.integers(0, 4, rows)],
        "merchant": MERCHANTS[(5.0 * rng.pareto(1.0, rows)).astype(np.int64) % 800],
    })  # fmt: skip


if __name__ == "__main__":
    main()
