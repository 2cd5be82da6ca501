"""Downloads of a scored file: its original columns beside score, severity, flag and version."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import BinaryIO, Literal

import streamlit as st

from detector.service import runs
from detector.service.runs import Run
from detector.service.workspace import Workspace

_KINDS: tuple[tuple[Literal["csv", "parquet"], str, str], ...] = (
    ("csv", "Download CSV", "text/csv"),
    ("parquet", "Download Parquet", "application/vnd.apache.parquet"),
)


def run_downloads(ws: Workspace, run: Run) -> None:
    """Offer all rows of a run as CSV and as Parquet; the file is written when the button is pressed."""
    for kind, label, mime in _KINDS:
        st.download_button(
            label,
            data=partial(_opened, ws, run.id, kind),
            file_name=f"{PurePath(run.name).stem}_run{run.id}_scored.{kind}",
            mime=mime,
            key=f"score_download_{kind}",
            icon=":material/download:",
            on_click="ignore",
            help="All rows, with the original columns beside score, severity, flag and version.",
        )


def _opened(ws: Workspace, run_id: int, kind: Literal["csv", "parquet"]) -> BinaryIO:
    return runs.export_run(ws, run_id, kind).open("rb")
