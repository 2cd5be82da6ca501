"""Who signs in to the dashboard is what: from the claims of an OpenID Connect provider to a name and a role.

``DETECTOR_ROLES`` maps to ``viewer``, ``analyst``, ``lead`` or ``none``:

- an e-mail address, which counts only when the provider has verified it: at some providers everybody may write any
  address into their own account;
- ``sub:ID``, the provider's own name of a person;
- ``group:NAME``, an entry of the claims ``groups`` or ``roles``; of several the one that may most;
- ``*``, everybody else whom the provider lets sign in; without it they are viewers.

What is said of a person counts more than what is said of a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from detector.service.access import Actor, Role
from detector.settings import PersonRole

#: The longest name that the log keeps of a person.
NAME_LENGTH = 100
_GROUP_CLAIMS = ("groups", "roles")
_NO_ADDRESS = ("sub:", "group:", "*")
_ORDER: tuple[PersonRole, ...] = ("none", "viewer", "analyst", "lead")


def person_of(claims: Mapping[str, Any], roles: Mapping[str, PersonRole]) -> Actor:
    """Return who signed in, with a role; without one (``None``) where the settings keep that person out."""
    role = _role_of(claims, roles)
    return Actor(_name_of(claims), None if role == "none" else _as_role(role))


def signed_in_until(claims: Mapping[str, Any], hours: int) -> float:
    """Return until when (seconds since 1970) a sign-in counts; 0 when it does not say when it was."""
    issued = claims.get("iat")
    return float(issued) + hours * 3600 if isinstance(issued, int | float) and not isinstance(issued, bool) else 0.0


def _role_of(claims: Mapping[str, Any], roles: Mapping[str, PersonRole]) -> PersonRole:
    subject, email = f"sub:{claims.get('sub')}", _verified_email(claims)
    if subject in roles:
        return roles[subject]
    # What is no address is left out, so that nobody passes for a group by calling an account after it.
    people = {name.casefold(): role for name, role in roles.items() if not name.startswith(_NO_ADDRESS)}
    if email is not None and email.casefold() in people:
        return people[email.casefold()]
    found = [roles[name] for name in (f"group:{group}" for group in _groups(claims)) if name in roles]
    return max(found, key=_ORDER.index) if found else roles.get("*", "viewer")


def _name_of(claims: Mapping[str, Any]) -> str:
    # Only what the provider vouches for: the log must not name somebody whom another only claims to be.
    name = _verified_email(claims) or f"sub:{claims.get('sub', 'unknown')}"
    return "".join(c if c.isprintable() else " " for c in name)[:NAME_LENGTH]


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    verified = claims.get("email_verified") in (True, "true")
    return email.strip() if verified and isinstance(email, str) and email.strip() else None


def _groups(claims: Mapping[str, Any]) -> Iterable[str]:
    for claim in _GROUP_CLAIMS:
        told = claims.get(claim)
        yield from [told] if isinstance(told, str) else (one for one in told or () if isinstance(one, str))


def _as_role(role: PersonRole) -> Role | None:
    return None if role == "none" else role
