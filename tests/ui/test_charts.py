import pytest

from detector.ui.charts import (
    COLUMN_STATES,
    before_and_after,
    coarser,
    column_grid,
    flagged_per_period,
    ranked_bars,
    severity_histogram,
    two_lines,
)

EDGES = [float(edge) for edge in range(101)]
COUNTS = [10] * 100


def bars(figure, name):
    return next((trace for trace in figure.data if trace.name == name), None)


def test_the_histogram_splits_at_the_cutoff_and_keeps_every_row():
    figure = severity_histogram(EDGES, COUNTS, cutoff=90.0)
    assert sum(bars(figure, "Flagged").y) == 100
    assert sum(bars(figure, "Not flagged").y) == 900
    assert figure.layout.annotations[0].text == "Cutoff 90.0"


def test_without_a_cutoff_nothing_is_drawn_as_flagged():
    figure = severity_histogram(EDGES, COUNTS, cutoff=None)
    assert bars(figure, "Flagged") is None
    assert not figure.layout.annotations


def test_the_reference_line_lies_where_even_rows_would():
    figure = severity_histogram(EDGES, COUNTS, cutoff=90.0)
    line = bars(figure, "Spread of the training rows")
    assert list(line.y) == [50.0, 50.0]


@pytest.mark.parametrize(("each", "bins"), [(1, 18), (20, 45), (1000, 90)])
def test_few_rows_get_few_bins(each, bins):
    figure = severity_histogram(EDGES, [each] * 100, cutoff=90.0)
    assert len(bars(figure, "Not flagged").y) == bins


def test_a_histogram_of_no_rows_has_its_cutoff_and_no_bars():
    figure = severity_histogram([], [], cutoff=90.0)
    assert not figure.data
    assert figure.layout.annotations[0].text == "Cutoff 90.0"


@pytest.mark.parametrize(("bins", "left"), [(50, 50), (25, 25), (100, 100), (33, 100), (300, 100)])
def test_bins_are_joined_only_where_that_comes_out_even(bins, left):
    edges, counts = coarser(EDGES, COUNTS, bins)
    assert len(counts) == left
    assert len(edges) == left + 1
    assert sum(counts) == 1000
    assert (edges[0], edges[-1]) == (0.0, 100.0)


def test_before_and_after_differ_by_more_than_their_colour():
    figure = before_and_after(EDGES, COUNTS, COUNTS, names=("Version 1", "After"), axis="Severity")
    assert [trace.line.dash for trace in figure.data] == ["dash", "solid"]
    assert all(sum(trace.y[:-1]) == 1000 for trace in figure.data)


def test_the_two_detectors_differ_by_line_and_by_mark():
    figure = two_lines([1, 2], [0.1, 0.1], [0.1, 0.02], axis="Flagged", reference=(0.1, "meant"), share=True)
    assert [(trace.line.dash, trace.marker.symbol) for trace in figure.data] == [("solid", "circle"), ("dash", "x")]
    assert figure.layout.yaxis.tickformat == ".0%"


def test_a_period_tells_its_rows_and_its_share_when_pointed_at():
    figure = flagged_per_period(["1 Mar", "2 Mar"], [100, 0], [10, 0])
    assert [tuple(line) for line in figure.data[0].customdata] == [(100, 0.1), (0, 0.0)]


def test_the_largest_reason_stands_on_top():
    figure = ranked_bars(["amount", "merchant"], [5, 2], axis="Rows")
    assert figure.layout.yaxis.autorange == "reversed"
    assert list(figure.data[0].text) == ["5", "2"]


def test_an_empty_ranking_has_no_bars():
    assert len(ranked_bars([], [], axis="Rows").data[0].x) == 0


def test_the_column_grid_marks_each_state_with_a_sign_of_its_own():
    states = [["matched", "missing"], ["absent", "new"], ["matched", "retyped"]]
    figure = column_grid(["a", "b", "c"], ["Week 1", "Week 2"], states)
    assert [list(line) for line in figure.data[0].text] == [["", "–"], ["", "+"], ["", "≠"]]
    assert [list(line) for line in figure.data[0].customdata][1] == ["not there yet", "new"]


def test_states_that_need_attention_are_told_apart_without_colour():
    marks = [COLUMN_STATES[state][1] for state in ("new", "missing", "partly missing", "retyped")]
    assert len(set(marks)) == 4
    assert all(marks)


def test_charts_leave_background_and_text_to_the_theme():
    figure = severity_histogram(EDGES, COUNTS, cutoff=90.0)
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color is None


def test_fewer_labels_stand_under_the_bars_when_they_are_long() -> None:
    short = flagged_per_period(["4 Mar"] * 14, [10] * 14, [1] * 14)
    long = flagged_per_period(["4 Mar 2018"] * 14, [10] * 14, [1] * 14)
    assert long.layout.xaxis.nticks < short.layout.xaxis.nticks


def test_the_name_of_a_cutoff_stands_below_the_legend_wherever_it_is():
    figure = severity_histogram([0.0, 50.0, 100.0], [3, 1], cutoff=20.0)
    (named,) = figure.layout.annotations
    assert (named.y, named.yanchor, figure.layout.legend.yanchor) == (1, "bottom", "bottom")
    assert figure.layout.legend.y > named.y + 0.1
