"""Logs: one JSON object a line on stderr, without rows, values or paths of the user."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import structlog

from detector.service.redaction import guard_standard_logs, redact
from detector.service.request_context import add_context

if TYPE_CHECKING:
    from detector.core.alignment import AlignmentReport

#: For ``uvicorn --log-config``; requests are written by the API itself, without their path.
SERVER_LOGS = Path(__file__).with_name("server_logs.json")
#: Seconds for which the same missing features of the same version are not logged again.
QUIET = 60.0
#: Sets of missing features remembered; beyond, the memory starts anew.
MOST_REMEMBERED = 1_000

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_log = structlog.get_logger(__name__)


def configure_logs(level: Level = "INFO") -> None:
    """Send the logs of this package to stderr as JSON. Called once by each program, never on import.

    What libraries log through the standard library is told where to go by ``server_logs``.
    """
    structlog.configure(
        processors=[
            *_shared_processors(),
            # Without local variables: they hold rows of the user.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            *_last_processors(),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        # Not kept on first use: several programs may run one after the other in a process, each with its own stderr.
        cache_logger_on_first_use=False,
    )
    guard_standard_logs()


def json_formatter() -> logging.Formatter:
    """Return a formatter that writes the standard library's log records as this package's own lines."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            *_shared_processors(),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=()),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            *_last_processors(),
            structlog.processors.JSONRenderer(),
        ],
    )


def server_logs() -> dict[str, Any]:
    """Return the ``logging.config`` under which all loggers, those of web servers among them, write JSON to stderr."""
    found: dict[str, Any] = json.loads(SERVER_LOGS.read_bytes())
    return found


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last_processors() -> list[Any]:
    """Return what looks at a line, exceptions included, before it is written."""
    return [redact]


class MissingLog:
    """Warns of learned features that rows do not carry: once a minute for each set of them."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, tuple[str, ...]], float] = {}

    def tell(self, version: int, report: AlignmentReport) -> None:
        """Log the missing features of ``report``, each with the default that stands in where a value is shown."""
        missing = report.missing
        if not missing:
            return
        now = monotonic()
        if now < self._told.get((version, missing), 0.0):
            return
        if len(self._told) > MOST_REMEMBERED:
            self._told.clear()
        self._told[version, missing] = now + QUIET
        defaults = {column.name: column.default for column in report.columns if column.status == "missing"}
        _log.warning("features missing", version=version, defaults=defaults, importance=report.importance_carried)
