"""What a page offers while there is no model: train one, or load the sample data."""

from __future__ import annotations

from functools import partial

import streamlit as st

from detector.service.workspace import Workspace
from detector.ui.frame import may
from detector.ui.states import nothing_yet
from detector.ui.work import start


def model_needed(ws: Workspace, page: str, sentence: str) -> None:
    """End ``page`` with its empty state unless a model has been trained."""
    if ws.champion() is not None:
        return
    if not may("manage"):
        st.info(f"{sentence} A lead does that.", icon=":material/lock:")
        st.stop()
    if nothing_yet(sentence, "Train a model", key=page, load_sample=partial(start, ws, page, "sample")):
        st.switch_page("pages/detector/train.py")
    st.stop()


def offer_sample(ws: Workspace, page: str, sentence: str) -> None:
    """Offer the sample data beside what the page asks for."""
    st.caption(sentence)
    st.button("Load the sample data", key=f"{page}_load_sample", on_click=partial(start, ws, page, "sample"))
