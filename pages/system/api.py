"""API: whether it lives, each endpoint to try out, and proof that it scores as the page does."""

import json

import streamlit as st

from detector.ui.api_client import Endpoint, endpoints, send
from detector.ui.api_panels import compare_both_ways, endpoint_card, request_log
from detector.ui.example_row import example_row
from detector.ui.frame import opening
from detector.ui.numbers import milliseconds

ws = opening("API", "Score, train and update from your own programs.")
root = ws.settings.api_url

health = send(root, "GET", "/health", timeout=3.0)
with st.container(border=True, horizontal=True, vertical_alignment="center"):
    if health.ok:
        version = health.json().get("model_version")
        serving = f"version {version}" if version else "no model yet"
        st.markdown(
            f":green[:material/check_circle: **Live**] at `{root}`, {serving}, {milliseconds(health.seconds)}",
            width="stretch",
        )
        st.link_button("Documentation", f"{root}/docs", icon=":material/open_in_new:")
        st.link_button("Reference", f"{root}/redoc", icon=":material/open_in_new:")
    else:
        st.markdown(f":red[:material/error: **Not answering**] at `{root}`", width="stretch")
        st.button("Try again", type="primary", key="api_try_again")
if not health.ok:
    st.markdown(
        "The dashboard works without it. It starts together with the dashboard; to start it by hand, run "
        "`python -m detector serve`. Another program may hold its port: `DETECTOR_API_PORT` chooses a different one."
    )
    with st.expander("Technical detail"):
        st.code(health.text or f"status {health.status}", language=None, wrap_lines=True)
    st.stop()

row = example_row(ws.champion())
document = send(root, "GET", "/openapi.json").json() or {}
offered: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in endpoints(document, row)}

st.subheader("Try it", anchor=False)
left, right = st.columns([1, 3], gap="large")
with left:
    names = list(offered)
    start_at = names.index("POST /predict") if "POST /predict" in names else 0
    chosen = st.radio("Endpoint", names, index=start_at, key="api_endpoint", persist_state="session")
with right:
    if chosen is not None:
        endpoint_card(ws, offered[chosen])

st.subheader("The same row, both ways", anchor=False)
compare_both_ways(ws, json.dumps(row))

st.subheader("Recent requests", anchor=False)
request_log(ws)
