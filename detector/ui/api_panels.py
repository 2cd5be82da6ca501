"""The parts of the API page: a card that sends a request, the same row scored both ways, the log of requests."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import streamlit as st

from detector.errors import DetectorError
from detector.service.scoring import score_rows
from detector.service.workspace import Workspace
from detector.ui.api_client import KEY_VARIABLE, Answer, Endpoint, as_curl, as_python
from detector.ui.asking import ask, keys_are_needed
from detector.ui.numbers import age, milliseconds, number
from detector.ui.states import error_panel

_LONGEST_SHOWN = 20_000
_REQUESTS_SHOWN = 20


def endpoint_card(ws: Workspace, endpoint: Endpoint) -> None:
    """Show one endpoint with an editable example; send it, show what came back, offer it as curl and as Python."""
    st.markdown(f"**{endpoint.name}**\n\n{endpoint.summary}")
    key = f"api_{endpoint.method}_{endpoint.path}"
    body: str | None = None
    with st.form(f"{key}_form", border=False):
        path, query = endpoint.example_path or endpoint.path, ""
        if path != endpoint.path:
            path = st.text_input("Path", value=path, key=f"{key}_path")
        if endpoint.query:
            query = st.text_input(
                "Query", key=f"{key}_query", placeholder="&".join(f"{name}=…" for name in endpoint.query[:3])
            )
        if endpoint.example is not None:
            text = json.dumps(endpoint.example, indent=2, ensure_ascii=False)
            body = st.text_area("Body", value=text, key=f"{key}_body", height=220)
        sure = True
        if endpoint.warning:
            sure = st.checkbox(endpoint.warning, key=f"{key}_sure")
        sent = st.form_submit_button("Send", type="primary", key=f"{key}_send")
    path = path.strip() + (f"?{query.strip().lstrip('?')}" if query.strip() else "")
    if sent and not sure:
        st.warning("Not sent: tick the box first, because this changes what answers.", icon=":material/warning:")
    elif sent:
        st.session_state[f"{key}_answer"] = ask(ws, endpoint.method, path, body)
    answer: Answer | None = st.session_state.get(f"{key}_answer")
    if answer is not None:
        _answer(answer)
    with st.expander("As curl and as Python"):
        root, with_key = ws.settings.api_url, keys_are_needed(ws)
        st.code(as_curl(root, endpoint, path, body, with_key=with_key), language="bash", wrap_lines=True)
        st.code(as_python(root, endpoint, path, body, with_key=with_key), language="python", wrap_lines=True)
        if with_key:
            st.caption(f"A lead makes keys on the Access page; put yours into {KEY_VARIABLE}.")


def compare_both_ways(ws: Workspace, row: str) -> None:
    """Score one row here and through the API and show both scores side by side."""
    with st.form("api_compare", border=False):
        text = st.text_area("Row", value=row, key="api_compare_row", height=80)
        asked = st.form_submit_button("Score it both ways", key="api_compare_send")
    if not asked:
        return
    try:
        values = json.loads(text)
        champion, result, _ = score_rows(ws, values)
    except ValueError as error:
        st.error(f"This is not a JSON object: {error}", icon=":material/error:")
        return
    except DetectorError as error:
        error_panel("This row cannot be scored", error)
        return
    answer = ask(ws, "POST", "/predict", json.dumps({"data": values}))
    told: dict[str, Any] = answer.json() or {}
    here, there = float(result.scores[0]), told.get("anomaly_score")
    if not answer.ok or there is None:
        _answer(answer)
        return
    figures = st.columns(3)
    figures[0].metric("On this page", number(here), help=f"Anomaly score with version {champion.version}.")
    figures[1].metric("Through the API", number(there), help=f"Status {answer.status}, {milliseconds(answer.seconds)}.")
    figures[2].metric("Difference", "none" if here == there else number(abs(here - there)))


def request_log(ws: Workspace) -> None:
    """Show the latest requests that the API has answered, this page's own among them."""
    answer = ask(ws, "GET", "/requests/recent", timeout=3.0)
    requests = (answer.json() or {}).get("requests", []) if answer.ok else []
    # What this page and the status strip ask for by themselves would push everything else out of sight.
    own = {"/requests/recent", "/health"}
    requests = [
        one for one in requests if one["route"] not in own and (one["route"], one["status"]) != ("unknown", 200)
    ]
    requests = requests[:_REQUESTS_SHOWN]
    if not requests:
        st.caption("None yet. Health checks are not listed.")
        return
    st.dataframe(
        {
            "Request": [f"{one['method']} {one['route']}" for one in requests],
            "Status": [str(one["status"]) for one in requests],
            "Took": [milliseconds(one["milliseconds"] / 1000) for one in requests],
            "When": [age(datetime.fromisoformat(one["at"])) for one in requests],
            "Request id": [one["request_id"] for one in requests],
        },
        hide_index=True,
        width="stretch",
        column_config={"Took": st.column_config.TextColumn(alignment="right")},
    )


def _answer(answer: Answer) -> None:
    if not answer.answered:
        st.error(f"No answer: {answer.text}", icon=":material/error:")
        return
    told_status = f"Status {answer.status} in {milliseconds(answer.seconds)}"
    if answer.ok:
        st.badge(told_status, icon=":material/check:", color="green")
    else:
        st.badge(told_status, icon=":material/error:", color="red")
    told = answer.json()
    text = answer.text if told is None else json.dumps(told, indent=2, ensure_ascii=False)
    if len(text) > _LONGEST_SHOWN:
        text = text[:_LONGEST_SHOWN] + "\n… cut here"
    st.code(text, language="json", wrap_lines=True, height=240)
