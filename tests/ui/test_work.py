import pytest

from detector.ui.work import progress_text


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
