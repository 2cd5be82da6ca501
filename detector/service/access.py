"""Who may do what: the four roles, the caller on whose behalf something is done, and the check in every use case.

=========  ==========================================================================
role       may
=========  ==========================================================================
viewer     read: cases, figures, versions, the log
service    score, and read what scoring needs to know of the model
analyst    what a viewer may, score, and decide on cases and alerts
lead       everything: train, update, promote, set the cutoff, keys, alert rules, webhooks
=========  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Literal, ParamSpec, TypeVar, cast

from detector.errors import ForbiddenError

Given = ParamSpec("Given")
Made = TypeVar("Made")

Role = Literal["viewer", "service", "analyst", "lead"]
#: What a door may ask for.
Right = Literal["read", "score", "decide", "manage"]
#: What each right lets people do, to be said after "may".
RIGHT_WORDS: dict[Right, str] = {
    "read": "look at cases, figures and versions",
    "score": "score files and transactions",
    "decide": "decide on cases and alerts",
    "manage": "train, update, promote, set the cutoff and manage keys, alert rules and webhooks",
}
#: The attribute that names the right which a use case needs.
NEEDS = "needs_right"

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


class Actor(str):
    """A name as the log keeps it, that knows in which role it acts.

    Use cases take a name of who acts. The command line, jobs and Spark pass plain text, for who can start them owns the
    workspace; whatever acts for somebody else passes an ``Actor``, and use cases refuse what its role does not include.
    """

    __slots__ = ("role",)

    role: Role | None

    def __new__(cls, name: str, role: Role | None) -> Actor:  # noqa: D102 - what the class says
        made = super().__new__(cls, name)
        made.role = role
        return made

    def __reduce__(self) -> tuple[type[Actor], tuple[str, Role | None]]:
        return Actor, (str(self), self.role)

    def may(self, right: Right) -> bool:
        """Whether the role includes ``right``; nobody who has none may anything."""
        return self.role is not None and right in _RIGHTS[self.role]


def permit(actor: str, right: Right) -> None:
    """Refuse what an actor's role does not include.

    Raises
    ------
    ForbiddenError
        When ``actor`` is an :class:`Actor` whose role lacks ``right``.
    """
    if isinstance(actor, Actor) and not actor.may(right):
        raise ForbiddenError(
            f"{who_may(right)} may {RIGHT_WORDS[right]}; your role is {actor.role or 'none'}.",
            right=right,
            role=actor.role,
        )


def needs(right: Right) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Let a use case run only for an ``actor`` who has ``right``; the use case has a parameter of that name.

    A test holds that every public use case with an actor says what it needs.
    """

    def checked(use_case: Callable[Given, Made]) -> Callable[Given, Made]:
        place = list(signature(use_case).parameters).index("actor")

        @wraps(use_case)
        def permitted(*given: Given.args, **named: Given.kwargs) -> Made:
            # Without an actor the use case itself says what is missing.
            actor = named["actor"] if "actor" in named else next(iter(given[place : place + 1]), "")
            permit(cast(str, actor), right)
            return use_case(*given, **named)

        setattr(permitted, NEEDS, right)
        return permitted

    return checked


def who_may(right: Right) -> str:
    """Return the roles of people that include ``right``, as the subject of a sentence."""
    return {"read": "Everybody with a role", "score": "Analysts and leads", "decide": "Analysts and leads"}.get(
        right, "Only leads"
    )
