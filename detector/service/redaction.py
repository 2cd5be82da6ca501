"""What never reaches a log: keys of the API, passwords in addresses, and numbers that could be those of payment cards.

A card's number has 13 to 19 digits, in groups or not, whose check digit fits (Luhn, ISO/IEC 7812-1). One in ten other
numbers of that length fits as well and goes with them; the digits of a log are not worth a card.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from detector.store.addresses import without_password

HIDDEN_CARD = "[card number]"
#: Deeper than this nothing is looked through; it is left out.
DEEPEST = 8
_LEFT_OUT = "[left out]"

# Whatever stands where a secret does, also when it was cut short or lost its underscore.
_KEY = re.compile(r"(dak_[0-9a-z]{0,12})([0-9a-z_]*)", re.IGNORECASE)
_RUN = re.compile(r"(?<![0-9])[0-9]+(?:[ \u00a0-][0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
#: Cards are written in groups of at least so many digits.
_LEAST_IN_GROUP = 3
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def redacted_text(text: str) -> str:
    """Return ``text`` without secrets of keys, passwords and card numbers; a key's public id stays."""
    return _RUN.sub(_cards_hidden, _KEY.sub(_secret_hidden, without_password(text) if "://" in text else text))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Processor of structlog: hide what must not be logged, in names and values alike, however deep."""
    return {redacted_text(str(name)): _redacted(value, 0) for name, value in event.items()}


class RedactingFilter(logging.Filter):
    """The same for the standard library's logs, such as those of the server: put it on each handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide what must not be logged; every record goes on."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # A message that does not fit its arguments: neither is worth a secret.
            message = str(record.msg)
        record.msg, record.args = redacted_text(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redacted_text(record.exc_text)
        return True


def guard_standard_logs() -> None:
    """Put the filter on all handlers that the standard library's loggers have now; again does no harm."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if not any(isinstance(one, RedactingFilter) for one in handler.filters):
                handler.addFilter(RedactingFilter())


def is_card_like(digits: str) -> bool:
    """Whether 13 to 19 digits have a check digit that fits."""
    if not 13 <= len(digits) <= 19:
        return False
    numbers = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def _secret_hidden(found: re.Match[str]) -> str:
    public, rest = found.groups()
    return f"{public}_[secret]" if rest.strip("_") else found.group()


def _cards_hidden(found: re.Match[str]) -> str:
    """Hide each card's number in a run of groups of digits, whatever other groups stand beside it."""
    text = found.group()
    groups = [group.span() for group in _GROUP.finditer(text)]
    hidden: list[tuple[int, int]] = []
    first = 0
    while first < len(groups):
        digits, last = "", first
        while last < len(groups) and len(digits) < 19 and groups[last][1] - groups[last][0] >= _LEAST_IN_GROUP:
            digits += text[slice(*groups[last])]
            last += 1
            if is_card_like(digits):
                hidden.append((groups[first][0], groups[last - 1][1]))
        first += 1
    for begin, end in _merged(hidden):
        text = text[:begin] + HIDDEN_CARD + text[end:]
    return text


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans that do not overlap and cover the same, the last first."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged[::-1]


def _redacted(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return HIDDEN_CARD if is_card_like(str(abs(value))) else value
    if isinstance(value, float):
        return HIDDEN_CARD if value.is_integer() and is_card_like(f"{abs(value):.0f}") else value
    if depth >= DEEPEST:
        return _LEFT_OUT
    if isinstance(value, Mapping):
        return {redacted_text(str(name)): _redacted(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner, depth + 1) for inner in value]
    return redacted_text(repr(value) if isinstance(value, bytes) else str(value))
