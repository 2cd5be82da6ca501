"""The parts of the Train page that are more than a line: how a file was read, the parameters, the result."""

from __future__ import annotations

import streamlit as st

from detector.service.uploads import FileCheck
from detector.service.versions.training import TrainParameters, TrainResult
from detector.ui.charts import severity_histogram
from detector.ui.files import DELIMITERS
from detector.ui.numbers import count, listed, percent, plural
from detector.ui.states import escaped
from detector.ui.theme import CONFIG

#: Below this, a share of 0.5 % rests on fewer than ten rows.
_FEW_HELD_OUT = 2_000


def check_summary(check: FileCheck) -> None:
    """Say how a file was read, what it holds, and what a person should look at."""
    read_as = [check.format.upper() if len(check.format) < 5 else check.format.capitalize()]
    read_as += [part for part in (check.encoding and check.encoding.upper(), _delimiter_word(check.delimiter)) if part]
    figures = st.columns(4)
    figures[0].metric("Rows", count(check.rows))
    figures[1].metric("Columns", count(len(check.columns)))
    figures[2].metric("Duplicate rows", count(check.duplicates))
    figures[3].metric("Constant columns", count(sum(column.constant for column in check.columns)))
    if check.warnings:
        st.warning("\n\n".join(escaped(sentence) for sentence in check.warnings), icon=":material/warning:")
    st.caption(" ".join([f"Read as {', '.join(read_as)}.", *(escaped(note) for note in check.notes)]))


def parameters_form() -> TrainParameters:
    """Show the parameters, folded away; the defaults suit most files."""
    defaults = TrainParameters()
    with st.expander("Parameters"):
        left, middle, right = st.columns(3)
        contamination = left.number_input(
            "Share to flag, %",
            min_value=0.1,
            max_value=50.0,
            value=defaults.contamination * 100,
            step=0.5,
            format="%.1f",
            key="train_contamination",
            help="Only sets the first cutoff. It can be moved later without training again.",
        )
        trees = middle.number_input(
            "Trees", min_value=10, max_value=1000, value=defaults.n_estimators, step=10, key="train_trees"
        )
        rows = right.number_input(
            "Rows a tree",
            min_value=2,
            max_value=100_000,
            value=None,
            step=64,
            placeholder="auto: 256",
            key="train_rows_per_tree",
        )
        scaler = left.selectbox(
            "Scale of deviations",
            ["robust", "standard", "minmax"],
            key="train_scaler",
            help="How reasons are measured; scores stay.",
        )
        seed = middle.number_input("Random seed", min_value=0, value=defaults.random_state, step=1, key="train_seed")
    return TrainParameters(
        contamination=float(contamination) / 100,
        n_estimators=int(trees),
        max_samples="auto" if rows is None else int(rows),
        scaler_type=scaler,
        random_state=int(seed),
    )


def training_result(result: TrainResult, cutoff: float) -> None:
    """Show what a training gave: how rows held out spread, what each cutoff would flag, what was left out."""
    st.markdown(
        f"Learned {plural(len(result.features), 'column')} from {plural(result.rows, 'row')}: "
        f"{escaped(listed(result.features, 8))}."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        if result.held_out_rows:
            st.markdown(f"**How severe {plural(result.held_out_rows, 'row')} held out are**")
            st.plotly_chart(
                severity_histogram(result.score_histogram.edges, result.score_histogram.counts, cutoff=cutoff),
                config=CONFIG,
                key="train_histogram",
                alt="Rows held out, by severity",
            )
        else:
            st.caption("Fewer than 50 rows: none were held out, so there is nothing to measure on.")
    with right:
        if result.flagged_shares:
            st.markdown("**What a cutoff would flag**")
            st.table(
                {
                    "Meant to flag": [percent(share / 100) for share in result.flagged_shares],
                    "Flags": [percent(flagged) for flagged in result.flagged_shares.values()],
                    "Of 10,000 rows": [count(round(flagged * 10_000)) for flagged in result.flagged_shares.values()],
                },
                border="horizontal",
                hide_index=True,
            )
            rough = " With so few, the smallest shares are rough." if result.held_out_rows < _FEW_HELD_OUT else ""
            st.caption(f"Measured on {plural(result.held_out_rows, 'row')} held out.{rough}")
    if result.left_out:
        with st.expander(f"{plural(len(result.left_out), 'column')} left out"):
            st.table(
                {
                    "Column": [escaped(name) for name, _ in result.left_out],
                    "Why": [escaped(reason) for _, reason in result.left_out],
                },
                border="horizontal",
                hide_index=True,
            )
    for note in result.notes:
        st.caption(escaped(note))


def _delimiter_word(delimiter: str | None) -> str | None:
    words = {value: name.lower() for name, value in DELIMITERS.items() if value}
    return None if delimiter is None else f"{words.get(delimiter, repr(delimiter))} between columns"
