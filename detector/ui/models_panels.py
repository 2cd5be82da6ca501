"""The parts of the Models page: the list of versions, one version in detail, and what may be done with it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import challenging, training
from detector.service.versions.challenging import Standing
from detector.service.workspace import Workspace
from detector.store.versions import VersionInfo
from detector.ui.frame import actor, allowed
from detector.ui.lasting import choose, chosen_last, lasting_key, remember
from detector.ui.numbers import NONE, age, count, listed, moment, percent, plural, severity, size
from detector.ui.states import error_panel, escaped

_FAILED = "models_failed"
_CHOSEN = "models_version"
#: Up to this many versions are shown without scrolling.
_ALL_SHOWN = 10


def failure_panel() -> None:
    """Show why the last change was not made, once."""
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        error_panel("Nothing was changed", failed)


def keep_failure(error: DetectorError) -> None:
    """Keep why a change was not made, for :func:`failure_panel`."""
    st.session_state[_FAILED] = error


def role_of(version: int, now: Standing) -> str:
    """Return what a version is at present, in a word; nothing for most."""
    if version == now.champion.version:
        return "champion"
    return "challenger" if now.challenger is not None and version == now.challenger.version else ""


def versions_table(versions: tuple[VersionInfo, ...], now: Standing) -> None:
    """Show the versions, newest first; a button in each row opens it below."""
    event = "models_open"
    st.dataframe(
        {
            "Open": [f"Version {one.number}" for one in versions],
            "Now": [role_of(one.number, now).capitalize() for one in versions],
            "How it came": [_origin(one) for one in versions],
            "Made": [age(one.created_at) for one in versions],
            "By": [one.created_by for one in versions],
            "Rows learned": [count(one.rows) for one in versions],
            "Columns": [count(len(one.features)) for one in versions],
            "Cutoff": [severity(one.cutoff) for one in versions],
            "Size": [size(one.size) for one in versions],
        },
        hide_index=True,
        width="stretch",
        height="content" if len(versions) <= _ALL_SHOWN else 388,
        column_config={
            "Open": st.column_config.ButtonColumn(width=105, key=event),
            "Rows learned": st.column_config.TextColumn(alignment="right"),
            "Columns": st.column_config.TextColumn(alignment="right", width=75),
            "Cutoff": st.column_config.TextColumn(
                alignment="right", width=70, help="What its share to flag implies, where nobody set another."
            ),
            "Size": st.column_config.TextColumn(alignment="right", width=80),
        },
    )
    clicked = st.session_state.get(event)
    if clicked is not None and clicked.row < len(versions):
        choose(_CHOSEN, versions[clicked.row].number)


def chosen_version(versions: tuple[VersionInfo, ...], now: Standing) -> VersionInfo:
    """Let a person choose a version; the champion unless another is chosen."""
    known = {one.number: one for one in versions}
    numbers = list(known)
    first = numbers.index(chosen_last(_CHOSEN, numbers, now.champion.version))
    key = lasting_key(_CHOSEN)
    # The same words whatever a version is at present: the browser knows an option by them.
    chosen = st.selectbox("Version", numbers, index=first, format_func="Version {}".format, key=key, width=320)
    return known[remember(_CHOSEN, chosen)]


def version_details(ws: Workspace, info: VersionInfo) -> None:
    """Show what a version has learned, from what and from whom it descends."""
    figures = st.columns(5)
    figures[0].metric("Rows learned", count(info.rows))
    figures[1].metric("Columns", count(len(info.features)))
    figures[2].metric(
        "Cutoff as champion",
        severity(challenging.cutoff_as_champion(ws, info.number)),
        help="Its own, unless a person has set another for the champion.",
    )
    figures[3].metric("Size", size(info.size))
    figures[4].metric("Made", age(info.created_at), help=f"{moment(info.created_at)} by {info.created_by}.")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**What it learned from**")
        st.markdown("\n".join(f"- {line}" for line in _learned_from(ws, info)))
    with right:
        st.markdown("**Descent**")
        st.markdown("\n".join(f"{place}. {_generation(one)}" for place, one in enumerate(_shortened(ws, info), 1)))
    with st.expander("Columns and checksum"):
        st.markdown(escaped(listed(info.features, 200)) or "No column takes part.")
        st.code(f"SHA-256 {info.sha256}", language=None, wrap_lines=True)


def actions(ws: Workspace, info: VersionInfo, now: Standing) -> None:
    """Offer to promote a version, or go back to it, with a reason, and to let it challenge or stop challenging."""
    role = role_of(info.number, now)
    if role == "champion":
        st.badge("This version is the champion; it scores.", icon=":material/check:", color="green")
        return
    if not allowed("manage"):
        return
    back = info.number < now.champion.version
    with st.container(border=True):
        with st.form("models_promote_form", border=False, clear_on_submit=True):
            st.text_input(
                f"Reason to {'go back to' if back else 'promote'} version {info.number}",
                key="models_reason",
                max_chars=500,
                placeholder="Kept in the log",
            )
            st.form_submit_button(
                f"{'Roll back to' if back else 'Promote'} version {info.number}",
                type="primary",
                key="models_promote",
                on_click=partial(_promote, ws, info.number, now),
            )
        if role == "challenger":
            st.button("Stop the challenge", key="models_stop", on_click=partial(_stop, ws, now))
        else:
            st.button("Make challenger", key="models_challenge", on_click=partial(_challenge, ws, info.number, now))
    st.caption(
        "The champion scores files and requests. A challenger changes nothing by itself: below it is compared with the "
        "champion on a file, or tried on live requests."
    )


def _promote(ws: Workspace, version: int, seen: Standing) -> None:
    try:
        challenging.promote(
            ws, version, seen=seen.champion, actor=actor(), reason=st.session_state.get("models_reason", "")
        )
    except DetectorError as error:
        keep_failure(error)
    else:
        st.toast(f"Version {version} is the champion now.", icon=":material/check:")


def _challenge(ws: Workspace, version: int, seen: Standing) -> None:
    try:
        challenging.make_challenger(ws, version, seen=seen.challenger, actor=actor())
    except DetectorError as error:
        keep_failure(error)


def _stop(ws: Workspace, seen: Standing) -> None:
    if seen.challenger is None:
        return
    try:
        challenging.stop_challenge(ws, seen=seen.challenger, actor=actor())
    except DetectorError as error:
        keep_failure(error)


def _origin(info: VersionInfo) -> str:
    return f"{info.origin} from {info.parent}" if info.parent else info.origin


def _generation(info: VersionInfo) -> str:
    told = escaped(info.figures.get("file") or (info.figures.get("update") or {}).get("name") or "")
    return (
        f"**Version {info.number}**, {info.origin} {age(info.created_at)}, {plural(info.rows, 'row')} in all"
        f"{f', {told}' if told else ''}"
    )


def _shortened(ws: Workspace, info: VersionInfo) -> tuple[VersionInfo, ...]:
    """Return the first version and the last eight of a long descent."""
    chain = challenging.lineage(ws, info.number)
    return chain if len(chain) <= 9 else (chain[0], *chain[-8:])


def _learned_from(ws: Workspace, info: VersionInfo) -> list[str]:
    figures = info.figures
    told = []
    result = training.train_result(ws, info.number)
    if result is not None:
        file = f" of {escaped(figures['file'])}" if figures.get("file") else ""
        told.append(f"{plural(result.rows, 'row')}{file}")
        if result.set_aside:
            told.append(f"{plural(result.set_aside, 'faulty row')} set aside")
        if result.held_out_rows:
            told.append(
                f"Flagged on {plural(result.held_out_rows, 'row')} held out: "
                + ", ".join(
                    f"{percent(flagged)} where {percent(share / 100)} were meant"
                    for share, flagged in result.flagged_shares.items()
                )
            )
        told.append(f"Share to flag: {percent(result.parameters.contamination)}")
    update = figures.get("update")
    if update:
        file = f" of {escaped(update['name'])}" if update.get("name") else ""
        told.append(f"{plural(update['rows'], 'new row')}{file}, on top of version {info.parent}")
        learned = update.get("columns_to_learn") or ()
        told.append(f"New columns: {escaped(listed(learned, 8))}" if learned else "No new column")
        if "newly_flagged" in update:
            told.append(
                f"On {plural(update['compared_rows'], 'row')} of the file: {count(update['newly_flagged'])} newly "
                f"flagged, {count(update['no_longer_flagged'])} no longer"
            )
    if figures.get("sha256"):
        told.append(f"SHA-256 of the file begins with {figures['sha256'][:12]}")
    return told or [f"Nothing is known: it was {info.origin}" if info.origin else NONE]
