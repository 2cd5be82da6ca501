"""Logs: one JSON object a line on stderr, without rows, values or paths of the user."""

from __future__ import annotations

import logging
import sys
from time import monotonic
from typing import Literal

import structlog

from detector.core.alignment import AlignmentReport
from detector.service.redaction import guard_standard_logs, redact

#: Seconds for which the same missing features of the same version are not logged again.
QUIET = 60.0
#: Sets of missing features remembered; beyond, the memory starts anew.
MOST_REMEMBERED = 1_000

_log = structlog.get_logger(__name__)


def configure_logs(level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO") -> None:
    """Send this package's logs to stderr as JSON. Called once by each program, never on import."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without local variables: they hold rows of the user.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        # Not kept on first use: several programs may run one after the other in a process, each with its own stderr.
        cache_logger_on_first_use=False,
    )
    guard_standard_logs()


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
