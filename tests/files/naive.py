"""Slow, plain twins of what the package does fast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A record of delimited text: the line it begins in, its cells, and whether text follows a closing quote."""

    line: int
    cells: list[str]
    after_quote: bool = False


@dataclass(frozen=True)
class OpenQuote:
    """A quote that never closes, and the line where it opens."""

    line: int


def records(text: str, delimiter: str) -> list[Record] | OpenQuote:
    """Take ``text`` apart one character at a time; blank lines are no records."""
    found = []
    at, line = 0, 1
    while at < len(text):
        begin, cells, quoted, after_quote = line, [], False, False
        while True:
            if text[at : at + 1] == '"':
                quoted = True
                opened, cell, at = line, "", at + 1
                while text[at : at + 1] != '"' or text[at : at + 2] == '""':
                    if at >= len(text):
                        return OpenQuote(opened)
                    if text[at : at + 2] == '""':
                        cell, at = cell + '"', at + 2
                        continue
                    line += text[at] == "\n" or (text[at] == "\r" and text[at + 1 : at + 2] != "\n")
                    cell, at = cell + text[at], at + 1
                at += 1
                rest = _until(text, at, delimiter)
                after_quote |= rest > at
                at = rest
            else:
                end = _until(text, at, delimiter)
                cell, at = text[at:end], end
            cells.append(cell)
            if text[at : at + 1] != delimiter:
                break
            at += 1
        if at < len(text):
            at += 2 if text[at : at + 2] == "\r\n" else 1
            line += 1
        if quoted or len(cells) > 1 or cells[0].strip(" \t"):
            found.append(Record(begin, cells, after_quote))
    return found


def _until(text: str, at: int, delimiter: str) -> int:
    while at < len(text) and text[at] not in (delimiter, "\r", "\n"):
        at += 1
    return at
