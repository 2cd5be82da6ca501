from __future__ import annotations

from typing import Any

import pytest

from detector.service.people import person_of, signed_in_until

ROLES: dict[str, Any] = {
    "Lea@Example.org": "lead", "out@example.org": "none", "sub:77": "analyst", "group:leads": "lead",
    "group:team": "analyst",
}  # fmt: skip


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "1", "email": "lea@example.org", "email_verified": True} | more


@pytest.mark.parametrize(
    ("told", "role"),
    [
        (claims(), "lead"),
        (claims(email="LEA@EXAMPLE.ORG"), "lead"),
        (claims(email_verified="true"), "lead"),
        (claims(email_verified=False), "viewer"),
        (claims(email_verified=None), "viewer"),
        (claims(email_verified="false"), "viewer"),
        ({"sub": "1", "email": "lea@example.org"}, "viewer"),
        (claims(email="out@example.org"), None),
        (claims(email="out@example.org", groups=["leads"]), None),
        (claims(sub="77", email="out@example.org"), "analyst"),
        (claims(email="new@example.org", groups=["team"]), "analyst"),
        (claims(email="new@example.org", groups=["team", "leads"]), "lead"),
        (claims(email="new@example.org", roles="leads"), "lead"),
        (claims(email="new@example.org", groups=[{"leads": 1}, 3, None]), "viewer"),
        (claims(email="new@example.org", groups=None), "viewer"),
        (claims(email="group:leads", groups=[]), "viewer"),
        (claims(email="sub:77"), "viewer"),
        (claims(email="*"), "viewer"),
        ({}, "viewer"),
    ],
)
def test_a_role_comes_from_what_the_provider_vouches_for(told: dict[str, Any], role: str | None) -> None:
    assert person_of(told, ROLES).role == role


def test_everybody_else_can_be_kept_out() -> None:
    assert person_of(claims(email="new@example.org"), {"*": "none"}).role is None
    assert person_of(claims(email="new@example.org"), {"*": "analyst"}).role == "analyst"


def test_the_log_names_nobody_by_an_address_that_is_not_verified() -> None:
    assert person_of(claims(), ROLES) == "lea@example.org"
    assert person_of(claims(email_verified=False), ROLES) == "sub:1"
    assert person_of({"sub": "a\nb" + "x" * 300}, ROLES) == ("sub:a b" + "x" * 300)[:100]


def test_a_sign_in_that_does_not_say_when_it_was_does_not_count() -> None:
    assert signed_in_until({"iat": 1_000}, 2) == 8_200
    assert signed_in_until({}, 2) == 0
    assert signed_in_until({"iat": True}, 2) == 0
    assert signed_in_until({"iat": "1000"}, 2) == 0
