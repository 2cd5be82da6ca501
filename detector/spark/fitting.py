"""A first training on a DataFrame of any size: one pass for the columns and the sample, one more for each entity."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import types as spark

from detector.core.arrow_reading import keys_of_array, read_array
from detector.core.entity_plans import Plan
from detector.core.model import DynamicAnomalyDetector
from detector.core.parameters import MOST_SAMPLES, seed_from, settings_for
from detector.core.row_sample import contents_of
from detector.core.sample import rows_to_keep
from detector.core.summarised import Begun, EntitySummary, begin
from detector.core.table_summary import TableSummary
from detector.errors import InputError
from detector.spark.aggregating import merged
from detector.spark.ordering import in_order
from detector.spark.sampling import Sampler
from detector.spark.tables import check_free, check_named, quoted, usable_columns

_PRIORITY, _TIE = "priority of the row", "tie of the row"


def fit(rows: DataFrame, *, key: str | Sequence[str] | None = None, **parameters: Any) -> DynamicAnomalyDetector:
    """Return a detector that has learned from all ``rows``.

    Each partition is summed up where it lies: statistics of each column, and the rows of least priority, from which
    bags and calibration rows are drawn. Summaries merge, so the driver holds some of them and never the rows.

    The columns' statistics are those of a training on one machine: exact for counts, ranges and up to 10,000
    categories, but for rounding for means, and within the error of their sketch for quantiles and greater numbers of
    different values. What needs the values themselves (whether a column is skewed, what texts look like) is told from
    the sample. A counter is a column that only grows within each partition.

    Parameters
    ----------
    rows : a batch DataFrame. Nested columns and bytes are left out.
    key : one or more columns that together name a row. Then the same rows are sampled however they are partitioned and
        ordered. By default the column with the role id in ``roles``; without one, rows are named by their place in
        their partition, and the same rows are sampled as long as the partitions are the same.
    parameters : of :class:`DynamicAnomalyDetector`. Where ``roles`` name an entity, its rows are brought together once
        more, in the order of their times, to be compared with what came before them.

    Warns
    -----
    UserWarning
        When rows of the sample were not met again as they are brought together, because no key names them and they
        came otherwise the second time. They are learned without a comparison; the warning says how many they are.

    Raises
    ------
    InputError
        When the rows cannot be learned from, are a stream, or lack a column of ``key`` or ``roles``; when Spark takes
        the names of two columns for one; when what was learned is too large for ``spark.driver.maxResultSize``.
    ValueError
        When a parameter is out of range.
    """
    if rows.isStreaming:
        raise InputError("A stream has no end to train at. Train on a batch DataFrame, and update by batches.")
    model = DynamicAnomalyDetector(**parameters)
    checked = model._checked_parameters()
    roles = dict(model.roles or {})
    usable = usable_columns(rows)
    check_named(roles, rows, "A role is given for")
    keys = _key(key, roles)
    check_named(keys, rows, "The key names")
    seed = seed_from(model.random_state)
    bags = settings_for(checked, MOST_SAMPLES, seed)
    most = rows_to_keep(len(usable), bags.n_estimators * bags.max_samples)
    sampler = Sampler(most, seed, keys)
    check_free((_PRIORITY, _TIE), rows, "one that the rows of an entity are named by")
    chosen = rows.select(*map(quoted, usable))

    def summarised(part: int, batches: Iterable[pa.RecordBatch]) -> TableSummary:
        summary = TableSummary({}, sampler.begun())
        for batch in batches:
            table = pa.Table.from_batches([batch])
            summary = summary.with_columns(table, sampler.let_in(summary.sample, table, part), roles)
        return summary.finished()

    summary = merged(chosen, summarised, TableSummary)
    settings = settings_for(checked, summary.sample.seen, seed)
    begun = begin(summary, settings, roles)
    entities = tuple(_entities(chosen, plan, begun, sampler) for plan in begun.plans)
    return model._begin_with(begun.fitted(settings, roles, entities), seed, usable)


def _key(key: str | Sequence[str] | None, roles: Mapping[str, str]) -> tuple[str, ...]:
    if key is None:
        return tuple(name for name, role in roles.items() if role == "id")[:1]
    return (key,) if isinstance(key, str) else tuple(key)


def _entities(rows: DataFrame, plan: Plan, begun: Begun, sampler: Sampler) -> EntitySummary:
    """Return what the entities of one column did, and how the rows of the sample compare with it.

    Rows of one entity go to one partition, where they come by time; of equal times, by their priority.
    """
    priorities = begun.summary.sample.priorities
    last = int(priorities[-1]) if len(priorities) else 0
    named = _named(rows, sampler)
    columns = [*dict.fromkeys(plan.sources), _PRIORITY, _TIE]
    ordered = in_order(named.select(*map(quoted, columns)), plan.entity, plan.time, (_PRIORITY, _TIE))

    def compared(part: int, batches: Iterable[pa.RecordBatch]) -> EntitySummary:  # noqa: ARG001
        summary = EntitySummary.begun(plan)
        for batch in batches:
            source = dict(zip(batch.schema.names, batch.columns, strict=True))
            events = plan.events(source, read_array, keys_of_array)
            assert events is not None
            found = summary.histories.advance(events)[:, [comparison.place for comparison in plan.comparisons]]
            summary = summary.with_compared(found, _unsigned(source[_PRIORITY]), _unsigned(source[_TIE]), last)
        return summary

    found = merged(ordered, compared, EntitySummary)
    _warn_of_lost(found.lost(priorities, begun.summary.sample.ties), len(priorities), plan.entity)
    return found


def _warn_of_lost(lost: int, sampled: int, entity: str) -> None:
    if lost:
        warnings.warn(
            f"{lost:,} of the {sampled:,} sampled rows were not met again when the rows of each {entity} were brought"
            " together, and are learned without a comparison with what it usually does. The rows came otherwise the"
            " second time. Name a column that tells rows apart (key=), or write the rows to files and train on these.",
            UserWarning,
            stacklevel=5,  # where fit was called
        )


def _named(rows: DataFrame, sampler: Sampler) -> DataFrame:
    """Return rows with what names them in the sample, as signed numbers of the same bits."""
    schema = spark.StructType(
        [*rows.schema.fields, *(spark.StructField(name, spark.LongType(), False) for name in (_PRIORITY, _TIE))]
    )

    def named(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        part, first = 0 if context is None else context.partitionId(), 0
        for batch in batches:
            table = pa.Table.from_batches([batch])
            priorities = sampler.priorities(table, part, first)
            # Behind a shuffle another row may stand in the same place: its contents tell that it is another one.
            ties = contents_of(table)
            first += table.num_rows
            added = [pa.array(numbers.view(np.int64)) for numbers in (priorities, ties)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *added], [*batch.schema.names, _PRIORITY, _TIE])

    return rows.mapInArrow(named, schema)


def _unsigned(column: pa.Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64).view(np.uint64)
