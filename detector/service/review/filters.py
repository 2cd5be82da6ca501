"""What a person asks of the queue, and how an address says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from detector.service.review.inbox import OUTCOMES, Outcome

View = Literal["unreviewed", "critical", "mine", "escalated", "snoozed", "decided", "all"]
Order = Literal["priority", "severity", "amount", "newest", "oldest"]

VIEWS: tuple[View, ...] = get_args(View)
ORDERS: tuple[Order, ...] = get_args(Order)

_is_number = re.compile(r"[0-9]{1,12}", re.ASCII).fullmatch


@dataclass(frozen=True)
class Filters:
    """What a person asked for. Everything that is set must hold.

    ``view``: see :data:`VIEWS`; *unreviewed* are the open cases that are nobody else's, *critical* those of them with a
    severity of 99 or more now. ``run``: of this run only. ``search``: part of the entity's name, or a case.
    ``badge``: one of the reasons, as its badge says. ``pattern``: the group of cases that share their reasons.
    ``least_severity``, ``least_amount``: at least. ``outcome``: decided so. ``order``: see :data:`ORDERS`.
    """

    view: View = "unreviewed"
    run: int | None = None
    search: str = ""
    badge: str = ""
    pattern: str = ""
    least_severity: float | None = None
    least_amount: float | None = None
    outcome: Outcome | None = None
    order: Order = "priority"

    def to_query(self) -> dict[str, str]:
        """Return what differs from the defaults as texts, for an address."""
        plain = Filters()
        return {
            field.name: str(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != getattr(plain, field.name)
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Filters:
        """Return the filters that an address names; what is not understood is left at its default."""
        found: dict[str, Any] = {}
        for name, allowed in (("view", VIEWS), ("order", ORDERS), ("outcome", OUTCOMES)):
            if query.get(name) in allowed:
                found[name] = query[name]
        if _is_number(query.get("run", "")):
            found["run"] = int(query["run"])
        for name in ("search", "badge", "pattern"):
            if query.get(name):
                found[name] = query[name][:200]
        for name in ("least_severity", "least_amount"):
            try:
                number = float(query.get(name, ""))
            except ValueError:
                continue
            if np.isfinite(number):
                found[name] = number
        return cls(**found)
