"""Taking a file from the browser: it goes to the workspace at once and only its record stays with the page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from detector.errors import DetectorError
from detector.service import uploads
from detector.service.uploads import FileCheck, Upload
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import age, count, size
from detector.ui.states import error_panel, escaped

#: What a person can choose where a file is not recognised rightly.
ENCODINGS = {"Recognise": None, "UTF-8": "utf-8", "UTF-16": "utf-16", "Windows-1252": "cp1252", "Latin-1": "latin-1"}
DECIMALS = {"Recognise": None, "Point, as in 1,234.5": ".", "Comma, as in 1.234,5": ","}
DAYS = {"Recognise": None, "Day first, 31/12/2026": True, "Month first, 12/31/2026": False}
FIRST_LINE = {"Recognise": None, "Names the columns": True, "Is a transaction": False}
#: What to do about rows that cannot be read.
FAULTY_ROWS = {"Refuse the file": False, "Set them aside": True}
DELIMITERS = {"Recognise": None, "Comma": ",", "Semicolon": ";", "Tab": "\t", "Bar": "|"}


def chosen_file(ws: Workspace, page: str, prompt: str) -> Upload | None:
    """Show the uploader, or the file that was chosen with a way to choose another; return its record.

    The record is kept with the session under ``<page>_upload``, so that it outlives a page switch.
    """
    kept: Upload | None = st.session_state.get(f"{page}_upload")
    if kept is not None:
        _file_line(page, kept)
        return kept
    turn = st.session_state.setdefault(f"{page}_turn", 0)
    file = st.file_uploader(
        prompt, key=f"{page}_file_{turn}", help="CSV with any delimiter, Parquet, JSON, NDJSON or Excel."
    )
    if file is not None:
        try:
            st.session_state[f"{page}_upload"] = uploads.receive(ws, file.name, file, actor=actor())
        except DetectorError as error:
            error_panel("This file cannot be used", error)
        else:
            st.rerun()
    return None


def file_check(ws: Workspace, page: str, file: Upload) -> FileCheck:
    """Read the whole file once, with progress, the way it was asked for, and keep what was found.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    options = reading(page)
    wanted = (file.id, *options.items())
    kept: tuple[object, FileCheck] | None = st.session_state.get(f"{page}_check")
    if kept is not None and kept[0] == wanted:
        return kept[1]
    bar = st.progress(0.0, text="Reading the file")

    def progress(done_rows: int, total_rows: int | None, message: str) -> None:
        share = min(done_rows / total_rows, 1.0) if total_rows else 0.0
        bar.progress(share, text=f"{message}: {count(done_rows)} rows")

    try:
        found = uploads.check(ws, file.id, **options, afresh=f"{page}_reading" in st.session_state, progress=progress)
    finally:
        bar.empty()
    st.session_state[f"{page}_check"] = (wanted, found)
    return found


def reading(page: str) -> dict[str, Any]:
    """Return how a person asked for the file of ``page`` to be read; empty when it is recognised by itself."""
    asked: dict[str, Any] = st.session_state.get(f"{page}_reading", {})
    return {name: value for name, value in asked.items() if value is not None}


def read_setting_aside(page: str) -> None:
    """Ask for the file of ``page`` to be read again, as before but with its faulty rows set aside."""
    st.session_state[f"{page}_reading"] = st.session_state.get(f"{page}_reading", {}) | {"set_aside": True}
    st.session_state[f"{page}_faulty"] = next(name for name, aside in FAULTY_ROWS.items() if aside)


def let_go(page: str) -> None:
    """Forget the file of ``page``, so that another can be chosen."""
    st.session_state.pop(f"{page}_upload", None)
    st.session_state.pop(f"{page}_check", None)
    st.session_state.pop(f"{page}_reading", None)
    st.session_state[f"{page}_turn"] = st.session_state.get(f"{page}_turn", 0) + 1


def _file_line(page: str, file: Upload) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{page}_file_line"):
        told = f"{size(file.size)}, received {age(file.received_at)}"
        st.markdown(f":material/description: **{escaped(file.name)}** :gray[{told}]", width="stretch")
        with st.popover("Read it differently", type="tertiary"), st.form(f"{page}_reading_form", border=False):
            asked = {
                "encoding": ENCODINGS[st.selectbox("Encoding", list(ENCODINGS), key=f"{page}_encoding")],
                "delimiter": DELIMITERS[st.selectbox("Delimiter", list(DELIMITERS), key=f"{page}_delimiter")],
                "decimal": DECIMALS[st.selectbox("Decimal mark", list(DECIMALS), key=f"{page}_decimal")],
                "day_first": DAYS[st.selectbox("Dates", list(DAYS), key=f"{page}_dates")],
                "header": FIRST_LINE[st.selectbox("First line", list(FIRST_LINE), key=f"{page}_first_line")],
                "set_aside": FAULTY_ROWS[st.selectbox("Faulty rows", list(FAULTY_ROWS), key=f"{page}_faulty")],
                "sheet": st.text_input("Excel sheet", placeholder="the first one", key=f"{page}_sheet") or None,
            }
            if st.form_submit_button("Read again", key=f"{page}_reread"):
                st.session_state[f"{page}_reading"] = asked
        st.button("Choose another file", key=f"{page}_other_file", on_click=let_go, args=(page,))
