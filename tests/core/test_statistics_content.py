"""Statistics as they are told and kept: ready for JSON, read back exactly, and refused where the content is damaged."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from detector.core.statistics import FeatureStatistics
from detector.errors import ModelFileError
from tests.summaries import as_bytes, counted, lognormal, numeric

SAMPLES: dict[str, FeatureStatistics] = {
    "nothing": FeatureStatistics.empty("numeric"),
    "few numbers": numeric([1.0, 2.5, math.nan, -3.0]),
    "many numbers": numeric(lognormal(5_000)).updated_numeric(lognormal(10), decay=0.5),
    "times": numeric([1.7e9, 1.7e9 + 60.0], kind="datetime"),
    "categories": counted({"a": 3, "b\ud800": 1, "": 2}, absent=2),
    "booleans": counted({"true": 3}, kind="boolean"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_summary_is_json_ready(name: str) -> None:
    summary = SAMPLES[name].summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert list(summary) == [
        *("kind", "rows", "missing", "mean", "std", "min", "max"),
        *("q01", "q05", "q25", "median", "q75", "q95", "q99", "distinct", "top"),
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_read_back_goes_on_exactly_like_what_was_written(name: str) -> None:
    statistics = SAMPLES[name]
    content = statistics.to_content()
    read = FeatureStatistics.from_content(content)
    assert as_bytes(read) == as_bytes(statistics)

    def onward(one: FeatureStatistics) -> FeatureStatistics:
        if one.kind in {"numeric", "datetime"}:
            return one.updated_numeric(lognormal(900), decay=0.9)
        return one.updated_categorical(["true"], np.array([2]), 1, decay=0.9)

    assert as_bytes(onward(read)) == as_bytes(onward(statistics))


NUMBERS_CONTENT = SAMPLES["few numbers"].to_content()


DIGEST, MOMENTS = NUMBERS_CONTENT["digest"], NUMBERS_CONTENT["moments"]


CATEGORIES_CONTENT = SAMPLES["categories"].to_content()


NAMES = CATEGORIES_CONTENT["categories"]


BOOLEANS = SAMPLES["booleans"].to_content()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "exactly the fields"),
        ([1, 2], "exactly the fields"),
        ({k: v for k, v in NUMBERS_CONTENT.items() if k != "rows"}, "exactly the fields"),
        (NUMBERS_CONTENT | {"extra": 1}, "exactly the fields"),
        (NUMBERS_CONTENT | {"kind": "text"}, "kind of a feature is unknown"),
        (NUMBERS_CONTENT | {"kind": ["numeric"]}, "kind of a feature is unknown"),
        (NUMBERS_CONTENT | {"kind": "categorical"}, "values of another kind"),
        (NUMBERS_CONTENT | {"rows": -1}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"rows": True}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"rows": 4.0}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"absent": math.nan}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"absent": -1.0}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"absent": "1"}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"moments": None}, "do not add up"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"weight": 7.0}}, "do not add up"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"weight": 0.0}}, "weight is not a finite number"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"m2": -1.0}}, "m2 is not a finite number"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"mean": 99.0}}, "outside of its range"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"maximum": 2.0}}, "outside of its range"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": [1.0]}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros((3, 1))}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(3, np.float32)}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(1025)}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.array([1.0, math.inf, 2.0])}}, "not finite"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(2)}}, "differ in length"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"weights": np.array([0.0, 1.0, 2.0])}}, "not above 0"),
        (NUMBERS_CONTENT | {"hashes": np.array([2, 1], np.uint64)}, "do not rise"),
        (NUMBERS_CONTENT | {"hashes": np.zeros(2, np.int64)}, "hashes is not a list"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ("a", "b", "c")}}, "not a list of texts"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a", "b", 3]}}, "not a list of texts"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a", "b", "a"]}}, "do not match"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a"]}}, "do not match"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"weights": np.array([1.0, 0.0, 1.0])}}, "not above 0"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"other": -1.0}}, "other is not a finite number"),
        (CATEGORIES_CONTENT | {"kind": "numeric"}, "values of another kind"),
        (CATEGORIES_CONTENT | {"kind": "boolean"}, "other categories than true and false"),
        (BOOLEANS | {"digest": DIGEST}, "values of another kind"),
    ],
)
def test_damaged_content_is_refused_with_what_is_wrong(content: object, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        FeatureStatistics.from_content(content)
