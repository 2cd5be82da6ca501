"""The alignment report as people read it: which columns differ, and what was done about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from detector.ui.numbers import count, percent, plural
from detector.ui.states import escaped

#: Up to this many lines are shown without scrolling.
_ALL_SHOWN = 12

#: How each status is said, in the order shown; what needs attention comes first.
STATUS_WORDS = {
    "missing": "missing",
    "retyped": "type changed",
    "renamed": "renamed",
    "unfamiliar": "other categories",
    "rescaled": "other unit",
    "partly missing": "partly missing",
    "unseen categories": "unknown categories",
    "new": "new",
    "left out": "left out",
    "matched": "as learned",
}
_ICONS = {
    "missing": ":orange-badge[:material/remove: {}]",
    "retyped": ":violet-badge[:material/swap_horiz: {}]",
    "renamed": ":violet-badge[:material/label: {}]",
    "unfamiliar": ":violet-badge[:material/swap_horiz: {}]",
    "rescaled": ":violet-badge[:material/straighten: {}]",
    "partly missing": ":orange-badge[:material/contrast: {}]",
    "unseen categories": ":orange-badge[:material/fiber_new: {}]",
    "new": ":green-badge[:material/add: {}]",
    "left out": ":gray-badge[:material/block: {}]",
    "matched": ":blue-badge[:material/check: {}]",
}


def status_badges(report: Mapping[str, Any]) -> str:
    """Return how many columns have each status, as a line of badges."""
    statuses = [str(column["status"]) for column in report.get("columns", ())]
    shown = [
        _ICONS[status].format(f"{statuses.count(status)} {words}")
        for status, words in STATUS_WORDS.items()
        if status in statuses
    ]
    return " ".join(shown)


def status_badge(status: str) -> str:
    """Return the badge of one status."""
    return _ICONS[status].format(STATUS_WORDS[status])


def report_table(report: Mapping[str, Any], *, key: str) -> None:
    """Show the columns that differ, each with what was found and what is done; the rest behind one click.

    Parameters
    ----------
    report
        What ``AlignmentReport.to_dict`` gives.
    key
        Prefix of the widget keys.
    """
    order = list(STATUS_WORDS)
    columns = sorted(report.get("columns", ()), key=lambda column: order.index(str(column["status"])))
    differing = [column for column in columns if column["status"] not in {"matched", "left out"}]
    alike = [column for column in columns if column["status"] in {"matched", "left out"}]
    st.markdown(status_badges(report))
    if differing:
        _columns_table(differing)
    _values(report)
    if alike:
        with st.expander(f"{plural(len(alike), 'column')} as learned or left out", key=f"{key}_alike"):
            _columns_table(alike)


def _columns_table(columns: Sequence[Mapping[str, Any]]) -> None:
    shown: dict[str, list[str]] = {"Column": [], "Status": [], "Type": [], "Rows": [], "What is done": []}
    for column in columns:
        kind, found = column.get("kind"), column.get("kind_found")
        status = str(column["status"])
        came_as = column.get("came_as")
        shown["Column"].append(escaped(f"{column['name']}, now {came_as}" if came_as else str(column["name"])))
        shown["Status"].append(_ICONS[status].format(STATUS_WORDS[status]))
        shown["Type"].append(f"{kind}, now {found}" if kind and found and kind != found else str(kind or found or ""))
        shown["Rows"].append(count(column.get("rows_affected")))
        shown["What is done"].append(escaped(str(column.get("action") or "")))
    st.table(shown, border="horizontal", hide_index=True, height="content" if len(columns) <= _ALL_SHOWN else 420)


def _values(report: Mapping[str, Any]) -> None:
    carried = report.get("importance_carried")
    if carried is not None and carried < 0.9995:
        st.caption(f"The columns at hand carry {percent(carried)} of what the model goes by.")
    unseen: Mapping[str, int] = report.get("unseen") or {}
    if unseen:
        told = ", ".join(f"{name} ({count(rows)} rows)" for name, rows in list(unseen.items())[:5])
        st.caption(f"Values never seen before, scored as the rarest: {told}.")
    unreadable: Sequence[Mapping[str, Any]] = report.get("unreadable") or ()
    if unreadable:
        total = int(report.get("unreadable_total") or len(unreadable))
        with st.expander(f"{plural(total, 'value')} could not be read and count as missing"):
            st.table(
                {
                    "Row": [count(int(cell["row"]) + 1) for cell in unreadable],
                    "Column": [escaped(str(cell["column"])) for cell in unreadable],
                    "Value found": [escaped(str(cell["value"])) for cell in unreadable],
                },
                border="horizontal",
                hide_index=True,
                height="content" if len(unreadable) <= _ALL_SHOWN else 360,
            )
