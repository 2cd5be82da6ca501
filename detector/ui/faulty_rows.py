"""Rows of a file that cannot be read: setting them aside, saying how many there are, downloading them."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import BinaryIO

import streamlit as st

from detector.errors import DetectorError
from detector.service import uploads
from detector.service.workspace import Workspace
from detector.ui.files import read_setting_aside
from detector.ui.numbers import count, plural
from detector.ui.states import error_panel


def unreadable_file(page: str, error: DetectorError) -> None:
    """Say why the file of ``page`` cannot be read, and what can be done: read it otherwise, or without faulty rows."""
    error_panel("This file cannot be read", error, partial(_way_out, page, bool(error.details.get("can_set_aside"))))


def set_aside_line(
    ws: Workspace,
    page: str,
    upload_id: str | None,
    name: str,
    rows: int | None,
    set_aside: int,
    version: int | None = None,
) -> None:
    """Say how many rows were set aside, with a download of them; nothing without any.

    Parameters
    ----------
    name
        What the file is called.
    rows, set_aside
        Rows of the file that were read, where that is known, and those beside them that were not.
    version
        The version that the file was read for, ``None`` for the check before a training.
    """
    if not set_aside:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{page}_set_aside"):
        of = plural(set_aside, "row") if rows is None else f"{count(set_aside)} of {plural(rows + set_aside, 'row')}"
        st.markdown(
            f":material/rule: **{of} set aside** :gray[They could not be read.]",
            width="stretch",
        )
        if upload_id is not None:
            st.download_button(
                "Download these rows",
                data=partial(_opened, ws, upload_id, version),
                file_name=f"{PurePath(name).stem}_set_aside.csv",
                mime="text/csv",
                key=f"{page}_download_set_aside",
                icon=":material/download:",
                on_click="ignore",
                help="Each with its place in the file and what is wrong with it. Here, rows are numbered without them.",
            )


def _way_out(page: str, can_set_aside: bool) -> None:
    st.markdown(
        "Encoding, delimiter, decimal mark, dates, first line and sheet are chosen under **Read it differently**."
    )
    if not can_set_aside:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Set the faulty rows aside",
            key=f"{page}_set_faulty_aside",
            type="primary",
            on_click=read_setting_aside,
            args=(page,),
        )
        st.caption("The file is read without them. You see how many there are and can download them.")


def _opened(ws: Workspace, upload_id: str, version: int | None) -> BinaryIO:
    return uploads.rejected_rows(ws, upload_id, version=version).open("rb")
