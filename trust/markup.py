"""Names, values and notes that would run, lay out or compute something where they are not shown as text."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd

#: Column names, each hostile in a way of its own; none is like another when folded.
COLUMNS = (
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "[link](javascript:window.ran=1)",
    "$\\sqrt{2}$",
    ":material/delete: **bold** `code`",
    "=cmd|' /C calc'!A0",
)
CATEGORIES = ("<b>one</b>", "=1+1", "@SUM(A1)", "# heading", "~~gone~~ :red[red]", "</td><script>window.ran=1</script>")
FORMULAS = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    '=HYPERLINK("http://x","y")',
)
NOTE = "<img src=x onerror=window.ran=1> **bold** $x^2$ :material/delete: =1+1"


def hostile_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table that the detector can learn, with hostile names and categories, and some rows that stand out."""
    rng = np.random.default_rng(seed)
    amounts = rng.lognormal(3, 0.5, rows).round(2)
    amounts[:: max(rows // 12, 1)] *= 400
    return pd.DataFrame(
        {
            COLUMNS[0]: rng.choice(CATEGORIES, rows, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05]),
            COLUMNS[1]: amounts,
            COLUMNS[2]: rng.normal(-100.0, 30.0, rows).round(3),
            COLUMNS[3]: rng.integers(1, 9, rows),
            COLUMNS[4]: rng.choice(["yes", "no"], rows),
            COLUMNS[5]: rng.choice(FORMULAS, rows),
        }
    )


class Elements(HTMLParser):
    """Collects the names of elements and attributes of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found |= {tag, *(f"@{name}" for name, _ in attrs)}

    def handle_data(self, data: str) -> None:
        """Note what is text."""
        self.text += data
