from __future__ import annotations

import json
import subprocess
import sys

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
    monkeypatch.setattr(dashboard, "log_as_json", lambda _level: None)
    dashboard.run()
    assert seen == [("streamlit", False)]


def test_lines_of_streamlit_are_json() -> None:
    code = (
        "from detector.dashboard import log_as_json; log_as_json('INFO')\n"
        "from streamlit import logger; logger.get_logger('streamlit.x').warning('a\\nb'); logger.update_formatter()\n"
        "logger.get_logger('streamlit.x').warning('again')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP.parent)
    found = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(line["event"], line["logger"]) for line in found] == [("a\nb", "streamlit.x"), ("again", "streamlit.x")]
