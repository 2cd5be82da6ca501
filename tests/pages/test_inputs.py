"""Every file of ``tests/cases``, numbered 1 to 41, in the uploaders of the pages: read or refused, never a crash."""

import pytest

from tests.cases import CASES, Refused
from tests.pages.saying import labels, press, said

PLAIN = [case for case in CASES if not case.options]


def test_every_number_is_among_the_files():
    # Kinds of which every file needs to be told how to read it go through the reader and the upload.
    needs_telling = set(range(1, 42)) - {case.number for case in PLAIN}
    assert needs_telling == {24, 25, 26, 27}


@pytest.fixture
def walk(app, upload):
    """Return a function that puts every file into a page, one after the other, and gives what the page says."""

    def go(script):
        at = app.switch_page(script).run()
        for case in CASES:
            at = upload(at, case.name, case.content)
            yield case, said(at), labels(at)
            if "Choose another file" in labels(at):
                at = press(at, "Choose another file")

    return go


@pytest.mark.parametrize(
    ("script", "begin"), [("pages/detector/train.py", "Train on"), ("pages/analysis/score.py", "Score")]
)
def test_a_file_is_taken_or_refused_with_what_is_wrong(trained, walk, script, begin):
    walked = 0
    for case, text, buttons in walk(script):
        walked += 1
        if case.options or not isinstance(case.outcome, Refused):
            continue
        assert "This file cannot be" in text, case
        assert not any(label.startswith(begin) for label in buttons), case
        if script.endswith("train.py"):
            told = [words.replace("\\", "").lower() for words in case.outcome.says]
            assert [words for words in told if words not in text.lower()] == [], case
    assert walked == len(CASES)
