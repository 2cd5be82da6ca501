"""What a worker does with a partition of which a sample of rows is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from detector.core.entity_keys import Keys
from detector.core.row_sample import RowSample, priorities_by_key, priorities_by_place


@dataclass(frozen=True)
class Sampler:
    """Samples the rows of one partition.

    Parameters
    ----------
    most : rows that are kept.
    seed : of the priorities.
    key : columns that name a row; without, rows are named by their place in the partition.
    carriers : see :class:`RowSample`.
    """

    most: int
    seed: int
    key: tuple[str, ...] = ()
    carriers: bool = False

    def begun(self) -> RowSample:
        """Return a sample of no rows."""
        return RowSample(self.most, carriers=self.carriers)

    def let_in(self, sample: RowSample, table: pa.Table, part: int) -> RowSample:
        """Return the sample with the next rows of a partition let in."""
        return sample.with_rows(table, self.priorities(table, part, sample.seen))

    def priorities(self, table: pa.Table, part: int, first: int) -> Keys:
        """Return the priorities of rows (n,) of which so many of the same partition came before."""
        if self.key:
            return priorities_by_key(table, self.key, self.seed)
        return priorities_by_place(part, first, table.num_rows, self.seed)

    def __call__(self, part: int, batches: Iterable[pa.RecordBatch]) -> RowSample:
        """Return the sample of a partition."""
        sample = self.begun()
        for batch in batches:
            sample = self.let_in(sample, pa.Table.from_batches([batch]), part)
        return sample.bounded()
