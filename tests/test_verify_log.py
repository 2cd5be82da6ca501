from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from detector.__main__ import main
from detector.store.database import Database
from tests.databases import break_seal


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a workspace with three entries in its log."""
    from detector.store import audit

    for name in ("MODEL_PATH", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    database = opened(tmp_path)
    with database.write() as connection:
        for number in range(3):
            audit.record(connection, actor="ada", action="looked", subject=f"version {number}")
    database.close()
    return tmp_path


def opened(home: Path) -> Database:
    database = Database(f"sqlite:///{home / 'data' / 'detector.db'}")
    database.migrate()
    return database


def test_an_unbroken_log_is_told_with_what_to_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify-log"]) == 0
    out = capsys.readouterr().out
    assert "The log is unbroken: 3 entries." in out
    noted = out.split("--noted ")[1].strip()
    assert noted.startswith("3:")
    assert main(["verify-log", "--noted", noted]) == 0
    assert main(["verify-log", "--noted", "3:00000000"]) == 2
    assert "Entry 3 is not the one that was noted" in capsys.readouterr().err


def test_a_broken_log_names_the_first_entry_that_does_not_fit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = opened(home)
    break_seal(database, "audit")
    with database.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'eve' WHERE number = 2"))
    database.close()
    assert main(["verify-log"]) == 2
    assert "Entry 2 does not fit: what it says is not what was written down. Entries before that which fit: 1." in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("wrong", ["3", "x:0123456789", "3:zz", "3:0123"])
def test_what_was_noted_must_be_a_number_and_a_hash(wrong: str) -> None:
    with pytest.raises(SystemExit):
        main(["verify-log", "--noted", wrong])
