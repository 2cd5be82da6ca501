from __future__ import annotations

import sys

import pytest

from detector.errors import DetectorError, InputError, Problem
from detector.terminal import print_error, progress_line


def test_an_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DetectorError("The disk is full."))
    assert capsys.readouterr().err == "error: The disk is full.\n"


def test_an_input_error_lists_where_it_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("not_a_number", "is not a number", row=3, line=4, column="amount", excerpt="abc")
    print_error(InputError("week1.csv cannot be used.", [problem, Problem("empty", "the last line is empty")]))
    assert capsys.readouterr().err.splitlines() == [
        "error: week1.csv cannot be used.",
        "  row 3, line 4, column amount: is not a number (abc)",
        "  the last line is empty",
    ]


def test_many_problems_are_cut_short_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("bad", "is bad", row=row) for row in range(1, 40)]
    print_error(InputError("No.", problems, total=1234))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[-1] == "  and 1,224 more"


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_line() as progress:
        progress(1, 2, "Scoring")
    assert capsys.readouterr().err == ""


def test_progress_redraws_one_line_and_wipes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    clock = iter([10.0, 10.1, 11.0])
    monkeypatch.setattr("detector.terminal.time.monotonic", lambda: next(clock))
    with progress_line() as progress:
        progress(1000, 4000, "Scoring")
        progress(2000, 4000, "Scoring")
        progress(3000, None, "Scoring")
    drawn = capsys.readouterr().err.split("\r")
    assert drawn[1] == "Scoring: 1,000 of 4,000 (25%) rows"
    assert drawn[2].rstrip() == "Scoring: 3,000 rows"
    assert drawn[3].strip() == ""
    assert len(drawn) == 5
