"""Alerts: what is wrong now and what to do, what was, the rules, and where messages go."""

import streamlit as st

from detector.ui.alert_panels import history_panel, open_panel
from detector.ui.alert_rules_panel import rules_panel
from detector.ui.frame import opening
from detector.ui.webhook_panels import webhooks_panel
from detector.ui.work import follow, forget

ws = opening("Alerts", "What is wrong now, since when, and what to do about it.")

if follow(ws, "alerts", "sample") is not None:
    forget("alerts")

view = st.segmented_control(
    "Shown",
    ["Now", "History", "Rules", "Webhooks"],
    default="Now",
    required=True,
    key="alerts_view",
    persist_state="session",
    label_visibility="collapsed",
)
if view == "Now":
    open_panel(ws)
elif view == "History":
    history_panel(ws)
elif view == "Rules":
    rules_panel(ws)
else:
    webhooks_panel(ws)
