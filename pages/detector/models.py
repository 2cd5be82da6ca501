"""Models: the versions, what each has learned, champion beside challenger, promotion and the way back."""

import streamlit as st

from detector.service.versions import challenging, updating
from detector.ui.first_steps import model_needed
from detector.ui.frame import opening
from detector.ui.models_panels import actions, chosen_version, failure_panel, version_details, versions_table
from detector.ui.trial_panel import trial_panel
from detector.ui.versus_panels import comparison_panel
from detector.ui.waiting_panel import waiting_panel
from detector.ui.work import follow, forget

ws = opening("Models", "Every version ever made; one is the champion, and another may challenge it.")
if follow(ws, "models", "compare_versions", "sample") is not None:
    forget("models")
model_needed(ws, "models", "There is no model yet. Train one on your own file, or load the sample data.")

failure_panel()
versions = updating.list_versions(ws)
now = challenging.standing(ws)
waiting_panel(ws, now)
versions_table(versions, now)
info = chosen_version(versions, now)
version_details(ws, info)
actions(ws, info, now)
st.subheader("A challenger on live requests", anchor=False)
trial_panel(ws, info, now)
st.subheader("Champion beside challenger", anchor=False)
comparison_panel(ws, now)
