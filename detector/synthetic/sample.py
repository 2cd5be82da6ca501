"""The sample files: five weeks as CSV, and a note on how they were made."""

from __future__ import annotations

from pathlib import Path

from detector.durable import write_durably
from detector.synthetic.weeks import COLUMN_STORY, WEEKS, generate_week

SAMPLE_ROWS = 2000
SAMPLE_SEED = 7

_NOTE = """# Sample data

Five weeks of card transactions that were made up by `detector/synthetic`; no row comes from a real account.
`python -m detector sample --out sample_data` writes these files again, byte for byte
(seed {seed}, {rows:,} rows a week).

| file | columns | rows | frauds | what happens to the columns |
|---|---|---|---|---|
{table}

Customers have a home city, favourite merchants, usual hours and a usual level of spending; some travel.
`is_fraud` is 1 for

- card testing: tiny amounts on many cards at one online merchant, minutes apart;
- account take-over: dear purchases abroad from a strange device, two or three in a row;
- a bad merchant: round amounts that nobody ordered;
- bursts at night with a copied card, in a city where its owner is not.

Give `is_fraud` the role *label*: the detector never learns from it, it only serves to count what was caught.
`device_score` (0 good to 100 bad) and `ip_distance_km` carry signal about fraud, so learning them pays.
`ip_distance_km` is empty where the card itself was present: a value that is absent by nature, not lost.
"""


def sample_files(*, rows: int = SAMPLE_ROWS, seed: int = SAMPLE_SEED) -> dict[str, bytes]:
    """Return name and content of each sample file: ``week1.csv`` to ``week5.csv`` and ``README.md``."""
    files: dict[str, bytes] = {}
    lines = []
    for week in WEEKS:
        frame = generate_week(week, rows=rows, seed=seed)
        name = f"week{week}.csv"
        files[name] = frame.to_csv(index=False, lineterminator="\n").encode("utf-8")
        frauds = int(frame["is_fraud"].sum())
        lines.append(f"| `{name}` | {frame.shape[1]} | {len(frame):,} | {frauds:,} | {COLUMN_STORY[week]} |")
    files["README.md"] = _NOTE.format(seed=seed, rows=rows, table="\n".join(lines)).encode("utf-8")
    return files


def write_sample(folder: Path, *, rows: int = SAMPLE_ROWS, seed: int = SAMPLE_SEED) -> tuple[Path, ...]:
    """Write the sample files into ``folder``, making it as needed, and return their paths.

    Raises
    ------
    ValueError
        When ``rows`` is out of range.
    OSError
        When the disk refuses.
    """
    paths = []
    for name, content in sample_files(rows=rows, seed=seed).items():
        write_durably(folder / name, content)
        paths.append(folder / name)
    return tuple(paths)
