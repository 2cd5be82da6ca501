"""Train: upload, check, columns, train."""

from dataclasses import asdict

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import training
from detector.ui.faulty_rows import set_aside_line, unreadable_file
from detector.ui.files import chosen_file, file_check, let_go
from detector.ui.first_steps import offer_sample
from detector.ui.frame import opening
from detector.ui.numbers import age, plural
from detector.ui.tables import column_roles
from detector.ui.training_form import check_summary, parameters_form, training_result
from detector.ui.work import follow, forget, start

ws = opening("Train", "Teach the detector what is usual, from a file of your own transactions.", right="manage")
finished = follow(ws, "train", "train", "sample")
if finished is not None:
    forget("train")
    let_go("train")
    st.toast(f"Version {finished.result['version']} is trained and is the champion now.", icon=":material/check:")

upload = chosen_file(ws, "train", "File to learn from")
if upload is None:
    champion = ws.champion()
    if champion is None:
        offer_sample(
            ws, "train", "No file at hand? The sample data trains a model and flags transactions within a minute."
        )
        st.stop()
    st.subheader(f"Version {champion.version}, the champion", anchor=False)
    result = training.train_result(ws, champion.version)
    if result is None:
        st.caption(f"It was made by an update {age(champion.created_at)} and has seen {plural(champion.rows, 'row')}.")
    else:
        training_result(result, champion.cutoff)
        set_aside_line(ws, "train", result.upload_id, "training.csv", None, result.set_aside)
        if st.button("Score a file", type="primary", key="train_to_score", icon=":material/arrow_forward:"):
            st.switch_page("pages/analysis/score.py")
    st.stop()

try:
    check = file_check(ws, "train", upload)
except DetectorError as error:
    unreadable_file("train", error)
    st.stop()
set_aside_line(ws, "train", upload.id, upload.name, check.rows, check.set_aside)
check_summary(check)

with st.form("train_form", border=False):
    st.markdown("**Columns** :gray[– change a role where it was guessed wrong]")
    roles = column_roles(check, key=f"train_roles_{upload.id}")
    parameters = parameters_form()
    if st.form_submit_button(f"Train on {plural(check.rows, 'row')}", type="primary", key="train_start"):
        start(ws, "train", "train", {"upload_id": upload.id, "parameters": asdict(parameters), "roles": roles})
        st.rerun()
