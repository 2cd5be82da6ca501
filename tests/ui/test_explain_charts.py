from datetime import UTC, datetime

import pytest

from detector.service.reasons.importance import ColumnImportance, Dependence, Group, Swarm
from detector.ui.explain_charts import (
    MOST_BARS,
    beeswarm,
    dependence_groups,
    dependence_points,
    importance_bars,
    signed_bars,
    value_shown,
)
from detector.ui.theme import CALM, FLAGGED

PARTS = [("amount", "4,900", 0.31), ("country", "DE", -0.05), ("items", "3", 0.02)]


def test_direction_sign_and_colour_say_the_same() -> None:
    figure = signed_bars(PARTS)
    bar = figure.data[0]
    assert list(bar.x) == [0.31, 0.02, -0.05]
    assert list(bar.text) == ["+0.310", "+0.020", "-0.050"]
    assert list(bar.marker.color) == [FLAGGED, FLAGGED, CALM]
    names = ["amount<br><b>4,900</b>", "items<br><b>3</b>", "country<br><b>DE</b>"]
    assert list(figure.layout.yaxis.ticktext) == names


def test_small_contributions_of_wide_rows_are_summed_in_one_bar() -> None:
    parts = [(f"c{place}", "1", (-1) ** place * 0.5**place) for place in range(30)]
    figure = signed_bars(parts)
    bar = figure.data[0]
    assert len(bar.x) == MOST_BARS + 1
    assert figure.layout.yaxis.ticktext[-1] == "20 other columns"
    assert abs(sum(bar.x) - sum(value for _, _, value in parts)) < 1e-12


def test_a_change_shows_what_was_before_by_shape() -> None:
    figure = signed_bars(PARTS, others=[("amount", "20", -0.1), ("country", "DE", -0.05), ("items", "3", 0.02)])
    marks = figure.data[1]
    assert marks.name == "Before the change"
    assert list(marks.x) == [-0.1, 0.02, -0.05]
    assert marks.marker.symbol == "diamond-open"


def test_a_row_without_columns_has_no_bars() -> None:
    figure = signed_bars([])
    assert len(figure.data[0].x) == 0
    assert figure.layout.xaxis.range[0] < 0.0 < figure.layout.xaxis.range[1]


def test_every_bar_and_its_number_lie_within_the_axis() -> None:
    for parts in ([("a", "1", 0.3)], [("a", "1", -0.3)], [("a", "1", 0.0)], [("a", "1", 0.2), ("b", "1", -0.001)]):
        low, high = signed_bars(parts).layout.xaxis.range
        assert low < 0.0 < high
        for _, _, value in parts:
            assert low < value < high


def test_names_are_no_marks_and_like_beginnings_stay_two_bars() -> None:
    long = "a very long name of a column that goes on"
    figure = signed_bars([(f"{long} 1", "<b>", 0.2), (f"{long} 2", "x", 0.1)])
    assert list(figure.data[0].y) == [0, 1]
    assert figure.layout.yaxis.ticktext[0] == "a very long name of a column<br>that goes on 1<br><b>&lt;b></b>"
    assert signed_bars([(long * 3, "x" * 40, 0.1)]).layout.yaxis.ticktext[0].count("…") == 2


def test_habits_that_differ_in_their_last_words_have_names_apart() -> None:
    habits = [
        f"customer_id: {what} within {span}" for what in ("amount", "amount a row") for span in ("a day", "a week")
    ]
    figure = importance_bars([ColumnImportance(name, 0.1, 0.25, 0.25) for name in habits])
    assert len(set(figure.layout.yaxis.ticktext)) == len(habits)
    assert not any("…" in name for name in figure.layout.yaxis.ticktext)


def test_importance_in_these_rows_and_in_training_differ_by_shape() -> None:
    figure = importance_bars([ColumnImportance("amount", 0.1, 0.8, 0.6), ColumnImportance("items", 0.02, 0.2, 0.4)])
    assert [trace.type for trace in figure.data] == ["bar", "scatter"]
    assert list(figure.data[0].x) == [0.8, 0.2]
    assert list(figure.data[1].x) == [0.6, 0.4]
    importance_bars([])


def test_a_swarm_tells_low_from_high_by_marks_and_each_point_its_row() -> None:
    swarm = Swarm(
        "amount", (0.1, 0.2, -0.1, 0.0), (0.0, 0.1, 0.0, -0.1), (0.1, 1.0, 0.5, None), tuple("abcd"), (7, 8, 9, 10)
    )
    figure = beeswarm([swarm])
    found = {trace.name: (trace.marker.symbol, trace.customdata[0][0]) for trace in figure.data}
    assert found == {
        "Low value": ("triangle-down", 7), "Middle": ("circle-open", 9),
        "High value": ("triangle-up", 8), "Without order": ("x-thin-open", 10),
    }  # fmt: skip
    beeswarm([])


@pytest.mark.parametrize(
    ("values", "kind"), [((1.0, 2.0, 500.0), "log"), ((0.0, 2.0, 500.0), "linear"), ((), "linear")]
)
def test_wide_amounts_are_drawn_on_a_logarithmic_axis(values: tuple[float, ...], kind: str) -> None:
    figure = dependence_points(Dependence("amount", "points", values, values, tuple(range(len(values)))))
    assert figure.layout.xaxis.type == kind


def test_groups_show_their_mean_and_how_far_rows_lie_around_it() -> None:
    trace = dependence_groups("shop", [Group("a", 10, 0.1, 0.05, 0.3), Group("b", 1, 0.2, 0.2, 0.2)]).data[0]
    assert list(trace.y) == [0.1, 0.2]
    assert list(trace.error_y.array) == pytest.approx([0.2, 0.0])
    assert list(trace.error_y.arrayminus) == pytest.approx([0.05, 0.0])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "no value"), (True, "yes"), (4900, "4,900"), (0.5, "0.5"), ("DE", "DE"),
     (datetime(2026, 3, 4, 9, 15, tzinfo=UTC), "2026-03-04 09:15 UTC")],
)  # fmt: skip
def test_values_are_shown_as_people_read_them(value: object, shown: str) -> None:
    assert value_shown(value) == shown
