"""Who stands before a page: a person whom a provider vouches for, or, on one's own machine, a name that is only given.

Streamlit keeps the claims of the provider in a signed cookie and gives them to the session. Where no provider is
configured, whoever sits at this machine may do everything under any name; so such a dashboard shows itself to this
machine only, even when it was made to listen elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any, NoReturn
from urllib.parse import urlsplit

import streamlit as st

from detector.errors import DetectorError
from detector.exposure import is_loopback, sign_in_configured
from detector.service.access import RIGHT_WORDS, Actor, Right, who_may
from detector.service.people import person_of, signed_in_until
from detector.settings import Settings
from detector.ui.states import error_panel, escaped

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Forwarded-Host", "Via")


@st.cache_resource(show_spinner=False, max_entries=1)
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings()


def sign_in_is_on() -> bool:
    """Whether people sign in here."""
    return "is_logged_in" in st.user.to_dict()


def signed_in() -> Actor | None:
    """Return who signed in, without a role when kept out; ``None`` where nobody has, or too long ago."""
    claims: Mapping[str, Any] = st.user.to_dict()
    if not claims.get("is_logged_in") or time() >= signed_in_until(claims, settings().sign_in_hours):
        return None
    return person_of(claims, settings().roles)


def admit() -> None:
    """End the page here unless who stands before it may look at it."""
    try:
        meant = sign_in_configured(settings())
    except DetectorError as error:
        error_panel("This dashboard is closed", error)
        st.stop()
    if sign_in_is_on():
        person = signed_in()
        if person is None:
            _sign_in_page()
        if not person.may("read"):
            _kept_out(person)
    elif meant:
        _closed("Sign-in is configured, but Streamlit has not read the file that says so. Start it with "
                "`python -m detector serve` or `python -m detector.dashboard run app.py`.")  # fmt: skip
    elif not settings().trusted_network and not _from_here():
        _closed("Nobody signs in here, so it shows itself to the machine that it runs on, under `localhost`, and to "
                "nobody else. `docs/security.md` tells how to configure sign-in.")  # fmt: skip


def only_for(person: Actor, right: Right) -> None:
    """End a page that is for other roles with a sentence."""
    if not person.may(right):
        not_allowed(person, right)
        st.stop()


def not_allowed(person: Actor, right: Right) -> None:
    """Say that a part of a page is for other roles."""
    st.info(f"{who_may(right)} may {RIGHT_WORDS[right]}; you are here as {person.role}.", icon=":material/lock:")


def _from_here() -> bool:
    """Whether the page was asked for directly, on this machine, under its own name."""
    headers = st.context.headers
    listens_here = is_loopback(st.get_option("server.address"))
    named_so = is_loopback(urlsplit(f"//{headers.get('Host', 'localhost')}").hostname)
    return listens_here and named_so and st.context.ip_address is None and not any(h in headers for h in _FORWARDED)


def _sign_in_page() -> NoReturn:
    st.title("Anomaly detection", anchor=False)
    with st.container(border=True, gap="medium", key="sign_in"):
        st.markdown("Sign in to see transactions, cases and models.")
        st.button("Sign in", type="primary", key="sign_in_button", icon=":material/login:", on_click=st.login)
    st.stop()


def _kept_out(person: Actor) -> NoReturn:
    st.title("Anomaly detection", anchor=False)
    st.error(
        f"You are signed in as {escaped(person)}, who has no role here. Ask a lead to give you one.",
        icon=":material/lock:",
    )
    st.button("Sign out", key="sign_out_button", icon=":material/logout:", on_click=st.logout)
    st.stop()


def _closed(why: str) -> NoReturn:
    st.error(f"**This dashboard is closed.** {why}", icon=":material/lock:")
    st.stop()
