import pytest

from detector.core.drift_bins import Overlay
from detector.ui.drift_charts import overlaid

NUMBERS = Overlay(("up to 10", "to 20", "above 20"), (0.2, 0.5, 0.3), (0.1, 0.3, 0.6))
WORDS = Overlay(("web", "<b>bold</b>", "x" * 60), (0.5, 0.4, 0.1), (0.3, 0.3, 0.4))


def test_numbers_are_two_steps_that_differ_by_more_than_colour():
    before, now = overlaid(NUMBERS, ("Training", "Run 3"), numbers=True).data
    assert (before.name, now.name) == ("Training", "Run 3")
    assert (before.line.dash, now.line.dash) == ("dash", "solid")
    assert list(before.y) == [0.2, 0.5, 0.3, 0.3]


def test_categories_are_pairs_of_bars_that_differ_by_more_than_colour():
    before, now = overlaid(WORDS, ("Training", "Run 3"), numbers=False).data
    assert before.marker.pattern.shape == "/"
    assert not now.marker.pattern.shape
    assert list(now.x) == [0.3, 0.3, 0.4]


def test_markup_in_a_category_is_text_and_long_names_are_cut():
    figure = overlaid(WORDS, ("Training", "Run 3"), numbers=False)
    assert figure.layout.yaxis.ticktext[1] == "&lt;b&gt;bold&lt;/b&gt;"
    assert len(figure.layout.yaxis.ticktext[2]) == 24
    assert "<b>" not in figure.data[0].customdata[1]


@pytest.mark.parametrize("bins", [1, 25])
def test_few_ticks_are_labelled(bins):
    overlay = Overlay(tuple(f"to {i}" for i in range(bins)), (1 / bins,) * bins, (1 / bins,) * bins)
    assert len(overlaid(overlay, ("a", "b"), numbers=True).layout.xaxis.tickvals) <= 9
