"""What a first training needs to know of a table: a summary of each column and a sample of the rows; both merge.

The summary of a whole table follows from those of its parts. Rows, absent values, ranges, distinct counts and the
weights of up to 10,000 categories are then those of one pass exactly; means and deviations but for rounding; quantiles
within the error of :class:`~detector.core.quantile_digest.QuantileDigest`. Which rows are sampled depends on what
names them alone, see :mod:`detector.core.row_sample`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from detector.core import content as stored
from detector.core.arrow_reading import read_array
from detector.core.column_summary import ColumnSummary, SummaryFacts
from detector.core.judging import Facts
from detector.core.reading import Reading
from detector.core.row_sample import RowSample
from detector.core.statistics import FeatureStatistics, Kind


@dataclass(frozen=True, eq=False)
class TableSummary:
    """What is known of a table, or of a part of it.

    Parameters
    ----------
    columns : by name.
    sample : of the rows.
    """

    columns: Mapping[str, ColumnSummary]
    sample: RowSample

    def with_columns(self, table: Any, sample: RowSample, roles: Mapping[str, str]) -> TableSummary:
        """Return the summary with the rows of an Arrow table let in, which ``sample`` has let in already."""
        columns = dict(self.columns)
        for name in table.column_names:
            before = columns.get(name) or ColumnSummary.begun(name, table[name].type, roles.get(name))
            columns[name] = before.with_values(table[name].combine_chunks())
        return TableSummary(columns, sample)

    def merged(self, other: TableSummary) -> TableSummary:
        """Return the summary of both parts."""
        columns = dict(self.columns)
        for name, theirs in other.columns.items():
            columns[name] = columns[name].merged(theirs) if name in columns else theirs
        return TableSummary(columns, self.sample.merged(other.sample))

    def finished(self) -> TableSummary:
        """Return the summary with the sample in order, for one that no more rows come to."""
        return replace(self, sample=self.sample.bounded())

    def to_content(self) -> dict[str, Any]:
        """Return the summary as builtins and arrays."""
        columns = [{"name": name, "column": column.to_content()} for name, column in self.columns.items()]
        return {"columns": columns, "sample": self.sample.to_content()}

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the summary that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When it is anything else.
        """
        found = stored.fields(content, frozenset({"columns", "sample"}), "the summary of a table")
        columns = {each["name"]: ColumnSummary.from_content(each["column"]) for each in found["columns"]}
        return cls(columns, RowSample.from_content(found["sample"]))

    # What a first training asks, see detector.core.founding.Columns

    @property
    def names(self) -> Iterable[str]:
        """The names of the columns."""
        return self.columns

    def facts(self, name: str) -> Facts:
        """Return what tells a column's kind and role."""
        values = self.sample.table()[name].drop_null().to_pylist()
        return SummaryFacts(self.columns[name], values, self.sample.seen)

    def reading(self, name: str, kind: Kind) -> Reading:
        """Return a column's values in the rows of the sample."""
        return read_array(self.sample.table()[name], kind)

    def statistics(self, name: str, reading: Reading) -> FeatureStatistics:
        """Return the statistics of all rows."""
        return self.columns[name].as_kind(reading.kind)
