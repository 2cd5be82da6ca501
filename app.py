"""The dashboard: page configuration, navigation, status strip."""

from pathlib import Path

import streamlit as st

# A picture of our own: for one of Streamlit's icons the browser would ask a font server elsewhere.
ICON = Path(__file__).with_name("detector") / "ui" / "icon.png"

st.set_page_config(page_title="Anomaly detection", page_icon=ICON, layout="wide")

# Pages lie one folder deeper than Streamlit's own discovery of pages/ looks, which would run them without this frame.
page = st.navigation(
    {
        "Work": [
            st.Page("pages/analysis/overview.py", title="Overview", icon=":material/dashboard:", default=True),
            st.Page("pages/analysis/queue.py", title="Queue", icon=":material/inbox:"),
            st.Page("pages/analysis/case.py", title="Case", icon=":material/policy:"),
            st.Page("pages/analysis/score.py", title="Score", icon=":material/query_stats:"),
        ],
        "Detector": [
            st.Page("pages/detector/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/detector/update.py", title="Update", icon=":material/sync:"),
            st.Page("pages/detector/schema_drift.py", title="Schema and drift", icon=":material/difference:"),
            st.Page("pages/detector/cutoff.py", title="Cutoff", icon=":material/tune:"),
            st.Page("pages/detector/explain.py", title="Explain", icon=":material/troubleshoot:"),
            st.Page("pages/detector/models.py", title="Models", icon=":material/deployed_code:"),
            st.Page("pages/detector/drift_demo.py", title="Drift demo", icon=":material/play_circle:"),
        ],
        "System": [
            st.Page("pages/system/alerts.py", title="Alerts", icon=":material/notifications:"),
            st.Page("pages/system/exports.py", title="Exports and audit", icon=":material/ios_share:"),
            st.Page("pages/system/api.py", title="API", icon=":material/api:"),
            st.Page("pages/system/access.py", title="Access", icon=":material/key:"),
        ],
    },
    expanded=True,
)

# The first visitor of a new process sees the frame while the libraries load.
with st.spinner("Opening the workspace"):
    from detector.ui.frame import alert_watcher, api_process, name_control, status_strip, told_in_words
    from detector.ui.signing_in import admit

admit()
with told_in_words():
    api_process()
    alert_watcher()
    with st.sidebar:
        status_strip()
        name_control()
    page.run()
