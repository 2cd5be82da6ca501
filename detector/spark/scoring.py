"""Scores beside the rows of a DataFrame: a transformation that keeps all columns, batch or streaming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql
from pyspark.sql import types as spark

from detector.core.entity_plans import Plan
from detector.core.fitted import Fitted
from detector.core.fixed_reading import FixedReading, Rows, compared, events_of, remembered
from detector.core.forest import score_from_path
from detector.core.histories import EntityHistories
from detector.core.scoring import paths_of
from detector.errors import InputError
from detector.spark.ordering import in_order
from detector.spark.shipping import Model, Shipped, as_detector, ship
from detector.spark.surveying import survey
from detector.spark.tables import check_carried, check_free, check_named, quoted, usable_columns

Entities = Literal["as known", "in order"]
_EACH = "list of the row"

#: The columns that are added, in this order.
ADDED = spark.StructType(
    [
        spark.StructField("anomaly_score", spark.DoubleType(), False),
        spark.StructField("severity", spark.DoubleType(), False),
        spark.StructField("flagged", spark.BooleanType(), False),
        spark.StructField("model_version", spark.StringType(), False),
        spark.StructField("scored_without", spark.ArrayType(spark.StringType(), False), False),
        spark.StructField("unreadable", spark.ArrayType(spark.StringType(), False), False),
        spark.StructField("unseen", spark.ArrayType(spark.StringType(), False), False),
    ]
)


def score(
    rows: DataFrame,
    model: Model,
    *,
    cutoff: float | None = None,
    reading: FixedReading | None = None,
    entities: Entities = "as known",
    version: str | None = None,
) -> DataFrame:
    """Return ``rows`` with what the detector says of each beside all of its columns.

    What is said of a row depends on the row, the model and the ``reading``, never on partitions or batches; it equals,
    bit for bit, what :meth:`DynamicAnomalyDetector.score` says of all rows in one frame that is read the same way.

    Added are ``anomaly_score`` in (0, 1), ``severity`` (0-100), ``flagged``, ``model_version``, and three lists of
    feature names: ``scored_without`` (its value or its whole column is lacking, so the row was scored without it),
    ``unreadable`` (it held something that cannot be read) and ``unseen`` (a category that training had not).

    Parameters
    ----------
    rows : a DataFrame; of a stream as well.
    model : a trained detector, or the path of its file.
    cutoff : 0-100, the severity above which a row is flagged; by default the model's own.
    reading : how the columns are read, from :func:`survey`. By default a batch DataFrame is surveyed now, which runs a
        job over it; a stream is read as the model remembers its columns, as single records are.
    entities : what the rows of an entity that a person named are compared with. ``"as known"``: each with what the
        model knows of its entity, and with no other row. ``"in order"``: also with the earlier rows of the DataFrame,
        as in a file; its rows are moved so that those of an entity come together, by time. Not for streams.
    version : what to call the model in ``model_version``; by default the SHA-256 of its file.

    Raises
    ------
    InputError
        When a column has the name of one that is added, or two columns have the same name, as Spark compares names;
        when a column holds spans of months, which Spark cannot hand to Python; when ``"in order"`` is asked of a
        stream.
    ModelFileError, NotTrainedError, NoKnownColumnsError
    ValueError
        When the cutoff is not a severity, or ``entities`` is neither of the two.
    """
    if entities not in get_args(Entities):
        raise ValueError(f"entities must be {' or '.join(map(repr, get_args(Entities)))}, not {entities!r}.")
    detector = as_detector(model)
    limit = detector._checked_cutoff(cutoff)
    usable = usable_columns(rows)
    check_free(ADDED.names, rows, "one that scoring adds")
    check_carried(rows)
    known = detector._fitted()
    if reading is None:
        reading = remembered(known, usable) if rows.isStreaming else survey(rows, detector)
    shipped = ship(detector, rows.sparkSession)
    schema = rows.schema
    plans = dict(enumerate(known.behaviour.plans)) if known.behaviour is not None else {}
    underived = [place for place, plan in plans.items() if not any(name in schema.names for name in plan.names)]
    if entities == "in order" and underived:
        if rows.isStreaming:
            raise InputError(
                'Rows of a stream cannot be put in order. Score it with entities="as known", and let the rows into the'
                " histories by updates."
            )
        for place in underived:
            if all(name in {*usable, *reading.ways} for name in (plans[place].entity, plans[place].time)):
                rows = _followed(rows, plans[place], shipped, reading, place)
    scorer = _Scorer(shipped, reading, limit, version or shipped.digest, tuple(schema.names))
    return rows.mapInArrow(scorer, spark.StructType([*schema.fields, *ADDED.fields]))


def told(scored: DataFrame, by: str | None = None) -> DataFrame:
    """Return how many of the scored rows lacked which feature, could not be read in it, or held a category not seen.

    The columns are ``what`` (scored_without, unreadable, unseen), ``feature`` and ``rows``. One line more, ``what`` =
    scored without a feature, counts all rows: a feature that so many were scored without did not come at all. Of a
    stream it is a running count.

    Parameters
    ----------
    by : a column of the rows, such as the file that they came from; then it comes first, and all is told of each of
        its values.

    Raises
    ------
    InputError
        When ``by`` is no column, or is called like one of those that are returned.
    """
    named = () if by is None else (by,)
    check_named(named, scored, "Rows are to be told by")
    if by is not None:
        check_free(("what", "feature", "rows"), scored.select(quoted(by)), "one that is returned")
    lists = [sql.struct(sql.lit(name).alias("what"), sql.col(name).alias("features")) for name in ADDED.names[-3:]]
    nothing = sql.array(sql.lit(None).cast("string"))
    lists.append(sql.struct(sql.lit("scored").alias("what"), nothing.alias("features")))
    groups = [sql.col(quoted(name)) for name in named]
    each = scored.select(*groups, sql.explode(sql.array(*lists)).alias(_EACH)).select(
        *groups, sql.col(f"`{_EACH}`.what"), sql.explode(f"`{_EACH}`.features").alias("feature")
    )
    return each.groupBy(*groups, "what", "feature").agg(sql.count(sql.lit(1)).alias("rows"))


@dataclass(frozen=True)
class _Scorer:
    """What a worker does with the batches of a partition."""

    shipped: Shipped
    reading: FixedReading
    cutoff: float
    version: str
    kept: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = self.shipped.fitted()
        for batch in batches:
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns |= _derived(known, self.reading, columns)
            kept = [columns[name] for name in self.kept]
            found = self.reading.aligned(known, columns)
            yield pa.RecordBatch.from_arrays([*kept, *self._said(known, found)], [*self.kept, *ADDED.names])

    def _said(self, known: Fitted, rows: Rows) -> list[pa.Array]:
        paths, severities, _, _ = paths_of(known, rows.aligned)
        names = pa.array([feature.name for feature in known.schema.learned], pa.string())
        n = len(paths)
        return [
            pa.array(score_from_path(paths)),
            pa.array(severities),
            pa.array(severities > self.cutoff),
            pa.repeat(pa.scalar(self.version), n),
            *(_lists(marks, names) for marks in (rows.without, rows.unreadable, rows.unseen)),
        ]


def _lists(marks: NDArray[np.bool_], names: pa.Array) -> pa.Array:
    """Return, for each row of ``marks`` (n, features), the list of the names that are marked."""
    ends = np.concatenate([[0], np.cumsum(marks.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), names.take(pa.array(np.nonzero(marks)[1])))


def _derived(known: Fitted, reading: FixedReading, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the derived features that are not there yet: each row compared with what is known of its entity."""
    if known.behaviour is None:
        return {}
    source: dict[str, Any] | None = None
    found: dict[str, Any] = {}
    for plan, histories in zip(known.behaviour.plans, known.behaviour.histories, strict=True):
        if any(name in columns for name in plan.names):
            continue
        source = source or reading.in_known_terms(known, columns)
        events = events_of(plan, source)
        if events is not None:
            found |= compared(plan, events, histories.looked_up(events), source)
    return found


# Rows in the order of an entity's times


def _followed(rows: DataFrame, plan: Plan, shipped: Shipped, reading: FixedReading, place: int) -> DataFrame:
    """Return rows with the features that are derived from one entity, each compared with earlier rows as well.

    Rows of one entity go to one partition, where they come by time; of equal times, by what tells rows apart.
    """
    names = {name: reading.ways[name].column if name in reading.ways else name for name in plan.sources}
    tied = [names[name] for name in (plan.identity, plan.amount, *plan.firsts) if name and names[name] in rows.columns]
    together = in_order(rows, names[plan.entity], names[plan.time], tied)
    priced = plan.amount is not None and names[plan.amount] in rows.columns
    derived = [comparison.name for comparison in plan.comparisons if priced or not comparison.needs_amount]
    check_free(derived, rows, "a feature that is derived here")
    fields = [spark.StructField(name, spark.DoubleType(), True) for name in derived]
    return together.mapInArrow(
        _Follower(shipped, reading, place, tuple(derived)), spark.StructType([*rows.schema.fields, *fields])
    )


@dataclass(frozen=True)
class _Follower:
    """What a worker does with a partition that holds all rows of its entities, by time."""

    shipped: Shipped
    reading: FixedReading
    place: int
    derived: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = self.shipped.fitted()
        assert known.behaviour is not None
        plan, histories = known.behaviour.plans[self.place], known.behaviour.histories[self.place]
        apart = EntityHistories(histories.columns, histories.most)
        for batch in batches:
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            source = self.reading.in_known_terms(known, columns)
            events = events_of(plan, source)
            if events is None:
                raise AssertionError("the columns of the entity were there before")
            found = compared(plan, events, histories.followed(events, apart), source)
            columns |= {name: found[name] for name in self.derived}
            yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
