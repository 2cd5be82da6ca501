"""Every promise in its short form: it is kept, and its check notices when it is broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from trust.promise import Promise, Size
from trust.promises import all_promises

PROMISES = all_promises()
NAMES = [promise.name for promise in PROMISES]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES)
def test_it_is_kept(promise: Promise, tmp_path: Path) -> None:
    outcome = promise.check(tmp_path, Size(full=False), False)
    assert outcome.kept, outcome.faults[:5]


@pytest.mark.parametrize("promise", PROMISES, ids=NAMES)
def test_its_check_notices_the_deliberate_break(promise: Promise, tmp_path: Path) -> None:
    assert not promise.check(tmp_path, Size(full=False), True).kept, promise.breaks
