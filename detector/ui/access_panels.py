"""The parts of the Access page: a new key, the keys with the way to end one, the roles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

import streamlit as st

from detector.errors import DetectorError
from detector.service import keys
from detector.service.access import Role
from detector.service.keys import KeyInfo, NewKey
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import age, moment, plural
from detector.ui.signing_in import sign_in_is_on
from detector.ui.states import error_panel, escaped

_MADE, _FAILED, _REVOKE = "access_made", "access_failed", "access_revoke"
_LIVES: dict[str, int | None] = {"30 days": 30, "90 days": 90, "1 year": 365, "Until it is revoked": None}
_ROLES: dict[Role, str] = {
    "service": "service: scores transactions",
    "viewer": "viewer: reads",
    "analyst": "analyst: reads, scores, decides",
    "lead": "lead: everything, also training and keys",
}


def show_made() -> None:
    """Show the key that was just made, once, and what failed, if something did."""
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        error_panel("Nothing was changed", failed)
    made: NewKey | None = st.session_state.pop(_MADE, None)
    if made is not None:
        _key_dialog(made)


def new_key_form(ws: Workspace, known: Sequence[KeyInfo]) -> None:
    """Offer to make a key; say what the first one changes for everybody."""
    if not any(info.revoked_at is None for info in known):
        st.info(
            "No key has been set: the API serves programs on this machine, without a key, and nobody else. From the "
            "first key on, every request needs one.",
            icon=":material/lock_open:",
        )
    with st.container(border=True), st.form("access_form", border=False, clear_on_submit=True):
        name, role, life = st.columns([2, 2, 1.3])
        name.text_input(
            "Used by", key="access_name", max_chars=keys.NAME_LENGTH, placeholder="nightly scoring",
            help="The program or the team that gets it; the log names it.",
        )  # fmt: skip
        role.selectbox("May", list(_ROLES), format_func=_ROLES.__getitem__, key="access_role")
        life.selectbox("Valid for", list(_LIVES), index=1, key="access_life")
        st.form_submit_button("Make a key", type="primary", key="access_make", on_click=partial(_make, ws))


def keys_table(ws: Workspace, known: Sequence[KeyInfo]) -> None:
    """Show the keys, those in force first; each of these can be revoked."""
    st.subheader("Keys", anchor=False)
    if not known:
        st.caption("There are none.")
        return
    st.dataframe(
        {
            "Used by": [info.name for info in known],
            "Role": [info.role for info in known],
            "State": [_state(info) for info in known],
            "Last used": [age(info.last_used_at) if info.last_used_at else "never" for info in known],
            "Made": [age(info.created_at) for info in known],
            "By": [info.created_by for info in known],
            "Begins with": [f"dak_{info.id}" for info in known],
            "End it": ["Revoke" if info.revoked_at is None else None for info in known],
        },
        hide_index=True,
        width="stretch",
        column_config={
            "State": st.column_config.TextColumn(width=230),
            "Last used": st.column_config.TextColumn(help="Within about a minute."),
            "Begins with": st.column_config.TextColumn(help="The part of the key that is no secret."),
            "End it": st.column_config.ButtonColumn(width=95, key=_REVOKE),
        },
    )
    clicked = _clicked()
    if clicked is not None and clicked.row < len(known) and known[clicked.row].revoked_at is None:
        _revoke_dialog(ws, known[clicked.row], last=sum(info.revoked_at is None for info in known) == 1)


def roles_table() -> None:
    """Show what each role may do, and where people get theirs."""
    st.subheader("Roles", anchor=False)
    st.table(
        {
            "Role": ["viewer", "service", "analyst", "lead"],
            "Reads": ["yes", "the model's description", "yes", "yes"],
            "Scores": ["", "yes", "yes", "yes"],
            "Decides on cases and alerts": ["", "", "yes", "yes"],
            "Trains, updates, promotes, cutoff, keys, alert rules, webhooks": ["", "", "", "yes"],
        },
        border="horizontal",
        hide_index=True,
    )
    if sign_in_is_on():
        st.caption(
            "People sign in, and have the roles that the setting DETECTOR_ROLES gives them; docs/security.md has it."
        )
    else:
        st.caption(
            "Nobody signs in to this dashboard: it shows itself to this machine only, and who sits at it is a lead. "
            "docs/security.md tells how to let people sign in."
        )


@st.dialog("The new key", width="medium")
def _key_dialog(made: NewKey) -> None:
    st.markdown(
        f"For **{escaped(made.info.name)}**, role {made.info.role}. This is the only time that it is shown: copy it "
        "now to where you keep secrets."
    )
    st.code(made.key, language=None, wrap_lines=True)
    st.caption("A program sends it with each request:")
    st.code("Authorization: Bearer " + made.key[:16] + "_…", language=None)
    if st.button("I have copied it", type="primary", key="access_copied"):
        st.rerun()


@st.dialog("Revoke a key")
def _revoke_dialog(ws: Workspace, info: KeyInfo, *, last: bool) -> None:
    used = f"last used {age(info.last_used_at)}" if info.last_used_at else "never used"
    st.markdown(
        f"**{escaped(info.name)}**, role {info.role}, {used}. Programs that use it are refused at once; this cannot be "
        "taken back."
    )
    if last:
        st.warning(
            "It is the last key: without one, the API serves programs on this machine again, without a key.",
            icon=":material/lock_open:",
        )
    reason = st.text_input("Reason", key="access_reason", max_chars=500, placeholder="Kept in the log")
    if st.button("Revoke it", type="primary", key="access_revoke_sure"):
        try:
            keys.revoke_key(ws, info.id, actor=actor(), reason=reason)
        except DetectorError as error:
            st.session_state[_FAILED] = error
        else:
            st.toast(f"The key of {escaped(info.name)} is revoked.", icon=":material/check:")
        st.rerun()


def _clicked() -> Any:
    """Return the click on a button of the table, if there was one."""
    return st.session_state.get(_REVOKE)


def _make(ws: Workspace) -> None:
    state = st.session_state
    try:
        state[_MADE] = keys.create_key(
            ws, state["access_name"], state["access_role"], actor=actor(), days=_LIVES[state["access_life"]]
        )
    except DetectorError as error:
        state[_FAILED] = error


def _state(info: KeyInfo) -> str:
    if info.revoked_at is not None:
        return f"revoked {age(info.revoked_at)} by {info.revoked_by}"
    if info.expires_at is None:
        return "in force"
    if info.ended is not None:
        return f"expired {moment(info.expires_at)}"
    return f"in force, {plural(ceil((info.expires_at - datetime.now(UTC)) / timedelta(days=1)), 'day')} left"
