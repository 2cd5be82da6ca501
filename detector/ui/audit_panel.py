"""The log of changes: filters, pages, an entry in full, and the log as a file."""

from __future__ import annotations

import json
from functools import partial
from typing import Literal

import streamlit as st

from detector.service.exports import auditing
from detector.service.exports.auditing import AuditFilter, LogLine
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import count, moment, plural
from detector.ui.states import escaped

#: Entries of a page.
_PAGE = 50
#: Entries that are followed each time the log is looked at; they take less than half a second.
_FOLLOWED_AT_ONCE = 5_000


def audit_panel(ws: Workspace) -> None:
    """Show the log, newest first, a page at a time."""
    st.caption("Entries are only ever added; nobody can change or remove one here. Times are in UTC.")
    _chain_line(ws)
    wanted = _filters(ws)
    first = auditing.audit_page(ws, wanted, limit=1)
    if not first.total:
        st.markdown("No entry fits these filters.")
        return
    pages = -(-first.total // _PAGE)
    place, below = st.container(), st.container(horizontal=True, vertical_alignment="center")
    with below:
        told = st.empty()
        # Another filter begins at its first page.
        page = st.pagination(pages, key=f"audit_page_{hash(wanted)}", width=320) if pages > 1 else 1
        _download(ws, wanted, "jsonl", "Download JSON lines")
        _download(ws, wanted, "csv", "Download CSV")
    shown = auditing.audit_page(ws, wanted, offset=(page - 1) * _PAGE, limit=_PAGE)
    begin = (page - 1) * _PAGE
    told.caption(
        f"Entries {count(begin + 1)} to {count(begin + len(shown.lines))} of {count(shown.total)}", width="stretch"
    )
    with place:
        chosen = st.dataframe(
            {
                "Entry": [line.number for line in shown.lines],
                "When": [moment(line.at) for line in shown.lines],
                "Who": [line.actor for line in shown.lines],
                "What": [line.words for line in shown.lines],
                "Action": [line.action for line in shown.lines],
                "Subject": [line.subject for line in shown.lines],
            },
            hide_index=True,
            width="stretch",
            height=388,
            key=f"audit_rows_{hash(wanted)}_{page}",
            on_select="rerun",
            selection_mode="single-row",
            column_config={
                "Entry": st.column_config.NumberColumn(format="%d", width=60),
                "What": st.column_config.TextColumn(width="large"),
            },
        )
    marked = [shown.lines[place] for place in chosen.selection.rows if place < len(shown.lines)]
    known = {line.number: line for line in shown.lines}
    number = st.number_input(
        "Entry in full: select it above, or give its number",
        min_value=1,
        value=(marked or shown.lines)[0].number,
        step=1,
        key=f"audit_entry_{hash(wanted)}_{page}_{marked[0].number if marked else 0}",
        width=420,
    )
    if number in known:
        _entry(known[number])
    else:
        st.caption("This entry is on another page.")


def _chain_line(ws: Workspace) -> None:
    """Say whether the log is as it was written; a long one is only followed when somebody asks."""
    entries = auditing.log_length(ws)
    if entries > _FOLLOWED_AT_ONCE and not st.button(
        f"Check all {count(entries)} entries", key="audit_verify", icon=":material/link:"
    ):
        return
    found = auditing.verify_log(ws)
    if found.broken is None:
        st.markdown(f":green[:material/link:] The log is unbroken: {plural(found.entries, 'entry', 'entries')}.")
    else:
        st.error(
            f"{escaped(found.broken)} Entries before that which fit: {count(found.entries)}. Somebody has changed the "
            "database by other means than this program; compare it with a backup.",
            icon=":material/link_off:",
        )


def _filters(ws: Workspace) -> AuditFilter:
    actors, actions = auditing.audit_choices(ws)
    columns = st.columns([1.7, 1.8, 1.5, 1.5, 1.5])
    who = columns[0].selectbox("Who", actors, index=None, placeholder="Anybody", key="audit_actor")
    what = columns[1].selectbox("Action", actions, index=None, placeholder="Any", key="audit_action")
    subject = columns[2].text_input("Subject holds", key="audit_subject", placeholder="version 3", max_chars=200)
    since = columns[3].date_input("From", value=None, key="audit_since", format="YYYY-MM-DD")
    until = columns[4].date_input("To", value=None, key="audit_until", format="YYYY-MM-DD")
    return AuditFilter(who, what, subject, since or None, until or None)


def _entry(line: LogLine) -> None:
    st.markdown(f"**Entry {line.number}**, {moment(line.at)}, {escaped(line.actor)}: {escaped(line.words)}")
    with st.expander("Details"):
        text = json.dumps(dict(line.details), indent=2, ensure_ascii=False, default=str)
        st.code(text, language="json", wrap_lines=True)


def _download(ws: Workspace, wanted: AuditFilter, kind: Literal["jsonl", "csv"], label: str) -> None:
    st.download_button(
        label,
        data=partial(auditing.export_audit, ws, wanted, kind, actor=actor()),
        file_name=f"audit_log.{kind}",
        mime="text/csv" if kind == "csv" else "application/x-ndjson",
        icon=":material/download:",
        on_click="ignore",
        key=f"audit_download_{kind}",
        help="All entries that fit the filters, oldest first.",
    )
