"""Who may do what: the four roles, and the caller on whose behalf something is done.

=========  ==========================================================================
role       may
=========  ==========================================================================
viewer     read: cases, figures, versions, the log
service    score, and read what scoring needs to know of the model
analyst    what a viewer may, score, and decide on cases
lead       everything: train, update, promote, set the cutoff, keys, webhooks
=========  ==========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "service", "analyst", "lead"]
#: What a door may ask for.
Right = Literal["read", "score", "decide", "manage"]

_RIGHTS: dict[Role, frozenset[Right]] = {
    "viewer": frozenset({"read"}),
    "service": frozenset({"score"}),
    "analyst": frozenset({"read", "score", "decide"}),
    "lead": frozenset({"read", "score", "decide", "manage"}),
}


@dataclass(frozen=True)
class Caller:
    """Who asks. ``name`` stands in the log; ``verified`` says whether anybody proved to be that name."""

    name: str
    role: Role
    verified: bool = False

    def may(self, right: Right) -> bool:
        """Whether the role includes ``right``."""
        return right in _RIGHTS[self.role]


#: Who calls the API of a machine that only listens to itself and has no keys.
LOCAL_API = Caller("api", "lead")
