"""Documents in HTML that need nothing else: no script, no picture, no address; everything in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape

import pandas as pd

from detector.core.wording import value_text

# Nothing is fetched and nothing runs: what is shown comes from files that anybody may have written.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif; color: #1f2933;
  background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: 0 0 .2rem; }}
h2 {{ font-size: 1.1rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid #d5dbe1; padding-bottom: .2rem; }}
p.note {{ color: #55606c; margin: .3rem 0; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #e1e6eb;
  overflow-wrap: break-word; }}
th {{ font-weight: 600; color: #55606c; }}
td.n {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
thead {{ display: table-header-group; }}
tr {{ break-inside: avoid; }}
h2 {{ break-after: avoid; }}
@media print {{ body {{ margin: 0; max-width: none; font-size: 10px; }} div {{ overflow: visible; }}
  @page {{ margin: 15mm; }} }}
</style>
</head>
<body>
"""


def document(title: str, purpose: str, sections: Mapping[str, str]) -> str:
    """Return a whole document; ``sections`` maps titles to HTML that :func:`table` and :func:`note` made."""
    head = f"<h1>{safe(title)}</h1>\n{note(purpose)}"
    parts = (_section(name, content) for name, content in sections.items())
    return f"{_HEAD.format(title=escape(title))}{head}{''.join(parts)}</body>\n</html>\n"


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{safe(title)}</h2>\n{content}</section>\n"


def note(text: str) -> str:
    """Return a remark in grey."""
    return f"<p class=note>{safe(text)}</p>\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; every cell is escaped."""
    head = "".join(f"<th>{safe(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>\n" for row in rows)
    return f"<div><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"<td{' class=n' if number else ''}>{safe(plain(value))}</td>"


def plain(value: object) -> str:
    """Return a value as text, with all its digits."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:  # noqa: PLR0124 - only nan differs from itself
        return "no value"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    # Digits are evidence: unlike elsewhere nothing is rounded.
    return value_text(value) if isinstance(value, bool) else str(value)


def safe(value: object) -> str:
    """Return text for HTML; what cannot be seen, or turns the direction of reading, is replaced."""
    text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value))
    return f"<bdi>{escape(text)}</bdi>" if not text.isascii() else escape(text)
