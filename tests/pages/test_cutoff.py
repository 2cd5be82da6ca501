import pytest

from detector.service import runs
from detector.service.cutoff import cutoffs
from tests.decisions import decide
from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app, trained):
    return app.switch_page("pages/detector/cutoff.py").run()


def test_without_a_model_it_says_what_is_needed(app):
    at = app.switch_page("pages/detector/cutoff.py").run()
    assert "A cutoff needs a model" in said(at)
    assert "Load the sample data" in labels(at)


def test_without_a_run_it_leads_to_scoring(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.switch_page("pages/detector/cutoff.py").run()
    at = press(at, "Score a file")
    assert at.title[0].value == "Score"


def test_work_in_progress_is_shown(page, held):
    held("score")
    page.run()
    assert "of 4,000 rows" in said(page)


def test_without_decisions_no_accuracy_is_invented(page):
    text = said(page)
    assert "Not measurable yet" in text
    assert "Precision:" not in text
    assert len(page.get("plotly_chart")) == 1


def test_each_of_the_three_fields_moves_the_others(page, ws):
    run = runs.get_run(ws, 1)
    spread = cutoffs.spread(ws, run)
    page.number_input(key="cutoff_share").set_value(2.0).run()
    wanted = cutoffs.plan_for_share(spread, 0.02)
    assert page.number_input(key="cutoff_value").value == pytest.approx(wanted.cutoff)
    assert page.number_input(key="cutoff_cases").value == pytest.approx(wanted.a_day, rel=1e-4)
    page.number_input(key="cutoff_value").set_value(80.0).run()
    assert page.number_input(key="cutoff_share").value == pytest.approx(
        cutoffs.plan_at(spread, 80).share * 100, rel=1e-4
    )
    page.number_input(key="cutoff_cases").set_value(3.0).run()
    assert page.number_input(key="cutoff_value").value == pytest.approx(cutoffs.plan_for_cases(spread, 3).cutoff)
    assert ws.champion().cutoff == 90.0


def test_trying_saves_nothing_until_it_is_applied_with_a_reason(page, ws):
    page.number_input(key="cutoff_value").set_value(97.0).run()
    assert "Tried, not saved" in said(page)
    press(page, "Apply")
    assert "Say why the cutoff moves" in said(page)
    assert ws.champion().cutoff == 90.0
    page.text_input(key="cutoff_reason").set_value("Fewer hands this week")
    press(page, "Apply")
    assert ws.current_champion().cutoff == 97.0
    assert "Tried, not saved" not in said(page)
    assert page.table[0].value["Reason"].tolist() == ["Fewer hands this week"]
    page.text_input(key="cutoff_reason").set_value("All are back")
    press(page, "Back to the model's own")
    assert ws.current_champion().cutoff == 90.0
    assert page.number_input(key="cutoff_value").value == 90.0


def test_what_is_tried_outlives_a_page_switch_and_can_be_left(page):
    page.number_input(key="cutoff_value").set_value(97.0).run()
    page.switch_page("pages/analysis/score.py").run()
    page.switch_page("pages/detector/cutoff.py").run()
    assert page.number_input(key="cutoff_value").value == 97.0
    press(page, "Leave it as it is")
    assert page.number_input(key="cutoff_value").value == 90.0


def test_a_cutoff_that_somebody_else_moved_is_not_overwritten(page, ws):
    page.number_input(key="cutoff_value").set_value(97.0).run()
    ws.set_cutoff(93.0, actor="bob")
    page.text_input(key="cutoff_reason").set_value("Fewer")
    press(page, "Apply")
    text = said(page)
    assert ws.current_champion().cutoff == 93.0
    assert "moved to 93 in the meantime" in text
    assert "instead of 93.0" in text


def test_the_capacity_fills_the_day(page, ws):
    cutoffs.set_capacity(ws, 4, actor="test")
    page.run()
    press(page, "Fill the team's capacity (4 a day)")
    assert page.number_input(key="cutoff_cases").value <= 4
    assert "of the team's capacity" in said(page)


def test_decisions_bring_figures_with_their_counts(page, ws):
    run = runs.get_run(ws, 1)
    order = runs.run_rows(ws, 1).index.tolist()
    decide(ws, run, {row: "fraud" if place % 3 else "legitimate" for place, row in enumerate(order[:30])})
    page.run()
    text = said(page)
    assert "20 frauds of 30 decided rows above the cutoff" in text
    assert "95 % interval" in text
    assert "frauds that nobody looked at are not counted" in text
    assert len(page.get("plotly_chart")) == 2
    table = page.dataframe[0].value
    assert {"Decided", "Frauds", "Precision"} <= set(table.columns)


def test_a_run_of_an_earlier_version_is_said_to_be_stale(page, trained, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    page.run()
    assert "Run 1 was scored with version 1; the champion is version 2." in said(page)
    assert "Score again" in labels(page)
