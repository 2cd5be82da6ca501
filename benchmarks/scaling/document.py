"""The tables of a document, written anew between marks from the figures beside it."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.scaling.drawing import picture
from benchmarks.scaling.planning import plan
from benchmarks.scaling.results import Results, known_axes
from benchmarks.scaling.telling import axis_table, conditions

_PART = re.compile(r"(<!-- figures: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rewritten(text: str, results: Results) -> str:
    """Return the document with what stands between ``<!-- figures: NAME -->`` and ``<!-- end -->`` told anew.

    NAME is an axis, or ``plan``. A part of which nothing was measured stays as it is.
    """
    parts = {name: f"{axis_table(results, name)}\n\n{conditions(results, name)}" for name, _ in known_axes(results)}
    parts["plan"] = plan(results)

    def told(found: re.Match[str]) -> str:
        return f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}" if found[2] in parts else found[0]

    return _PART.sub(told, text)


def beside(document: Path) -> tuple[Path, Path]:
    """Return where a document's figures and its picture lie."""
    return document.with_suffix(".json"), document.with_suffix(".svg")


def rewrite(document: Path) -> None:
    """Write a document's tables and its picture anew from the figures beside it."""
    figures, drawn = beside(document)
    results = Results.read(figures)
    document.write_text(rewritten(document.read_text(), results))
    drawn.write_text(picture(results))
