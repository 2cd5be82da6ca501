"""Events of entities as bytes, so that several processes let each other's into their histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256

import numpy as np

from detector.core import archive
from detector.core import content as stored
from detector.core.entity_keys import Events
from detector.core.entity_plans import Plan

#: What came of some rows, for each plan of a model; ``None`` where the rows name no such entity, or no time.
Came = tuple[Events | None, ...]

_DTYPES = {"keys": np.uint64, "times": np.float64, "amounts": np.float64, "values": np.uint64, "marks": np.uint32}
_NAMES = tuple(field.name for field in fields(Events))


def identity_of(plans: tuple[Plan, ...]) -> str:
    """Return 64 hexadecimal digits that models with the same entities have in common, and no others."""
    return sha256(archive.to_bytes({"plans": [plan.to_content() for plan in plans]})).hexdigest()


def to_bytes(came: Sequence[Came]) -> bytes:
    """Return events in their order as the bytes of a file; ``came`` is not empty, and all are of the same plans."""
    told = []
    for parts in zip(*came, strict=True):
        some = [part for part in parts if part is not None]
        told.append({name: np.concatenate([getattr(part, name) for part in some]) for name in _NAMES} if some else None)
    return archive.to_bytes({"events": told})


def from_bytes(data: bytes, plans: tuple[Plan, ...]) -> Came:
    """Return the events that :func:`to_bytes` wrote.

    Raises
    ------
    ModelFileError
        When anything is off, or when they are of other entities.
    """
    told = stored.fields(archive.from_bytes(data), frozenset({"events"}), "what was observed")["events"]
    if type(told) is not list or len(told) != len(plans):
        raise stored.damaged("what was observed is of other entities")
    return tuple(None if part is None else _events(part, plan) for part, plan in zip(told, plans, strict=True))


def _events(part: object, plan: Plan) -> Events:
    found = stored.fields(part, frozenset(_NAMES), "what was observed")
    # Compiled code reads these without a look at their ends.
    for name, dtype in _DTYPES.items():
        value = found[name]
        shape = (len(found["keys"]), len(plan.firsts)) if name == "values" else (len(found["keys"]),)
        if type(value) is not np.ndarray or value.dtype != np.dtype(dtype) or value.shape != shape:
            raise stored.damaged("the parts of what was observed do not fit together")
    if np.isinf(found["times"]).any() or np.isinf(found["amounts"]).any() or (found["marks"] == 0).any():
        raise stored.damaged("what was observed holds numbers that cannot be")
    return Events(**{name: np.require(found[name], _DTYPES[name], ["C", "W"]) for name in _NAMES})
