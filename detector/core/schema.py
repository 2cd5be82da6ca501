"""The features a model knows: names, kinds, roles, status, and the columns they take in the encoded matrix."""

from __future__ import annotations

import math
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.forest import Choices
from detector.core.statistics import KINDS, Kind

Role = Literal["input", "amount", "id", "time", "entity", "label", "ignored"]
Status = Literal["learned", "observed", "left out", "retired"]

ROLES: tuple[str, ...] = get_args(Role)
STATUSES: tuple[str, ...] = get_args(Status)
#: Roles whose columns the forest may split on.
SCORED_ROLES: frozenset[str] = frozenset({"input", "amount", "time"})
#: The part that is kept with the rows but not split on: which of very many categories a row has.
KEPT_PART = "code"
#: The parts of features that are derived from what an entity did before; see :mod:`detector.core.behaviour`.
DERIVED_PARTS = (("excess",), ("first time",))


@dataclass(frozen=True)
class Feature:
    """One input column.

    Parameters
    ----------
    name : as the user's files call it.
    kind : what its values are.
    role : what it is to the detector; only input, amount and time take part in scores.
    status : learned (in the forest), observed (known, too few rows to be learned), left out, or retired (no longer
        arrives).
    reason : a sentence that says why it has this role or status.
    since : rows that the model had seen when the column first came; 0 for the first training.
    first_column : place of its first encoded column, -1 when it has none.
    parts : what its encoded columns hold.
    logarithmic : whether trees also see log(1 + value), for skewed amounts.
    center, spread : numbers are encoded as (value - center) / spread; this never changes once learned.
    absence_is_state : values were missing often enough in training for the trees to have learned what that means.
    revisit : it was left out only because it held nothing to learn from; an update looks at it again.
    flag : a numeric feature that only ever held 0 and 1.
    factor : what its values come multiplied by since an update met them in another unit, > 0; 1 in that of training.
    aliases : other names that updates have found its column under.
    stands_by_for : the column that it holds another type of value of, under a name of its own: a column that changes
        its type is learned anew beside what was known of it. Empty for the feature that the column is read as.
    """

    name: str
    kind: Kind
    role: Role
    status: Status
    reason: str
    since: int = 0
    first_column: int = -1
    parts: tuple[str, ...] = ()
    logarithmic: bool = False
    center: float = 0.0
    spread: float = 1.0
    absence_is_state: bool = False
    revisit: bool = False
    flag: bool = False
    factor: float = 1.0
    aliases: tuple[str, ...] = ()
    stands_by_for: str = ""

    @property
    def columns(self) -> range:
        """The encoded columns of the feature."""
        return range(self.first_column, self.first_column + len(self.parts)) if self.parts else range(0)

    @property
    def takes_part(self) -> bool:
        """Whether the forest may split on the feature."""
        return self.status == "learned"

    @property
    def derived(self) -> bool:
        """Whether the feature is no column of the input: it is computed from what an entity did before."""
        return self.parts in DERIVED_PARTS

    def to_content(self) -> dict[str, Any]:
        """Return the feature as builtins, for a model file."""
        return asdict(self) | {"parts": list(self.parts), "aliases": list(self.aliases)}


@dataclass(frozen=True)
class Schema:
    """All features a model knows, in the order in which they took their encoded columns."""

    features: tuple[Feature, ...]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features by their names."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {feature.name: place for place, feature in enumerate(self.features)}

    @cached_property
    def by_alias(self) -> Mapping[str, Feature]:
        """The features by the other names that updates have found their columns under."""
        return {alias: feature for feature in self.features for alias in feature.aliases}

    def feature_of(self, column: str, columns: Container[str]) -> Feature | None:
        """Return the feature that a column of a table is read as; ``None`` for one that is not known.

        A column under another name gives way to one of the feature's own name, or of an earlier of its other names,
        among the table's ``columns``.
        """
        place = self._places.get(column)
        if place is not None and not self.features[place].stands_by_for:
            return self.features[place]
        feature = self.by_alias.get(column)
        if feature is None or feature.name in columns:
            return None
        return feature if next(alias for alias in feature.aliases if alias in columns) == column else None

    @cached_property
    def learned(self) -> tuple[Feature, ...]:
        """The features that take part in scores; a signature counts them in this order."""
        return tuple(feature for feature in self.features if feature.takes_part)

    @cached_property
    def encoded(self) -> tuple[Feature, ...]:
        """The features that have encoded columns, learned or not."""
        return tuple(feature for feature in self.features if feature.parts)

    @cached_property
    def width(self) -> int:
        """How many encoded columns there are."""
        return max((feature.columns.stop for feature in self.features if feature.parts), default=0)

    def with_features(self, changed: Iterable[Feature]) -> Schema:
        """Return the schema with these features replaced or appended."""
        features, places, width = list(self.features), dict(self._places), self.width
        for feature in changed:
            place = places.setdefault(feature.name, len(features))
            if place == len(features):
                features.append(feature)
            else:
                if features[place].parts and features[place].columns != feature.columns:
                    width = -1
                features[place] = feature
            if width >= 0:
                width = max(width, feature.columns.stop)
        other = Schema(tuple(features))
        # Handed on, since a table's columns are added one by one: found anew each time, they would cost their square.
        other.__dict__["_places"] = places
        if width >= 0:
            other.__dict__["width"] = width
        return other

    def placed(self, feature: Feature) -> Feature:
        """Return ``feature`` with encoded columns behind all others."""
        return replace(feature, first_column=self.width)

    @cached_property
    def layout(self) -> Layout:
        """How signatures map to encoded columns."""
        return Layout.of(self)

    def to_content(self) -> list[dict[str, Any]]:
        """Return the schema as builtins, for a model file."""
        return [feature.to_content() for feature in self.features]

    @classmethod
    def from_content(cls, content: object) -> Schema:
        """Return the schema that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When anything is off: fields, types, ranges, names that occur twice, columns that overlap.
        """
        if type(content) is not list:
            raise stored.damaged("the schema is not a list")
        features = tuple(_feature_from(item) for item in content)
        names = {feature.name for feature in features}
        if len(names) != len(features):
            raise stored.damaged("a feature occurs twice in the schema")
        aliases = [alias for feature in features for alias in feature.aliases]
        if len(set(aliases)) != len(aliases) or not names.isdisjoint(aliases):
            raise stored.damaged("two features of the schema have the same name")
        standing_by = [(feature.stands_by_for, feature.kind) for feature in features if feature.stands_by_for]
        if len(set(standing_by)) != len(standing_by) or not names.issuperset(name for name, _ in standing_by):
            raise stored.damaged("a feature of the schema stands by for none")
        columns = sorted(column for feature in features for column in feature.columns)
        if columns != list(range(len(columns))):
            raise stored.damaged("the encoded columns of the schema overlap or leave gaps")
        return cls(features)


_FIELDS = frozenset(Feature.__dataclass_fields__)
#: No factor between two units lies beyond.
_LARGEST_FACTOR = 1e9
_HOUR, _WEEKDAY = ("hour sin", "hour cos"), ("weekday sin", "weekday cos")
#: What the encoded columns of each kind may hold.
_PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "numeric": (("value",), ("value", "log value"), *DERIVED_PARTS),
    "boolean": (("value",),),
    "categorical": (("rarity", "identity"), ("rarity", KEPT_PART)),
    "datetime": (_HOUR, _WEEKDAY, _HOUR + _WEEKDAY),
}


def _feature_from(content: object) -> Feature:
    found = stored.fields(content, _FIELDS, "a feature")
    texts = ("name", "kind", "role", "status", "reason", "stands_by_for")
    flags = ("logarithmic", "absence_is_state", "revisit", "flag")
    parts, aliases = found["parts"], found["aliases"]
    if any(type(found[key]) is not str for key in texts) or any(type(found[key]) is not bool for key in flags):
        raise stored.damaged("a feature has a field of the wrong type")
    if type(parts) is not list or any(type(part) is not str for part in parts):
        raise stored.damaged("the parts of a feature are not texts")
    if type(aliases) is not list or any(type(alias) is not str for alias in aliases):
        raise stored.damaged("the other names of a feature are not texts")
    if found["kind"] not in KINDS or found["role"] not in ROLES or found["status"] not in STATUSES:
        raise stored.damaged("a feature has an unknown kind, role or status")
    if parts and tuple(parts) not in _PARTS[found["kind"]]:
        raise stored.damaged("a feature has parts that its kind does not have")
    if type(found["first_column"]) is not int or found["first_column"] < (0 if parts else -1):
        raise stored.damaged("a feature has no place for its columns")
    if found["status"] == "learned" and not parts:
        raise stored.damaged("a learned feature has no columns")
    stored.whole_number(found, "since")
    if not math.isfinite(stored.number(found, "center")) or not stored.number(found, "spread") > 0.0:
        raise stored.damaged("a feature has no usable scale")
    if not 1.0 / _LARGEST_FACTOR <= stored.number(found, "factor") <= _LARGEST_FACTOR:
        raise stored.damaged("a feature has no usable factor")
    if found["stands_by_for"] and (found["status"] == "learned" or not parts):
        raise stored.damaged("a feature that stands by is learned, or has no columns")
    return Feature(**(dict(found) | {"parts": tuple(parts), "aliases": tuple(aliases)}))


#: The weight of a comparison with a habit: half of what the heaviest tails weigh, see :mod:`detector.core.tails`.
HABIT_WEIGHT = 0.5 * math.log(101.0)


def hash_of(text: str) -> int:
    """Return 32 bits that stand for ``text`` in every process and on every machine."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, eq=False)
class Layout:
    """The learned features as arrays: which columns they take, and the hashes by which trees choose them.

    Parameters
    ----------
    starts, widths : (features,) first encoded column of each learned feature, and how many there are.
    feature_keys : (features,) uint32, hash of the feature's name.
    column_feature_keys, part_keys : (width,) uint32, the same for each encoded column, and the hash of its part.
    splits : (width,) bool, whether trees may split on the column.
    derived : (width,) bool, whether it is a comparison with a habit.
    """

    starts: NDArray[np.int64]
    widths: NDArray[np.int64]
    feature_keys: NDArray[np.uint32]
    column_feature_keys: NDArray[np.uint32]
    part_keys: NDArray[np.uint32]
    splits: NDArray[np.bool_]
    derived: NDArray[np.bool_]

    @classmethod
    def of(cls, schema: Schema) -> Layout:
        """Return the layout of the learned features of ``schema``."""
        learned = schema.learned
        column_feature_keys = np.zeros(schema.width, np.uint32)
        part_keys = np.zeros(schema.width, np.uint32)
        splits = np.zeros(schema.width, np.bool_)
        derived = np.zeros(schema.width, np.bool_)
        for feature in learned:
            for column, part in zip(feature.columns, feature.parts, strict=True):
                column_feature_keys[column] = hash_of(feature.name)
                part_keys[column] = hash_of(f"{feature.name}\0{part}")
                splits[column] = part != KEPT_PART
                derived[column] = feature.derived
        return cls(
            starts=np.array([feature.first_column for feature in learned], np.int64),
            widths=np.array([len(feature.parts) for feature in learned], np.int64),
            feature_keys=np.array([hash_of(feature.name) for feature in learned], np.uint32),
            column_feature_keys=column_feature_keys,
            part_keys=part_keys,
            splits=splits,
            derived=derived,
        )

    def columns_of(self, feature: int) -> NDArray[np.int64]:
        """Return the encoded columns of the learned feature with this number."""
        return np.arange(self.starts[feature], self.starts[feature] + self.widths[feature])

    def columns(self, signature: Iterable[int]) -> NDArray[np.uint32]:
        """Return the encoded columns of a signature that trees may split on."""
        found = [column for feature in signature for column in self.columns_of(feature).tolist() if self.splits[column]]
        return np.array(found, np.uint32)

    def choices(self, signature: Iterable[int], weights: NDArray[np.float64]) -> Choices:
        """Return what trees may split on in rows that carry a signature; ``weights`` (width,) are those of columns.

        A feature counts as much as the weightiest of its columns. Comparisons with a habit all count alike: most of
        their values are one and the same, so their tails only say how rarely anything is out of the ordinary.
        """
        columns = self.columns(signature)
        weights = np.where(self.derived, HABIT_WEIGHT, weights)
        keys, places = np.unique(self.column_feature_keys[columns], return_inverse=True)
        of_features = np.zeros(len(keys))
        np.maximum.at(of_features, places, weights[columns])
        return Choices(columns, self.column_feature_keys[columns], self.part_keys[columns], of_features[places])
