from __future__ import annotations

import pytest
from streamlit.runtime.pages_manager import PagesManager

from detector import dashboard
from detector.serving import APP


def test_streamlit_does_not_look_for_pages_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    seen: list[tuple[str, bool | None]] = []
    monkeypatch.setattr(
        dashboard, "main", lambda prog_name: seen.append((prog_name, PagesManager(str(APP)).uses_pages_directory))
    )
    dashboard.run()
    assert seen == [("streamlit", False)]
