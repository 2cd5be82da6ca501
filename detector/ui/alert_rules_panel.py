"""The alert rules: what each watches, and the thresholds that can be moved."""

from __future__ import annotations

import streamlit as st

from detector.errors import DetectorError
from detector.service.alerts.rule_settings import RuleSettings, rule_settings, set_rule
from detector.service.alerts.rules import Threshold
from detector.service.workspace import Workspace
from detector.ui.frame import actor, allowed
from detector.ui.states import error_panel

_FAILED, _DONE = "alert_rule_failed", "alert_rule_done"


def rules_panel(ws: Workspace) -> None:
    """Show each rule with its thresholds; a change is written into the audit log."""
    error = st.session_state.pop(_FAILED, None)
    if error is not None:
        error_panel("The rule was not changed", error)
    if st.session_state.pop(_DONE, False):
        st.toast("The rule is changed.", icon=":material/check:")
    st.caption("Rules are applied about every quarter of a minute, and right after a file was scored.")
    changes = allowed("manage")
    for known in rule_settings(ws):
        _rule(ws, known, fixed=not changes)


def _rule(ws: Workspace, known: RuleSettings, *, fixed: bool) -> None:
    rule = known.rule
    mark = "" if known.enabled else " · off"
    with st.expander(f"{rule.title} · {rule.level}{mark}", key=f"rule_{rule.name}"):
        st.markdown(rule.says)
        st.caption(rule.todo)
        with st.form(f"rule_form_{rule.name}", border=False):
            st.toggle("Watched", value=known.enabled, key=_key(known, "enabled"), disabled=fixed)
            if rule.thresholds:
                for column, threshold in zip(st.columns(len(rule.thresholds)), rule.thresholds, strict=True):
                    with column:
                        _field(known, threshold, fixed=fixed)
            st.form_submit_button("Change the rule", on_click=_change, args=(ws, known), disabled=fixed)


def _field(known: RuleSettings, threshold: Threshold, *, fixed: bool) -> None:
    value, scale = known.thresholds[threshold.name], _scale(threshold)
    whole = threshold.unit in ("count", "minutes")
    kind = int if whole else float
    st.number_input(
        threshold.label + (", %" if threshold.unit == "share" else ""),
        min_value=kind(threshold.low * scale),
        max_value=kind(threshold.high * scale),
        value=kind(round(value * scale, 6)),
        step=kind(1) if whole or threshold.unit == "share" else 0.1,
        format="%d" if whole else "%.1f",
        key=_key(known, threshold.name),
        help=f"Usually {threshold.default * scale:g}",
        disabled=fixed,
    )


def _change(ws: Workspace, known: RuleSettings) -> None:
    thresholds = {
        threshold.name: float(st.session_state[_key(known, threshold.name)]) / _scale(threshold)
        for threshold in known.rule.thresholds
    }
    try:
        set_rule(
            ws,
            known.rule.name,
            enabled=bool(st.session_state[_key(known, "enabled")]),
            thresholds=thresholds,
            actor=actor(),
            seen=known.revision,
        )
    except DetectorError as error:
        st.session_state[_FAILED] = error
    else:
        st.session_state[_DONE] = True


def _scale(threshold: Threshold) -> float:
    return 100.0 if threshold.unit == "share" else 1.0


def _key(known: RuleSettings, field: str) -> str:
    # Another revision has fields of its own, with what is in force by then.
    return f"rule_{known.rule.name}_{field}_{known.revision}"
