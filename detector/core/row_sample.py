"""A bounded sample of rows that merges: the rows of least priority, whoever met them and in whatever order.

Each row has a priority, a hash that is as good as random. The *k* rows with the least are a uniform sample without
repeats, and those of two parts of a table are among those of each part (bottom-k sampling: E. Cohen and H. Kaplan,
"Summarizing data using bottom-k sketches", PODC 2007). Where the priority follows from what names a row, the sample is
the same, bit for bit, however the table is cut into parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.arrow_reading import keys_of_array
from detector.core.entity_keys import Keys
from detector.core.kernels import behaviour as kernels

#: So many times the rows that are kept may wait before the rest is let go.
WAITING = 2
_FIELDS = frozenset({"most", "seen", "carriers", "priorities", "ties", "table"})


@dataclass(frozen=True, eq=False)
class RowSample:
    """The rows of least priority, and how many were seen.

    Parameters
    ----------
    most : rows that are kept.
    seen : rows that were seen.
    carriers : whether a further row is kept for each column that none of these rows has a value in.
    priorities, ties : (k,) uint64; of rows with the same priority, the one with the least tie comes first.
    values : the rows, as Arrow holds them; ``None`` before the first.
    """

    most: int
    seen: int = 0
    carriers: bool = False
    priorities: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    ties: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    values: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.priorities)

    def with_rows(self, table: pa.Table, priorities: Keys) -> RowSample:
        """Return the sample with the rows of ``table`` (n) let in, which have these ``priorities`` (n,).

        Between rows that share a priority, what they hold decides.
        """
        seen = self.seen + table.num_rows
        if len(self) >= self.most:
            last = np.partition(self.priorities, self.most - 1)[self.most - 1]
            chosen = priorities <= last
            if self.carriers:
                chosen |= self._carried(table, self.priorities <= last)
            table, priorities = table.filter(pa.array(chosen)), priorities[chosen]
        if not table.num_rows:
            return replace(self, seen=seen)
        grown = self._joined(priorities, contents_of(table), table)
        return replace(grown if len(grown) <= WAITING * self.most else grown.bounded(), seen=seen)

    def merged(self, other: RowSample) -> RowSample:
        """Return the sample of both parts.

        Raises
        ------
        ValueError
            When the two keep different numbers of rows.
        """
        if (self.most, self.carriers) != (other.most, other.carriers):
            raise ValueError("samples of different sizes cannot be merged")
        both = self if other.values is None else self._joined(other.priorities, other.ties, other.values)
        return replace(both.bounded(), seen=self.seen + other.seen)

    def bounded(self) -> RowSample:
        """Return the sample in the order of the priorities, without what it need not keep."""
        if self.values is None:
            return self
        order = np.lexsort((self.ties, self.priorities))
        kept, left = order[: self.most], order[self.most :]
        if self.carriers and len(left):
            kept = np.concatenate([kept, self._carriers(kept, left)])
        return replace(
            self, priorities=self.priorities[kept], ties=self.ties[kept], values=self.values.take(pa.array(kept))
        )

    def table(self) -> pa.Table:
        """Return the rows, those of least priority first; an empty table when none was seen."""
        found = self.bounded().values
        return pa.table({}) if found is None else found

    def to_content(self) -> dict[str, Any]:
        """Return the sample as builtins and arrays."""
        sink = pa.BufferOutputStream()
        if self.values is not None:
            with pa.ipc.new_stream(sink, self.values.schema) as writer:
                writer.write_table(self.values)
        return {
            "most": self.most, "seen": self.seen, "carriers": self.carriers, "priorities": self.priorities.copy(),
            "ties": self.ties.copy(), "table": sink.getvalue().to_pybytes(),
        }  # fmt: skip

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the sample that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When it is anything else.
        """
        found = stored.fields(content, _FIELDS, "a sample of rows")
        values = pa.ipc.open_stream(found["table"]).read_all() if found["table"] else None
        if len({0 if values is None else values.num_rows, len(found["priorities"]), len(found["ties"])}) > 1:
            raise stored.damaged("the parts of a sample differ in length")
        return cls(
            stored.whole_number(found, "most"), stored.whole_number(found, "seen"), bool(found["carriers"]),
            found["priorities"], found["ties"], values,
        )  # fmt: skip

    def _joined(self, priorities: Keys, ties: Keys, table: pa.Table) -> RowSample:
        values = table if self.values is None else pa.concat_tables([self.values, table], promote_options="permissive")
        return replace(
            self,
            priorities=np.concatenate([self.priorities, priorities]),
            ties=np.concatenate([self.ties, ties]),
            values=values,
        )

    def _carriers(self, kept: NDArray[np.intp], left: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return, for each column in which no ``kept`` row has a value, the first of those ``left`` that has one."""
        assert self.values is not None
        found: list[int] = []
        for column in self.values.columns:
            has = _has_value(column)
            if not has[kept].any() and has[left].any():
                found.append(int(left[np.argmax(has[left])]))
        return np.array(sorted(set(found), key=found.index), np.intp)

    def _carried(self, table: pa.Table, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows have a value in a column in which none of the ``kept`` ones has."""
        assert self.values is not None
        chosen = np.zeros(table.num_rows, bool)
        for name in table.column_names:
            if not _has_value(self.values[name])[kept].any():
                chosen |= _has_value(table[name])
        return chosen


def _has_value(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    null = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    return ~np.asarray(null.to_numpy(zero_copy_only=False), bool) if isinstance(null, pa.Array) else ~null.to_numpy()


def priorities_by_key(table: pa.Table, key: tuple[str, ...], seed: int) -> Keys:
    """Return (n,) priorities that follow from what names the rows: the values of the ``key`` columns."""
    told = np.full(table.num_rows, _seeded(seed), np.uint64)
    for name in key:
        told = kernels.scrambled(told ^ keys_of_array(table[name]))
    return told


def priorities_by_place(part: int, first: int, rows: int, seed: int) -> Keys:
    """Return (n,) priorities that follow from where the rows lie: ``first`` and on, in one ``part`` of the table."""
    base = kernels.scrambled(np.array([_seeded(seed) ^ np.uint64(part)], np.uint64))
    return np.asarray(kernels.scrambled(base ^ np.arange(first, first + rows, dtype=np.uint64)))


def contents_of(table: pa.Table) -> Keys:
    """Return (n,) hashes of all that the rows hold; rows that hold the same have the same."""
    told = np.zeros(table.num_rows, np.uint64)
    for name in sorted(table.column_names):
        told = kernels.scrambled(told ^ keys_of_array(table[name]))
    return told


def _seeded(seed: int) -> np.uint64:
    found: Keys = kernels.scrambled(np.array([seed], np.uint64))
    return np.uint64(found[0])
