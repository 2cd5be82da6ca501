"""Asking the API on behalf of the person before the page: in her role, and with a key where one is needed."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from detector.exposure import is_loopback
from detector.service.own_keys import OwnKeys
from detector.service.workspace import Workspace
from detector.ui.api_client import TIMEOUT_SECONDS, Answer, send
from detector.ui.frame import actor, workspace
from detector.ui.signing_in import sign_in_is_on


@st.cache_resource(show_spinner=False, max_entries=1)
def _own_keys() -> OwnKeys:
    return OwnKeys(workspace())


def keys_are_needed(ws: Workspace) -> bool:
    """Whether programs need a key to use the API."""
    return ws.keys.look().required


def ask(ws: Workspace, method: str, path: str, body: str | None = None, *, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Send one request to the API of this workspace, and return what came back.

    Without a key the API would take whoever signed in for a program on this machine, which may do everything.
    """
    elsewhere = not is_loopback(urlsplit(ws.settings.api_url).hostname)
    key = _own_keys().key_for(actor()) if sign_in_is_on() or elsewhere or keys_are_needed(ws) else None
    return send(ws.settings.api_url, method, path, body, key=key, timeout=timeout)
