"""What the end of a Parquet file says of its values, so that they need not be read twice.

Writers keep, for each part of a column, how many values are missing and between which bounds the others lie. Where all
parts say so, the type of most columns is known before their values are. It is a claim: who reads the values checks it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

#: A file of more parts of columns than this would take longer to ask than to read.
_MOST_PARTS = 200_000


@dataclass(frozen=True)
class Claim:
    """What a file claims of a column: its missing values, and the bounds of the others.

    Bounds are given for whole numbers and floats only, and are ``None`` where every value is missing. NaN is neither
    missing nor within bounds.
    """

    nulls: int
    least: float | None = None
    most: float | None = None


def claims(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, Claim]:
    """Return the claims on those columns of which every part has them."""
    parts = metadata.num_row_groups
    # Nested columns have several leaves; such a file is refused anyway.
    if metadata.num_columns != len(schema) or parts * len(schema) > _MOST_PARTS:
        return {}
    found: dict[str, Claim] = {}
    for at, field in enumerate(schema):
        ranged = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        claim: Claim | None = Claim(0)
        for part in range(parts):
            claim = None if claim is None else _with(claim, metadata.row_group(part).column(at), ranged)
        if claim is not None:
            found[field.name] = claim
    return found


def _with(claim: Claim, part: pq.ColumnChunkMetaData, ranged: bool) -> Claim | None:
    statistics = part.statistics
    if statistics is None or not statistics.has_null_count:
        return None
    nulls = claim.nulls + statistics.null_count
    if not ranged or statistics.null_count == part.num_values:
        return Claim(nulls, claim.least, claim.most)
    if not statistics.has_min_max or not isinstance(statistics.min, int | float):
        return None
    least, most = statistics.min, statistics.max
    if claim.least is None or claim.most is None:
        return Claim(nulls, least, most)
    return Claim(nulls, min(least, claim.least), max(most, claim.most))
