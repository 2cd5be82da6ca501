"""One look at all rows of a DataFrame, by which it is decided how its columns are read."""

from __future__ import annotations

from pyspark.sql import DataFrame

from detector.core.fixed_reading import FixedReading, decided, remembered
from detector.core.row_sample import RowSample
from detector.errors import InputError
from detector.spark.aggregating import merged
from detector.spark.sampling import Sampler
from detector.spark.shipping import Model, as_detector
from detector.spark.tables import quoted, usable_columns

#: Rows that are looked at; of fewer, all.
ROWS_LOOKED_AT = 8_192


def survey(rows: DataFrame, model: Model) -> FixedReading:
    """Return how the columns of ``rows`` are read by a model, decided once for all rows; runs one job.

    Under which name a column came, in which unit, whether it holds another type or other categories than in training,
    is told from 8,192 rows that are drawn from all of them, or from all if they are no more, and from further rows
    that carry what these do not. ``reading.report`` says what was found, as :meth:`DynamicAnomalyDetector.alignment`
    does; its counts are of the rows that were looked at.

    Raises
    ------
    InputError
        When the DataFrame is a stream, or two columns have the same name.
    ModelFileError, NotTrainedError, NoKnownColumnsError
    """
    if rows.isStreaming:
        raise InputError("A stream cannot be looked at beforehand: score it without a reading.")
    known = as_detector(model)._fitted()
    usable = usable_columns(rows)
    sampler = Sampler(ROWS_LOOKED_AT, seed=0, key=(), carriers=True)
    found = merged(rows.select(*map(quoted, usable)), sampler, RowSample)
    # Of a table without rows nothing was found, and nothing has to be.
    return decided(known, found.table().to_pandas(), usable) if found.seen else remembered(known, usable)
