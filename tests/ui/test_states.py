import pytest
from streamlit.testing.v1 import AppTest

from detector.ui.states import ADVICE, escaped


def test_an_empty_page_offers_one_first_step_and_the_sample_data():
    def page():
        import streamlit as st

        from detector.ui.states import nothing_yet

        def loaded():
            st.session_state["loaded"] = True

        if nothing_yet("There is no model yet.", "Train a model", key="here", load_sample=loaded):
            st.markdown("pressed")

    at = AppTest.from_function(page).run()
    assert at.markdown[0].value == "There is no model yet."
    assert [button.label for button in at.button] == ["Train a model", "Load the sample data"]
    at.button(key="here_load_sample").click().run()
    assert at.session_state["loaded"]
    at.button(key="here_first_step").click().run()
    assert at.markdown[-1].value == "pressed"


def test_an_error_names_the_places_says_what_to_do_and_folds_the_detail_away():
    def page():
        from detector.errors import InputError, Problem
        from detector.ui.states import error_panel

        problem = Problem(
            "not_a_number", "'12,4O' is not a number", row=845, line=846, column="amount", excerpt="12,4O"
        )
        error_panel("This file cannot be read", InputError("week.csv: 880 values cannot be read.", [problem], 880))

    at = AppTest.from_function(page).run()
    assert "This file cannot be read" in at.error[0].value
    assert "880 values" in at.error[0].value
    table = at.table[0].value
    assert list(table.columns) == ["Row", "Line in the file", "Column", "What is wrong", "Value found"]
    assert "845" in str(table.iloc[0].tolist())
    assert "1 of 880" in at.caption[0].value
    assert at.markdown[-1].value == ADVICE["bad_input"]
    assert at.expander[0].label == "Technical detail"
    assert not at.exception


def test_an_error_kept_in_the_database_is_shown_as_well():
    def page():
        from detector.ui.states import error_panel

        error_panel("Training failed", {"code": "something_new", "message": "It broke."})

    at = AppTest.from_function(page).run()
    assert "It broke" in at.error[0].value
    assert "pass the technical detail on" in at.markdown[-1].value


def test_names_from_files_cannot_become_markdown():
    assert escaped("a*b_[c](d):red[e]") == r"a\*b\_\[c\]\(d\)\:red\[e\]"


@pytest.mark.parametrize(
    "text", [":material/delete:", "a :smile: b", ":+1:", "in -> out", "->", "a <-> b", "x >= y", "a -- b"]
)
def test_what_is_replaced_after_markdown_is_kept_apart_by_something_that_nobody_sees(text):
    shown = escaped(text).replace("\\", "")
    assert shown != text
    assert shown.replace("\u2060", "") == text


@pytest.mark.parametrize("text", ["12:30", "a->b", "amount: 5", "2026-03-01T10:00:00", "a-b", "x:y"])
def test_nothing_is_put_into_other_texts(text):
    assert "\u2060" not in escaped(text)
