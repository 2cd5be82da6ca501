"""What the model makes of a file's columns, told before anything runs."""

from __future__ import annotations

import streamlit as st

from detector.errors import DetectorError
from detector.service import scoring
from detector.service.scoring import SchemaVerdict
from detector.service.uploads import Upload
from detector.service.workspace import Workspace
from detector.ui.faulty_rows import set_aside_line, unreadable_file
from detector.ui.files import file_check, reading
from detector.ui.numbers import plural
from detector.ui.states import escaped


def verdict_on(ws: Workspace, page: str, file: Upload) -> SchemaVerdict | None:
    """Compare a file with the champion and say the outcome in one line; ``None``, and the page may end, when it fails.

    A file that a person asked to be read in another way is read that way first, which the workspace then remembers.
    """
    try:
        with st.spinner("Comparing its columns with the model"):
            if reading(page):
                file_check(ws, page, file)
            verdict = scoring.verdict(ws, file.id)
    except DetectorError as error:
        unreadable_file(page, error)
        return None
    set_aside_line(ws, page, file.id, file.name, verdict.rows, verdict.set_aside, verdict.version)
    if verdict.rows_looked_at == 0:
        why = "All were set aside." if verdict.set_aside else "It holds column names and nothing else."
        st.error(f"**This file has no rows.** {why}", icon=":material/block:")
        return None
    told = escaped(verdict.sentence)
    if verdict.state == "matches":
        st.success(told, icon=":material/check_circle:")
    elif verdict.state == "handled":
        st.info(told, icon=":material/rule:")
    else:
        st.error(f"**The model cannot use this file.** {told}", icon=":material/block:")
    st.caption(f"Compared on the first {plural(verdict.rows_looked_at, 'row')}.")
    return verdict
