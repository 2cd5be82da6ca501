"""A fitted model as plain content, and back: every value is checked before anything is built from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.behaviour import Behaviour
from detector.core.decisions import NO_DECISIONS, Decisions
from detector.core.fitted import Fitted
from detector.core.numerals import LARGEST
from detector.core.sample import Sample
from detector.core.schema import Schema
from detector.core.statistics import FeatureStatistics
from detector.errors import ModelFileError

_PARAMETERS = frozenset(
    {"contamination", "n_estimators", "max_samples", "scaler_type", "random_state", "roles", "half_life"}
)
_TRAINING = frozenset({"seed", "n_features_in", "feature_names_in"})
_SAMPLE = frozenset(Sample.__dataclass_fields__)


def to_content(
    known: Fitted, parameters: dict[str, Any], training: dict[str, Any], *, histories: bool = True
) -> dict[str, Any]:
    """Return the model as builtins and arrays, with what it remembers of entities or without."""
    behaviour = known.behaviour
    kept: dict[str, Any] = {}
    if behaviour is not None:
        kept["behaviour"] = behaviour.to_content(histories=histories)
    if len(known.decisions):
        kept["decisions"] = known.decisions.to_content()
    return kept | {
        "parameters": parameters,
        "training": training,
        "schema": known.schema.to_content(),
        "statistics": {name: known.statistics[name].to_content() for name in sorted(known.statistics)},
        "sample": {name: getattr(known.sample, name) for name in sorted(_SAMPLE)},
    }


def from_content(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Fitted]:
    """Return the parameters, how the model was trained, and what it knows.

    Raises
    ------
    ModelFileError
        When anything is off.
    """
    names = frozenset({"parameters", "training", "schema", "statistics", "sample"})
    # Only a model in which an entity was named has a behaviour, and only one that was told of rows has decisions.
    found = stored.fields(content, names | (content.keys() & {"behaviour", "decisions"}), "a model")
    parameters = stored.fields(found["parameters"], _PARAMETERS, "the parameters")
    roles = parameters["roles"]
    if roles is not None and not (type(roles) is dict and _texts([*roles, *roles.values()])):
        raise stored.damaged("the roles are not texts")
    if type(parameters["random_state"]) is not int:
        raise stored.damaged("the random state is not a whole number")
    training = stored.fields(found["training"], _TRAINING, "the training")
    stored.whole_number(training, "seed")
    stored.whole_number(training, "n_features_in")
    if type(training["feature_names_in"]) is not list or not _texts(training["feature_names_in"]):
        raise stored.damaged("the names of the columns are not texts")
    if training["feature_names_in"] and len(training["feature_names_in"]) != training["n_features_in"]:
        raise stored.damaged("the names of the columns are not as many as the columns")
    schema = Schema.from_content(found["schema"])
    if not schema.learned:
        raise stored.damaged("no feature of the schema is learned")
    statistics = found["statistics"]
    if type(statistics) is not dict or not _texts(list(statistics)):
        raise stored.damaged("the statistics have no names")
    tracked = {name: FeatureStatistics.from_content(item) for name, item in statistics.items()}
    for feature in schema.encoded:
        if feature.name not in tracked:
            raise stored.damaged("a feature has no statistics")
    for name, item in tracked.items():
        if name not in schema.by_name or schema.by_name[name].kind != item.kind:
            raise stored.damaged("statistics do not belong to a feature of their kind")
    behaviour = Behaviour.from_content(found["behaviour"]) if "behaviour" in found else None
    derived = {feature.name for feature in schema if feature.derived}
    if not derived <= set(behaviour.names if behaviour is not None else ()):
        raise stored.damaged("a feature is derived from an entity that the model does not know")
    sample = _sample(found["sample"], schema)
    decisions = Decisions.from_content(found["decisions"], schema.width) if "decisions" in found else NO_DECISIONS
    return dict(parameters), dict(training), Fitted(schema, tracked, sample, behaviour, decisions)


def with_histories(known: Fitted, content: dict[str, Any]) -> Fitted:
    """Return the model with the histories of a file of their own, in place of its own.

    Raises
    ------
    ModelFileError
        When anything is off, or when they are of other entities than the model's.
    """
    found = stored.fields(content, frozenset({"histories"}), "a file of histories")
    behaviour = Behaviour.from_content(found["histories"])
    if known.behaviour is None or behaviour.plans != known.behaviour.plans:
        raise ModelFileError("These histories do not belong to this model: its entities are others.")
    return known.with_behaviour(behaviour)


def _texts(values: list[Any]) -> bool:
    return all(type(value) is str for value in values)


def _sample(content: object, schema: Schema) -> Sample:
    found = stored.fields(content, _SAMPLE, "the sample")
    rows = _matrix(found["rows"], np.float32)
    bags = _matrix(found["bags"], np.int32)
    if rows.shape[1] != schema.width or not len(rows) or not bags.size:
        raise stored.damaged("the sample does not fit the schema")
    if (rows > LARGEST).any() or ((rows < -LARGEST) & ~np.isneginf(rows)).any():
        raise stored.damaged("the sample holds a number that is out of range")
    most = len(rows)
    numbers = stored.array(found, "numbers", np.int64, most=most).copy()
    calibration = stored.array(found, "calibration", np.int32, most=most).copy()
    newcomers = stored.array(found, "newcomers", np.int32, most=most).copy()
    seeds = stored.array(found, "seeds", np.uint32, most=len(bags)).copy()
    weights = stored.array(found, "weights", np.float64, most=schema.width).copy()
    if len(numbers) != most or len(seeds) != len(bags) or not len(calibration) or len(weights) != schema.width:
        raise stored.damaged("the parts of the sample do not fit together")
    if not ((weights > 0.0) & (weights < np.inf)).all():
        raise stored.damaged("the sample weighs a column by a number that is out of range")
    for places in (*bags, calibration, newcomers):
        if places.size and (places.min() < 0 or places.max() >= most):
            raise stored.damaged("the sample points at rows that are not there")
        if (np.diff(np.sort(places)) == 0).any():
            raise stored.damaged("the sample counts a row twice")
    seen = stored.whole_number(found, "seen")
    if numbers.min() < 0 or numbers.max() >= seen:
        raise stored.damaged("the sample holds rows that the model has not seen")
    return Sample(
        rows, numbers, bags, calibration, newcomers, seeds, stored.number(found, "weight", lowest=0.0),
        seen, stored.whole_number(found, "updates"),
        None if found["latest"] is None else stored.number(found, "latest"), weights,
    )  # fmt: skip


def _matrix(value: object, dtype: type[np.generic]) -> NDArray[Any]:
    if type(value) is not np.ndarray or value.dtype != np.dtype(dtype) or value.ndim != 2:
        raise stored.damaged("the sample is not made of tables")
    return value
