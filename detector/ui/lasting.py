"""Choices that outlast a page that ended early, as it does while a job runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def lasting_key(name: str) -> str:
    """Return the key of a widget; a new one once its state was lost.

    A page that ends above a widget loses the widget's state, but the browser goes on with what it had under that key
    and sends it with the next click. A widget that comes back under another key begins with its default on both sides.
    """
    turn = int(st.session_state.get(f"{name}_turn", 0))
    if f"{name}_{turn}" not in st.session_state:
        turn += 1
        st.session_state[f"{name}_turn"] = turn
    return f"{name}_{turn}"


def chosen_last(name: str, options: Sequence[T], otherwise: T) -> T:
    """Return what :func:`remember` was given for ``name``, if it is still an option."""
    kept: T = st.session_state.get(f"{name}_kept", otherwise)
    return kept if kept in options else otherwise


def remember(name: str, value: T) -> T:
    """Keep a choice for :func:`chosen_last` and return it."""
    st.session_state[f"{name}_kept"] = value
    return value


def choose(name: str, value: object) -> None:
    """Make a choice in a person's place: the widget comes anew with it."""
    remember(name, value)
    st.session_state.pop(f"{name}_{st.session_state.get(f'{name}_turn', 0)}", None)
