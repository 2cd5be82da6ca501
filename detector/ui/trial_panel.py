"""The challenger on live traffic, on the Models page: start a trial, watch its figures, stop it."""

from __future__ import annotations

from functools import partial
from typing import Literal

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import challenging, trying
from detector.service.versions.challenging import Standing
from detector.service.versions.trying import FlaggedShare, TrialState
from detector.service.workspace import Workspace
from detector.store.versions import VersionInfo
from detector.ui.charts import before_and_after
from detector.ui.frame import actor, may
from detector.ui.models_panels import keep_failure
from detector.ui.numbers import age, count, number, percent, plural
from detector.ui.states import escaped
from detector.ui.theme import CONFIG
from detector.ui.versus_panels import agreement_table

#: Seconds between two looks at the figures.
REFRESH = 2.0
_FOR_LEADS = "Only leads may start and end trials."


def trial_panel(ws: Workspace, info: VersionInfo, now: Standing) -> None:
    """Show how the trial goes on; without one, offer to try the chosen version."""
    state = trying.trial_state(ws)
    if state is not None:
        _running(ws, state.trial.revision)
        if may("manage"):
            _ending(ws, state, now)
        else:
            st.caption(_FOR_LEADS)
        return
    if info.number == now.champion.version:
        st.caption("No version is tried on live requests. Choose another one above to try it beside the champion.")
        return
    if not may("manage"):
        st.caption(f"No version is tried on live requests. {_FOR_LEADS}")
        return
    revision = 0 if now.challenger is None else now.challenger.revision
    with st.form("models_trial_form", border=True):
        st.markdown(f"Let version **{info.number}** score the same live requests as the champion.")
        st.radio(
            "Who answers",
            ("shadow", "share"),
            format_func={"shadow": "The champion answers all", "share": "The challenger answers a share"}.__getitem__,
            horizontal=True,
            key="models_trial_mode",
        )
        st.slider(
            "Share that the challenger answers",
            min_value=1,
            max_value=99,
            value=round(trying.SHARE * 100),
            format="%d %%",
            key="models_trial_share",
            help="Only where it answers a share. The same transaction always goes to the same version.",
        )
        st.form_submit_button(
            f"Try version {info.number} on live requests",
            key="models_trial_start",
            icon=":material/science:",
            on_click=partial(_start, ws, info.number, revision),
        )


@st.fragment(run_every=REFRESH)
def _running(ws: Workspace, revision: int) -> None:
    state = trying.trial_state(ws)
    if state is None or state.trial.revision != revision:
        st.rerun()
    assert state is not None
    trial = state.trial
    answers = (
        "the champion answers all requests"
        if trial.mode == "shadow"
        else f"the challenger answers {percent(trial.share)} of the requests, by "
        f"{f'**{escaped(trial.field)}**' if trial.field else 'all that a transaction holds'}"
    )
    st.markdown(
        f"Version **{trial.challenger}** is tried beside version **{state.champion}**: {answers}. Started "
        f"{age(trial.started_at)} by {escaped(trial.started_by)}."
    )
    if state.counts.agreement.rows:
        _figures(state)
    else:
        st.caption("No request has been scored by both versions yet.")
    _not_compared(state)


def _ending(ws: Workspace, state: TrialState, now: Standing) -> None:
    version = state.trial.challenger
    with st.form("models_trial_end_form", border=True, clear_on_submit=True):
        st.text_input(
            f"Reason to promote version {version} after this trial",
            key="models_trial_reason",
            max_chars=500,
            placeholder="Kept in the log",
        )
        with st.container(horizontal=True):
            st.form_submit_button(
                "Promote the challenger",
                type="primary",
                key="models_trial_promote",
                on_click=partial(_promote, ws, version, now),
            )
            st.form_submit_button(
                "Stop the trial", key="models_trial_stop", on_click=partial(_stop, ws, state.trial.revision)
            )


def _figures(state: TrialState) -> None:
    counts = state.counts
    agree = counts.agreement
    figures = st.columns(4)
    figures[0].metric("Requests scored by both", count(agree.rows))
    _flagged_metric(figures[1], "Champion flags", state.flagged_by_champion)
    _flagged_metric(figures[2], "Challenger flags", state.flagged_by_challenger)
    figures[3].metric(
        "Both say the same",
        percent(state.agreed),
        help=f"Their severities of a request lie {number(state.mean_shift)} points apart in the mean.",
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**How severe live requests are**")
        st.plotly_chart(
            before_and_after(
                counts.champion.edges,
                counts.champion.counts,
                counts.challenger.counts,
                names=(f"Champion, {state.champion}", f"Challenger, {state.trial.challenger}"),
                axis="Severity",
            ),
            config=CONFIG,
            key="models_trial_histograms",
            alt="Live requests by severity with the champion and with the challenger",
        )
    with right:
        agreement_table(agree, "Requests")
        if state.trial.mode == "share":
            st.caption(f"The challenger answered {plural(counts.answered, 'request')} of these.")


def _flagged_metric(place: st.delta_generator.DeltaGenerator, name: str, found: FlaggedShare) -> None:
    place.metric(name, percent(found.share), help=f"{count(found.flagged)} of {count(found.rows)}.")
    place.caption(f"{percent(found.low)} to {percent(found.high)} (95 %)")


def _not_compared(state: TrialState) -> None:
    counts = state.counts
    if counts.dropped:
        st.caption(f"{plural(counts.dropped, 'request')} answered but not compared: the second score was behind.")
    if counts.failed:
        st.warning(
            f"The challenger could not score {plural(counts.failed, 'request')}. The champion answered them; the log "
            "of the API says why.",
            icon=":material/warning:",
        )


def _start(ws: Workspace, version: int, revision: int) -> None:
    mode: Literal["shadow", "share"] = st.session_state.get("models_trial_mode", "shadow")
    share = st.session_state.get("models_trial_share", round(trying.SHARE * 100)) / 100
    try:
        trying.start_trial(ws, version, mode=mode, share=share, expected_revision=revision, actor=actor())
    except DetectorError as error:
        keep_failure(error)


def _promote(ws: Workspace, version: int, seen: Standing) -> None:
    reason = st.session_state.get("models_trial_reason", "")
    try:
        challenging.promote(ws, version, seen=seen.champion, actor=actor(), reason=reason)
    except DetectorError as error:
        keep_failure(error)
    else:
        st.toast(f"Version {version} is the champion now.", icon=":material/check:")


def _stop(ws: Workspace, revision: int) -> None:
    try:
        trying.stop_trial(ws, expected_revision=revision, actor=actor())
    except DetectorError as error:
        keep_failure(error)
