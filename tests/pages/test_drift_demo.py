import pytest

from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app):
    return app.switch_page("pages/detector/drift_demo.py").run()


def test_the_demo_begins_with_one_button(page):
    assert labels(page) == ["Play week 1"]
    assert "plain isolation forest" in said(page)


@pytest.fixture
def played(page):
    for week in range(1, 6):
        press(page, f"Play week {week}")
    return page


def test_all_five_weeks_can_be_played_and_looked_at_again(played, ws):
    text = said(played)
    assert "All five weeks are played" in text
    assert len(played.get("plotly_chart")) == 3
    assert "card_present changes its type" in text
    played.segmented_control[0].set_value(4).run()
    assert "entry_mode and device_score vanish" in said(played)
    assert ws.champion() is None
    at = press(played, "Start over")
    assert labels(at) == ["Play week 1"]
