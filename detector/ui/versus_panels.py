"""Champion beside challenger on the Models page: choose the rows, see who flags what and who would have caught what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import streamlit as st

from detector.service import runs
from detector.service.runs import Run
from detector.service.versions import challenging, versus
from detector.service.versions.agreement import Agreement
from detector.service.versions.challenging import Standing
from detector.service.versions.versus import Versus
from detector.service.workspace import Workspace
from detector.ui.charts import before_and_after
from detector.ui.numbers import NONE, count, number, percent, plural, severity
from detector.ui.runs_list import run_label
from detector.ui.states import escaped, stale
from detector.ui.theme import CONFIG
from detector.ui.work import start


def comparison_panel(ws: Workspace, now: Standing) -> None:
    """Show the newest comparison of champion and challenger, and offer another one."""
    if now.challenger is None:
        st.caption("No version challenges the champion. Choose one above and make it challenger to compare the two.")
        return
    ours, theirs = now.champion.version, now.challenger.version
    st.markdown(f"Version **{ours}**, champion, beside version **{theirs}**, challenger, on the same rows.")
    known = {run.id: run for run in runs.list_runs(ws) if run.rows}
    if not known:
        st.caption("There is no scored file to compare them on. Score one first.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Rows of", list(known), format_func=lambda run_id: run_label(known[run_id]), key="models_run"
        )
        asked = st.button("Compare", type="primary", key="models_compare", icon=":material/compare_arrows:")
    found = versus.latest_comparison(ws, ours, theirs)
    if found is not None:
        cutoffs = tuple(challenging.cutoff_as_champion(ws, version) for version in (ours, theirs))
        if cutoffs != (found.champion.cutoff, found.challenger.cutoff):
            told = "This comparison was made at other cutoffs than the versions have now."
            asked = stale(told, "Compare again", key="models") or asked
            chosen = found.run_id if found.run_id in known else chosen
    if asked:
        start(ws, "models", versus.COMPARE, {"run_id": chosen, "champion": ours, "challenger": theirs})
        st.rerun()
    if found is None:
        most = count(versus.MOST_ROWS)
        st.caption(f"Not compared yet. Files of more than {most} rows are compared on a random sample of {most}.")
        return
    versus_result(ws, found, known)


def versus_result(ws: Workspace, found: Versus, known: Mapping[int, Run]) -> None:
    """Show a comparison: flags, histograms, decided cases, and the rows on which the two differ most."""
    of = "all" if found.compared == found.rows else f"a random sample of {count(found.compared)} of"
    st.markdown(f"**Run {found.run_id}, {escaped(found.name)}:** compared on {of} {plural(found.rows, 'row')}.")
    figures = st.columns(4)
    for place, name, side in ((0, "Champion flags", found.champion), (1, "Challenger flags", found.challenger)):
        figures[place].metric(
            name,
            percent(side.flagged / found.compared),
            help=f"{count(side.flagged)} rows above its cutoff, {severity(side.cutoff)}.",
        )
    figures[2].metric(
        "Rank correlation",
        number(found.correlation),
        help="1 means that both order the rows alike; 0 that the orders have nothing in common.",
    )
    agree = found.agreement
    figures[3].metric(
        "Flagged by both, of either",
        percent(agree.both / (agree.rows - agree.neither) if agree.rows > agree.neither else None),
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**How severe the rows are**")
        st.plotly_chart(
            before_and_after(
                found.champion.histogram.edges,
                found.champion.histogram.counts,
                found.challenger.histogram.counts,
                names=(f"Champion, {found.champion.version}", f"Challenger, {found.challenger.version}"),
                axis="Severity",
            ),
            config=CONFIG,
            key="models_histograms",
            alt="Rows by severity with the champion and with the challenger",
        )
    with right:
        agreement_table(agree, "Rows")
    _decided(found)
    _disagreements(ws, found, known)


def agreement_table(agree: Agreement, what: str) -> None:
    """Show how many rows (or requests: ``what``) both versions flag, one of them alone, or neither."""
    parts = (agree.both, agree.only_champion, agree.only_challenger, agree.neither)
    st.markdown("**Who flags what**")
    st.table(
        {
            what: ["Flagged by both", "Champion alone", "Challenger alone", "Neither"],
            "Number": [count(n) for n in parts],
            "Share": [percent(n / agree.rows) for n in parts],
        },
        border="horizontal",
        hide_index=True,
    )


def _decided(found: Versus) -> None:
    st.markdown("**Who would have caught what**")
    if not found.frauds.rows and not found.legitimate.rows:
        st.markdown("Not measurable yet: nobody has decided on a row of this file.")
        return
    table: dict[str, list[str]] = {
        "": [],
        "Champion": [],
        "Challenger": [],
        "Champion alone": [],
        "Challenger alone": [],
    }
    for name, counted in (
        ("Decided frauds above the cutoff", found.frauds),
        ("Decided legitimate rows above it, false alarms", found.legitimate),
    ):
        table[""].append(name)
        table["Champion"].append(f"{count(counted.champion)} of {count(counted.rows)}")
        table["Challenger"].append(f"{count(counted.challenger)} of {count(counted.rows)}")
        table["Champion alone"].append(count(counted.only_champion))
        table["Challenger alone"].append(count(counted.only_challenger))
    caught, would, of = found.money
    if of:
        told = ("Money in these frauds", f"{number(caught)} of {number(of)}", f"{number(would)} of {number(of)}")
        for cells, cell in zip(table.values(), (*told, NONE, NONE), strict=True):
            cells.append(cell)
    st.table(table, border="horizontal", hide_index=True)
    st.caption(
        f"On {plural(found.frauds.rows + found.legitimate.rows, 'decided row')} of this file. Mostly rows that the "
        "version of the time flagged were decided, which favours versions like it."
    )


def _disagreements(ws: Workspace, found: Versus, known: Mapping[int, Run]) -> None:
    if not found.disagreements:
        return
    st.markdown("**Where they differ most**")
    table: dict[str, list[str]] = {
        "Row": [count(one.row) for one in found.disagreements],
        "Champion": [severity(one.champion) for one in found.disagreements],
        "Challenger": [severity(one.challenger) for one in found.disagreements],
        "Decision": [one.outcome or NONE for one in found.disagreements],
    }
    if found.run_id in known:
        values = runs.chosen_rows(ws, found.run_id, [one.row for one in found.disagreements])
        for name in values.columns:
            table[f"{name} " if name in table else str(name)] = [_shown(value) for value in values[name]]
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height=320,
        column_config={
            name: st.column_config.TextColumn(alignment="right", width=90, pinned=name == "Row")
            for name in ("Row", "Champion", "Challenger")
        },
    )
    st.caption(
        "The severity that each gives the row; first rows that only one of them flags. A row number is the file's data "
        "row, from 1."
    )


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return number(value) if isinstance(value, float) else NONE if value is None else str(value)
