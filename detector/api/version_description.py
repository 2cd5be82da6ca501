"""What the doors of versions have in common: parameters, and what may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.api.description import SCORE_QUERY

#: A batch may be scored by another version than the champion.
BATCH_QUERY: Mapping[str, Any] = {
    **SCORE_QUERY,
    "version": {
        "type": "string",
        "pattern": "^([0-9]{1,9}|champion|challenger)$",
        "description": "A number, `champion` or `challenger`; such requests take no part in a trial.",
    },
}
PAGES: Mapping[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "before": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
ALIAS: Mapping[str, Any] = {"alias": {"type": "string", "enum": ["champion", "challenger"]}}
NUMBER: Mapping[str, Any] = {"version": {"type": "integer", "minimum": 1, "maximum": 999_999_999}}
IF_MATCH: Mapping[str, Any] = {"If-Match": {"type": "string", "pattern": '^(W/)?"[0-9]{1,18}"$'}}

ABSENT = {404: "There is no such thing; `detail` names it."}
MOVED = {
    409: "Somebody else was first; `current` holds the state of now.",
    428: "Neither `expected_revision` nor `If-Match` says what was seen.",
}
UNUSABLE = {422: "A parameter cannot be used; `errors` names it."}
