"""How the dashboard is configured, as far as other sites and other sessions are concerned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
SOURCES = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "detector" / "ui").glob("*.py")]
#: What one process has for all its sessions; none holds rows or claims of a person.
PROCESS_WIDE = {"workspace", "api_process", "alert_watcher", "settings", "_own_keys"}
#: Rows of scored runs, which everybody may read who sees a page at all; asked for by workspace, run and row.
ROWS_OF_RUNS = {"_sample", "_looked_up"}


def test_other_sites_neither_send_nor_read() -> None:
    server = CONFIG["server"]
    assert server["enableXsrfProtection"] is True
    assert server["enableCORS"] is True
    assert "corsAllowedOrigins" not in server


def test_nobody_signs_in_by_a_header_that_anybody_can_send() -> None:
    assert "trustedUserHeaders" not in CONFIG["server"]


def test_no_program_drives_it_but_a_browser() -> None:
    assert not CONFIG["server"].get("enableAgentApi", False)


def test_it_listens_on_this_machine_only() -> None:
    assert CONFIG["server"]["address"] == "127.0.0.1"


def test_what_fails_is_not_shown_from_inside() -> None:
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_no_cache_is_shared_between_sessions_but_for_what_belongs_to_the_process() -> None:
    shared = set()
    for path in SOURCES:
        text = path.read_text()
        found = re.findall(r"@st\.cache_(?:resource|data)\([^\n]*\)\ndef (\w+)", text)
        assert len(found) == len(re.findall(r"st\.cache_(?:resource|data)", text)), path
        shared |= set(found)
    assert shared == PROCESS_WIDE | ROWS_OF_RUNS
