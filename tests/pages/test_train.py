import pytest

from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app):
    return app.switch_page("pages/detector/train.py").run()


def test_an_empty_page_asks_for_a_file_or_offers_the_sample(page):
    assert len(page.file_uploader) == 1
    assert labels(page) == ["Load the sample data"]


def test_a_file_is_checked_before_training(page, upload):
    at = upload(page, "week1.csv")
    text = said(at)
    assert "Rows: 400" in text
    assert "Duplicate rows: 0" in text
    assert "Read as CSV, UTF-8, comma between columns." in text
    columns = at.get("arrow_data_frame")[0].value if not at.dataframe else at.dataframe[0].value
    roles = dict(zip(columns["Column"], columns["Role"], strict=True))
    assert roles["transaction_id"] == "id"
    assert roles["is_fraud"] == "label"
    assert "Train on 400 rows" in labels(at)


def test_training_shows_the_rows_held_out_and_what_cutoffs_flag(page, upload, finish):
    at = finish(press(upload(page, "week1.csv"), "Train on 400 rows"))
    text = said(at)
    assert "Version 1, the champion" in text
    assert "rows held out" in text
    assert len(at.get("plotly_chart")) == 1
    shares = at.table[0].value["Meant to flag"].tolist()
    assert [share for share in shares if share in {"0.5%", "1.0%", "2.0%", "5.0%"}] == ["0.5%", "1.0%", "2.0%", "5.0%"]
    at = press(at, "Score a file")
    assert at.title[0].value == "Score"


def test_parameters_reach_the_model(page, upload, finish, ws):
    at = upload(page, "week1.csv")
    at.number_input(key="train_contamination").set_value(2.5)
    at.number_input(key="train_trees").set_value(50)
    finish(press(at, "Train on 400 rows"))
    champion = ws.champion()
    assert champion.cutoff == pytest.approx(97.5)
    assert champion.detector.n_estimators == 50


def test_a_file_that_cannot_be_read_says_where(page, upload, files):
    lines = files["week1.csv"].decode().splitlines()
    at = upload(page, "twice.csv", "\n".join([lines[0].replace("country", "amount"), *lines[1:]]).encode())
    text = said(at)
    assert "This file cannot be read" in text
    assert "amount" in text
    assert not [label for label in labels(at) if label.startswith("Train on")]


def test_a_training_that_fails_says_why_and_can_be_dismissed(page, upload, finish):
    at = upload(page, "one.csv", b"a,b\n1,2\n")
    at = finish(press(at, "Train on 1 row"))
    assert "Training failed" in said(at)
    at = press(at, "Dismiss")
    assert "Training failed" not in said(at)


def test_training_in_progress_shows_on_the_page(page, held):
    held("train")
    page.run()
    assert "Training" in said(page)
    assert "of 4,000 rows" in said(page)
    assert not page.file_uploader


def test_an_updated_champion_says_where_it_came_from(app, trained, files):
    from detector.service import uploads
    from detector.service.versions.updating import accept_update, preview_update

    week = uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test")
    accept_update(trained, preview_update(trained, week.id).token, actor="test")
    at = app.switch_page("pages/detector/train.py").run()
    assert "It was made by an update" in said(at)


def test_a_decimal_comma_can_be_named_where_the_file_does_not_show_it(page, upload):
    content = b"a;b\n" + b"1,234;2\n" * 60
    at = upload(page, "comma.csv", content)
    assert "decimal mark" in said(at)
    at.selectbox(key="train_decimal").select("Comma, as in 1.234,5")
    at = press(at, "Read again")
    assert "1.234" in at.dataframe[0].value.loc[0, "Examples"]


def test_a_delimiter_can_be_chosen_where_it_was_recognised_wrongly(page, upload):
    content = b"a;b\n" + b"1;2\n" * 60
    at = upload(page, "semicolon.csv", content)
    at.selectbox(key="train_delimiter").select("Semicolon")
    at = press(at, "Read again")
    assert "semicolon between columns" in said(at)
