from detector.ui.explain_charts import MOST_BARS, signed_bars
from detector.ui.theme import CALM, FLAGGED

PARTS = [("amount", "4,900", 0.31), ("country", "DE", -0.05), ("items", "3", 0.02)]


def test_direction_sign_and_colour_say_the_same() -> None:
    bar = signed_bars(PARTS).data[0]
    assert list(bar.x) == [0.31, 0.02, -0.05]
    assert list(bar.text) == ["+0.310", "+0.020", "-0.050"]
    assert list(bar.marker.color) == [FLAGGED, FLAGGED, CALM]
    assert list(bar.y) == ["amount = 4,900", "items = 3", "country = DE"]


def test_small_contributions_of_wide_rows_are_summed_in_one_bar() -> None:
    parts = [(f"c{place}", "1", (-1) ** place * 0.5**place) for place in range(30)]
    bar = signed_bars(parts).data[0]
    assert len(bar.x) == MOST_BARS + 1
    assert bar.y[-1] == "20 other columns"
    assert abs(sum(bar.x) - sum(value for _, _, value in parts)) < 1e-12


def test_a_change_shows_what_was_before_by_shape() -> None:
    figure = signed_bars(PARTS, others=[("amount", "20", -0.1), ("country", "DE", -0.05), ("items", "3", 0.02)])
    marks = figure.data[1]
    assert marks.name == "Before the change"
    assert list(marks.x) == [-0.1, 0.02, -0.05]
    assert marks.marker.symbol == "diamond-open"


def test_a_row_without_columns_can_be_drawn() -> None:
    signed_bars([])
