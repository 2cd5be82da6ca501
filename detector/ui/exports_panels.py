"""The parts of the Exports page: a scored file with its manifest, the evidence on one case."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

import streamlit as st

from detector.errors import DetectorError
from detector.service import runs
from detector.service.exports import evidence, exporting
from detector.service.exports.exporting import FORMATS, ExportFormat
from detector.service.review.case_ids import CaseId
from detector.service.runs import Run
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.lasting import chosen_last, lasting_key, remember
from detector.ui.numbers import count, plural, size
from detector.ui.runs_list import run_label, score_again
from detector.ui.states import error_panel, escaped
from detector.ui.work import start

_MIMES: dict[ExportFormat, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_EVIDENCE = "exports_evidence"


def scored_files(ws: Workspace) -> None:
    """Offer a run's rows as a file, with a manifest beside it; a long one is prepared first."""
    known = {run.id: run for run in runs.list_runs(ws)}
    if not known:
        st.caption("Nothing has been scored yet, so there is no scored file to take away.")
        if st.button("Score a file", type="primary", key="exports_to_score"):
            st.switch_page("pages/analysis/score.py")
        return
    left, right = st.columns([2, 1])
    ids = list(known)
    first = ids.index(chosen_last("exports_run", ids, ids[0]))
    key = lasting_key("exports_run")
    chosen = left.selectbox("Run", ids, index=first, format_func=lambda run_id: run_label(known[run_id]), key=key)
    run = known[remember("exports_run", chosen)]
    formats = list(FORMATS)
    format: ExportFormat = right.segmented_control(
        "Format",
        formats,
        format_func=FORMATS.__getitem__,
        default=chosen_last("exports_format", formats, "csv"),
        required=True,
        key=lasting_key("exports_format"),
    )
    remember("exports_format", format)
    if run.stale and score_again(ws, run, key="exports"):
        st.rerun()
    problem = exporting.unfit(run, format)
    if problem is not None:
        st.warning(problem, icon=":material/block:")
        return
    ready = exporting.ready_export(ws, run.id, format)
    if ready is None and run.rows > exporting.AT_ONCE:
        st.markdown(f"{plural(run.rows, 'row')} take a moment to write; you can leave the page meanwhile.")
        if st.button(f"Prepare the {FORMATS[format]} file", type="primary", key="exports_prepare"):
            start(ws, "exports", "export", {"run_id": run.id, "format": format})
            st.rerun()
    else:
        _downloads(ws, run, format)
        told = f"{size(ready.size)}, SHA-256 {ready.sha256[:12]}… " if ready is not None else ""
        st.caption(f"{told}{count(run.rows)} rows.")
    st.caption(
        "The file's own columns, then score, severity, flag, version and cutoff; where people decided, the decision, "
        "its reason, who and when; where a queue holds them, the reasons in words. Times are in UTC. Texts that a "
        "spreadsheet would run as formulas get an apostrophe in CSV and Excel. The manifest names file, model and "
        "columns, with checksums."
    )


def _downloads(ws: Workspace, run: Run, format: ExportFormat) -> None:
    name = exporting.export_name(run, format)
    with st.container(horizontal=True):
        st.download_button(
            f"Download {FORMATS[format]}",
            data=partial(_opened, ws, run.id, format, actor()),
            file_name=name,
            mime=_MIMES[format],
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key=f"exports_download_{format}",
        )
        st.download_button(
            "Download manifest",
            data=partial(_manifest, ws, run.id, format, actor()),
            file_name=f"{name}.manifest.json",
            mime="application/json",
            icon=":material/verified:",
            on_click="ignore",
            key=f"exports_manifest_{format}",
        )


def evidence_panel(ws: Workspace) -> None:
    """Make the evidence on one case as a file, by the case's name."""
    st.markdown("One file with all that is known of a case: values, reasons, decisions, notes, timeline, checksums.")
    with st.form("exports_evidence_form", border=False):
        text = st.text_input("Case", key="exports_case", placeholder="run-row, such as 3-1204", width=320)
        asked = st.form_submit_button("Make the evidence", type="primary", key="exports_case_make")
    if asked:
        st.session_state.pop(_EVIDENCE, None)
        try:
            case = CaseId.parse(text)
            with st.spinner("Explaining the row"):
                content = evidence.evidence_pack(ws, case.run, case.row, actor=actor())
        except DetectorError as error:
            error_panel("There is no evidence on this case", error)
            return
        st.session_state[_EVIDENCE] = (str(case), content)
    made = st.session_state.get(_EVIDENCE)
    if made is not None:
        name, content = made
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Download evidence",
                data=content,
                file_name=f"evidence_{name}.html",
                mime="text/html",
                icon=":material/download:",
                on_click="ignore",
                key="exports_evidence_download",
            )
            weight = size(len(content.encode()))
            st.caption(f"Case {escaped(name)}, {weight}. It opens in any browser, prints, and loads nothing.")


def _opened(ws: Workspace, run_id: int, format: ExportFormat, who: str) -> BinaryIO:
    return exporting.export_scored(ws, run_id, format, actor=who).path.open("rb")


def _manifest(ws: Workspace, run_id: int, format: ExportFormat, who: str) -> BinaryIO:
    made = exporting.ready_export(ws, run_id, format) or exporting.export_scored(ws, run_id, format, actor=who)
    return made.manifest_path.open("rb")
