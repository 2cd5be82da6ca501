import pytest

from tests.pages.saying import labels, press, said

OFFER = "Set the faulty rows aside"


@pytest.fixture
def faulty(files):
    """Week 2 with two rows that cannot be read."""
    lines = files["week2.csv"].decode().splitlines()
    lines.insert(5, lines[5] + ",surplus")
    lines.insert(9, lines[9] + ",surplus")
    return "\n".join(lines).encode()


def downloads(at):
    return [button.label for button in at.get("download_button")]


def test_training_goes_on_without_the_faulty_rows(app, upload, finish, ws, faulty):
    page = app.switch_page("pages/detector/train.py").run()
    at = upload(page, "faulty.csv", faulty)
    assert "This file cannot be read" in said(at)
    assert "You see how many there are" in said(at)
    at = press(at, OFFER)
    text = said(at)
    assert "cannot be read" not in text
    assert "2 of 402 rows set aside" in text
    assert "Rows: 400" in text
    assert downloads(at) == ["Download these rows"]
    assert at.selectbox(key="train_faulty").value == "Set them aside"
    at = finish(press(at, "Train on 400 rows"))
    assert "2 of 402 rows could not be read and were set aside." in said(at)
    assert downloads(at) == ["Download these rows"]
    assert ws.champion().rows == 400


def test_scoring_goes_on_without_the_faulty_rows(app, trained, upload, finish, faulty):
    page = app.switch_page("pages/analysis/score.py").run()
    at = upload(page, "faulty.csv", faulty)
    assert "Score this file" not in labels(at)
    at = press(at, OFFER)
    assert "2 of 402 rows set aside" in said(at)
    at = finish(press(at, "Score this file"))
    assert "2 of 402 rows set aside" in said(at)
    assert "Rows: 400" in said(at)
    assert "Download these rows" in downloads(at)


def test_an_update_is_previewed_without_the_faulty_rows(app, trained, upload, finish, faulty):
    page = app.switch_page("pages/detector/update.py").run()
    at = press(upload(page, "faulty.csv", faulty), OFFER)
    assert "2 of 402 rows set aside" in said(at)
    at = finish(press(at, "Preview the update"))
    assert "Preview: learning from 400 rows" in said(at)
    assert "2 of 402 rows set aside" in said(at)
    at = press(at, "Reject")
    assert "set aside" not in said(at)


def test_faulty_rows_can_be_refused_again(app, upload, faulty):
    page = app.switch_page("pages/detector/train.py").run()
    at = press(upload(page, "faulty.csv", faulty), OFFER)
    at.selectbox(key="train_faulty").select("Refuse the file")
    at = press(at, "Read again")
    assert "This file cannot be read" in said(at)
    assert OFFER in labels(at)


def test_a_file_that_no_setting_aside_heals_does_not_offer_it(app, upload, files):
    page = app.switch_page("pages/detector/train.py").run()
    lines = files["week2.csv"].decode().splitlines()
    at = upload(page, "twice.csv", "\n".join([lines[0].replace("country", "amount"), *lines[1:]]).encode())
    assert "This file cannot be read" in said(at)
    assert OFFER not in labels(at)


def test_a_file_of_faulty_rows_alone_says_that_none_is_left(app, trained, upload, files):
    page = app.switch_page("pages/analysis/score.py").run()
    lines = files["week2.csv"].decode().splitlines()[:4]
    at = press(upload(page, "all.csv", "\n".join([lines[0], *(line + ",x" for line in lines[1:])]).encode()), OFFER)
    assert "All were set aside." in said(at)
    assert "Score this file" not in labels(at)
