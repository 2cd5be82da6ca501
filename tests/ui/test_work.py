from datetime import UTC, datetime

import pytest

from detector.service.jobs import Job
from detector.ui.work import _going_on, progress_text


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (12_000, 50_000, "12,000 of 50,000 rows"),
        (60_000, 50_000, "50,000 of 50,000 rows"),
        (12_000, None, "12,000 rows"),
        (0, None, "starting"),
    ],
)
def test_progress_is_told_in_rows(done, total, text):
    assert progress_text(done, total) == text


def test_work_that_went_on_after_a_stop_says_so():
    job = Job("x", "score", "running", {}, "ada", 3, 9, "Scoring", None, None, datetime.now(UTC), None)
    assert _going_on(job) == "You can leave this page; the work goes on."
    job = Job("x", "score", "running", {}, "ada", 3, 9, "Scoring", None, None, datetime.now(UTC), None, attempts=2)
    assert "The program was stopped meanwhile" in _going_on(job)
