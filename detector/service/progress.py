"""How long work tells how far it is, and learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called at each batch of long work.

    ``done_rows`` rows of ``total_rows`` (``None`` while unknown) are finished, ``message`` says what is being done.
    Raises :class:`~detector.errors.Cancelled` when a person asked for the work to stop; the caller then leaves
    nothing behind.
    """

    def __call__(self, done_rows: int, total_rows: int | None, message: str) -> None:
        """Report, and raise ``Cancelled`` when asked to stop."""
        ...


def no_progress(done_rows: int, total_rows: int | None, message: str) -> None:
    """Take a report and do nothing with it; for callers that cannot wait and watch."""
