"""What a page shows when there is nothing to show yet, when something failed, and when a result is out of date."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from detector.errors import DetectorError
from detector.ui.numbers import count

#: What to do about an error, by its code; said after what went wrong.
ADVICE = {
    "not_trained": "Train a model first, or load the sample data from the Overview page.",
    "bad_input": "Correct it, then try again.",
    "unusable_file": "CSV, Parquet, JSON and Excel can be read; the first line names the columns.",
    "no_known_columns": "Check that this is the right file and that its first line holds the column names.",
    "bad_model_file": "Put the original model file back, or train a new version.",
    "not_found": "It may have been removed. Go back to the list and choose another one.",
    "conflict": "Somebody else was faster. Reload the page and look again before you decide.",
    "forbidden": "Ask a lead to do it, or to give you the role.",
    "cancelled": "Nothing was changed. Start it again whenever you like.",
    "interrupted": "The program was stopped while it worked. Nothing was changed; start it again.",
}
_OTHER_ADVICE = "Try again. If it happens again, pass the technical detail on to whoever runs this program."

#: Up to this many problems are shown without scrolling.
_ALL_SHOWN = 8

#: The header of each field of a problem, in the order shown.
_PROBLEM_COLUMNS = {
    "row": "Row",
    "line": "Line in the file",
    "column": "Column",
    "message": "What is wrong",
    "excerpt": "Value found",
}


def nothing_yet(sentence: str, action: str, *, key: str, load_sample: Callable[[], None] | None = None) -> bool:
    """Show an empty page: one sentence, one primary button and, where given, 'Load the sample data'.

    Returns
    -------
    bool
        Whether the primary button was pressed.
    """
    with st.container(border=True, gap="medium", key=f"{key}_empty"):
        st.markdown(sentence)
        with st.container(horizontal=True):
            pressed = st.button(action, type="primary", key=f"{key}_first_step")
            if load_sample is not None:
                st.button("Load the sample data", key=f"{key}_load_sample", on_click=load_sample)
    return pressed


def stale(sentence: str, action: str, *, key: str) -> bool:
    """Show that a result is out of date and offer to renew it; return whether that was asked for."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{key}_stale"):
        st.markdown(f":orange[:material/history:] {sentence}", width="stretch")
        return st.button(action, key=f"{key}_renew")


def error_panel(
    title: str, error: DetectorError | Mapping[str, Any], way_out: Callable[[], None] | None = None
) -> None:
    """Show what failed, where, and what to do; the technical detail is folded away.

    Parameters
    ----------
    title
        What failed, as a person would say it: ``"This file cannot be read"``.
    error
        The error itself, or what its ``to_dict`` gave when it was kept in the database.
    way_out
        Shows what can be pressed to go on, below the advice.
    """
    told = error.to_dict() if isinstance(error, DetectorError) else dict(error)
    code = str(told.get("code", "unexpected"))
    message = str(told.get("message") or "Something failed that should not.")
    st.error(f"**{escaped(title)}.** {escaped(message)}", icon=":material/error:")
    problems: Sequence[Mapping[str, Any]] = told.get("problems") or ()
    if len(problems) > 1 or any(str(problem.get("message")) not in message for problem in problems):
        shown = {
            header: [problem.get(field) for problem in problems]
            for field, header in _PROBLEM_COLUMNS.items()
            if any(problem.get(field) is not None for problem in problems)
        }
        st.table(
            {header: [_cell(value) for value in values] for header, values in shown.items()},
            border="horizontal",
            hide_index=True,
            height="content" if len(problems) <= _ALL_SHOWN else 360,
        )
        total = int(told.get("total") or len(problems))
        if total > len(problems):
            st.caption(f"The first {count(len(problems))} of {count(total)} places are shown.")
    st.markdown(ADVICE.get(code, _OTHER_ADVICE))
    if way_out is not None:
        way_out()
    with st.expander("Technical detail"):
        st.code(json.dumps(told, indent=2, default=str, ensure_ascii=False), language="json", wrap_lines=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return count(value) if isinstance(value, int) else escaped(str(value))


#: What Streamlit replaces by a picture or a sign in finished text, where a backslash is gone: names of icons and emojis
#: between colons, and arrows that stand alone.
_REPLACED_LATE = re.compile(r":(?=(?!\d\d:)[\w+/-]+:)|(?:(?<=\s)|^)(?:<->|->|<-|--|>=|<=|~=)(?=\s|$)")
#: Has no width and allows no line break; between two characters it keeps them from being taken together.
_JOINER = "\u2060"


def escaped(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is; file and column names may hold any character."""
    text = _REPLACED_LATE.sub(lambda found: found[0][0] + _JOINER + found[0][1:], text)
    return "".join("\\" + c if c in r"\`*_{}[]()#+-!|<>~$:" else c for c in text)
