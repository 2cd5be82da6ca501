"""Columns that a detector has noticed and not learned: registered by it, or by others that share what they count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detector.core import observing
from detector.core.alignment import AlignmentReport
from detector.core.frames import Rows, as_frame, holds_columns
from detector.core.holding import FittedEstimator
from detector.core.later import pd

#: Rows of observed columns that may wait to be counted.
_ROWS_WAITING = 256


class Noticing(FittedEstimator):
    """The part of the detector that registers columns which rows carry and it does not know."""

    def observe(self, rows: Rows, report: AlignmentReport | None = None) -> None:
        """Register the columns of ``rows`` that the model does not know, and begin their statistics.

        They take part in scores after an update. May be called by many threads.
        """
        known = self._fitted()
        names = observing.worth_counting(known.schema, (report or known.align(as_frame(rows)).report).new)
        if not names:
            return
        if isinstance(rows, Mapping) and not holds_columns(rows) and all(name in rows for name in names):
            batch = pd.DataFrame({name: pd.Series([rows[name]], dtype=object) for name in names})
        else:
            batch = as_frame(rows)[names].copy()
        with self._lock:
            self._waiting.append(batch)
            unknown = any(name not in self._state.schema.by_name for name in names)
            if unknown or sum(map(len, self._waiting)) >= _ROWS_WAITING:
                self._count_waiting()

    def counted(self, rows: Sequence[Mapping[str, Any]], told: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return what is to be told of the columns of ``rows`` that the model does not know; it stays as it is.

        Parameters
        ----------
        rows : a row counts for the columns that it has, so that it does not matter which rows are counted together.
        told : by column, what others with the same model have counted so far; these rows are added to it.

        Raises
        ------
        ModelFileError
            When the bytes are damaged.
        """
        self._flush()
        known = self._fitted()
        columns = {name: [row[name] for row in rows if name in row] for name in known.align(as_frame(rows)).report.new}
        batches = [pd.DataFrame({name: pd.Series(values, dtype=object)}) for name, values in columns.items()]
        return observing.counted(known, batches, self.roles or {}, told)

    def be_told(self, told: Iterable[bytes]) -> None:
        """Take what :meth:`counted` returned elsewhere for what is known of those columns, in place of what was.

        May be called by many threads.

        Raises
        ------
        ModelFileError
            When the bytes are damaged.
        """
        self._flush()
        with self._lock:
            self._become(observing.knowing(self._state, told))
