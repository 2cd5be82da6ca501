"""What is known of a case: why it stands out, its details, its entity's history, linked rows, notes and timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from detector.errors import DetectorError
from detector.service.exports import evidence
from detector.service.review import cases, deciding, movements
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import Case
from detector.service.review.filters import Filters
from detector.service.workspace import Workspace
from detector.ui.case_charts import Dot, history_chart, kind_of, linked_chart
from detector.ui.explain_charts import signed_bars
from detector.ui.frame import actor, may, told_in_words
from detector.ui.learning_panel import pulled_text
from detector.ui.numbers import NONE, age, as_utc, count, exact, moment, money, number, plural, severity
from detector.ui.queue_tables import STATUS_WORDS, open_case
from detector.ui.states import error_panel, escaped
from detector.ui.theme import CONFIG


def why(case: Case) -> None:
    """Show the strongest reasons in sentences, and what each column contributes."""
    if case.reasons:
        st.markdown("\n".join(f"- {escaped(reason.sentence)}" for reason in case.reasons))
    else:
        st.markdown("No single column makes it unusual; it is the combination.")
    st.plotly_chart(
        signed_bars([(part.feature, plain(part.value), part.contribution) for part in case.parts]),
        config=CONFIG,
        key="case_why",
        alt="What each column contributes to the score of this case",
    )


def why_it_ranks_here(ws: Workspace, case: Case) -> None:
    """Say what decisions did to this case, then which pull most, strongest first; nothing when none do."""
    found = movements.kin(ws, case.id)
    if found:
        st.markdown(f":material/hub: {pulled_text(case.severity, case.priority, found)}")


def details(case: Case) -> None:
    """Show the values of the row, unrounded: whose, when and how much first, then in the order of the file."""
    first = [name for name in (case.entity_column, case.time_column, case.amount_column) if name]
    names = [*first, *(name for name in case.values if name not in first)]
    half = -(-len(names) // 2)
    for place, some in zip(st.columns(2, gap="small"), (names[:half], names[half:]), strict=True):
        if some:
            place.table(
                {
                    "Column": [escaped(name) for name in some],
                    "Value": [escaped(_exact(case.values[name])) for name in some],
                },
                border="horizontal",
                hide_index=True,
            )


def around(ws: Workspace, case: Case, filters: Filters) -> None:
    """Show what else there is to know, one of two: what its entity did, or which rows share a value with it."""
    shown = st.segmented_control(
        "Around it",
        ["History", "Linked rows"],
        default="History",
        required=True,
        key="case_around",
        label_visibility="collapsed",
        persist_state="session",
    )
    # Only what is looked at is looked up: the next case waits for it.
    if shown == "History":
        history(ws, case, filters)
    else:
        linked(ws, case, filters)


def history(ws: Workspace, case: Case, filters: Filters) -> None:
    """Show what the entity did: its pace up to the case, its amounts over time, and its rows."""
    if case.entity is None:
        st.caption("The file has no column that says whose a row is, so there is no history.")
        return
    with told_in_words("The history cannot be shown"):
        found = cases.entity_history(ws, case)
        if found is None:
            return
        paces = (("Last hour", found.last_hour), ("Last day", found.last_day), ("Last week", found.last_week))
        known = [(name, pace) for name, pace in paces if pace is not None]
        for place, (name, (many, amount)) in zip(st.columns(max(len(known), 1)), known, strict=False):
            worth = f"{money(amount)} in total" if case.amount_column else None
            place.metric(
                name,
                plural(many, "row"),
                delta=worth,
                delta_color="off",
                delta_arrow="off",
                help="Up to this case, which is counted.",
            )
        rows = found.rows
        this = str(case.id)
        dots = [
            Dot(
                _kind(row, this),
                None if pd.isna(row["time"]) else row["time"],
                None if pd.isna(row["amount"]) else row["amount"],
                f"{_when(row['time'])}<br>{money(row['amount'])}, severity {severity(row['severity'])}",
            )
            for row in rows.to_dict("records")
        ]
        if sum(dot.time is not None and dot.amount is not None for dot in dots) > 1:
            st.plotly_chart(
                history_chart(dots, found.usual),
                config=CONFIG,
                key="case_history",
                alt="Amounts of this entity by time",
            )
        if found.usual is not None:
            low, high = found.usual
            st.caption(f"Grey: nine in ten of its other amounts, {money(low)} to {money(high)}.")
        shown = f"The {count(len(rows))} nearest in time of " if found.total > len(rows) else ""
        files = "" if found.files == 1 else f" in {count(found.files)} files"
        st.caption(f"{shown}{plural(found.total, 'row')} of {escaped(found.entity)}{files}, newest first")
        _rows_table(ws, rows.iloc[::-1], this, filters, key="case_history_rows", files=found.files > 1)


def linked(ws: Workspace, case: Case, filters: Filters) -> None:
    """Show rows of the same file that share a rare value with the case, as a picture and as a table."""
    with told_in_words("Linked rows cannot be shown"):
        found = cases.linked_rows(ws, case)
        if not found.links:
            st.caption("No other row of the file shares a rare value with this one.")
            return
        said = [f"{link.column} {link.value} ({plural(link.rows, 'row')})" for link in found.links]
        st.caption(escaped(f"Shared with other rows: {', '.join(said)}"))
        this = str(case.id)
        st.plotly_chart(
            linked_chart(
                this,
                [(link.column, link.value) for link in found.links],
                [
                    (
                        row["case"],
                        list(row["shared"]),
                        _kind(row, this),
                        f"Row {row['case']}<br>{money(row['amount'])}, severity {severity(row['severity'])}",
                    )
                    for row in found.rows.to_dict("records")
                ],
            ),
            config=CONFIG,
            key="case_linked",
            alt="Rows that share a value with this case",
        )
        _rows_table(ws, found.rows, this, filters, key="case_linked_rows")


def timeline(ws: Workspace, case: Case) -> None:
    """Show what people did to the case and wrote about it, newest first, and take a note."""
    if may("decide"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Note", key="case_new_note", max_chars=2_000, placeholder="Write a note", width="stretch")
            st.button("Add note", key="case_add_note", on_click=_add_note, args=(ws, case.id))
    failed = st.session_state.pop("case_note_failed", None)
    if failed is not None:
        error_panel("The note was not kept", failed)
    for event in reversed(case.timeline):
        note = f"  \n> {escaped(event.note)}" if event.note else ""
        st.markdown(f"**{escaped(event.actor)}** {escaped(event.told)} · {age(event.at)}{note}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Sent to the queue {age(case.opened_at)}, scored with version {case.version}.", width="stretch")
        st.download_button(
            "Evidence",
            data=partial(_evidence, ws, case.id, actor()),
            file_name=f"evidence_{case.id}.html",
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
            key="case_evidence",
            help="All that is known of this case as one page that opens in any browser and loads nothing.",
        )


def _evidence(ws: Workspace, case: CaseId, who: str) -> str:
    return evidence.evidence_pack(ws, case.run, case.row, actor=who)


def plain(value: Any) -> str:
    """Return a value of a row as people read it."""
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return NONE
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    return str(value)


def _exact(value: Any) -> str:
    # An analyst compares these with what the bank and the shop wrote: seconds and the last digits decide.
    if isinstance(value, datetime) and not pd.isna(value):
        day = f"{as_utc(value):%Y-%m-%d}"
        return day if as_utc(value).time() == time() else f"{day} {as_utc(value):%H:%M:%S} UTC"
    if isinstance(value, float) and not pd.isna(value):
        return exact(value)
    return plain(value)


def _rows_table(
    ws: Workspace, rows: pd.DataFrame, this: str, filters: Filters, *, key: str, files: bool = False
) -> None:
    ids = [CaseId.parse(text) for text in rows["case"]]
    known = ws.inbox.known(ids)
    columns: dict[str, list[Any]] = {
        "Case": ["" if case not in known or str(case) == this else str(case) for case in ids],
        "Row": ["this case" if str(case) == this else count(case.row) for case in ids],
        "Time": [_when(time) for time in rows["time"]],
        "Amount": [money(amount) for amount in rows["amount"]],
        "Severity": [severity(value) for value in rows["severity"]],
        "What became of it": [
            STATUS_WORDS[row["outcome"]] if isinstance(row["outcome"], str) else "flagged" if row["flagged"] else ""
            for row in rows.to_dict("records")
        ],
    }
    if "shared" in rows:
        columns["Shares"] = [list(shared) for shared in rows["shared"]]
        columns["Entity"] = [entity if isinstance(entity, str) else "" for entity in rows["entity"]]
    if files:
        columns["File"] = rows["file"].tolist()
    event = f"{key}_open"
    st.dataframe(
        columns,
        hide_index=True,
        width="stretch",
        height=36 + 35 * min(len(rows), 7),
        column_config={
            "Case": st.column_config.ButtonColumn(width=95, key=event),
            "Row": st.column_config.TextColumn(alignment="right", width=80),
            "Time": st.column_config.TextColumn(width=130),
            "Amount": st.column_config.TextColumn(alignment="right"),
            "Severity": st.column_config.TextColumn(alignment="right", width=75),
            "Shares": st.column_config.ListColumn(),
        },
    )
    clicked = st.session_state.get(event)
    if clicked is not None and clicked.row < len(ids) and columns["Case"][clicked.row]:
        open_case(ids[clicked.row], filters)


def _kind(row: Mapping[Any, Any], this: str) -> str:
    outcome = row["outcome"] if isinstance(row["outcome"], str) else None
    return kind_of(row["case"], this, bool(row["flagged"]), outcome)


def _when(time: Any) -> str:
    return "" if pd.isna(time) else f"{time:%Y-%m-%d %H:%M}"


def _add_note(ws: Workspace, case: CaseId) -> None:
    try:
        deciding.add_note(ws, case, st.session_state["case_new_note"], actor=actor())
    except DetectorError as error:
        st.session_state["case_note_failed"] = error
    else:
        st.session_state["case_new_note"] = ""
