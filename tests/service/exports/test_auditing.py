from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from detector.errors import InputError
from detector.service.cutoff import cutoffs
from detector.service.exports import auditing
from detector.service.exports.auditing import AuditFilter
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit


@pytest.fixture
def noted(ws: Workspace) -> Workspace:
    """A workspace whose log holds three entries of three days, one with hostile values."""
    with ws.database.write() as connection:
        for day, actor, action, subject, details in (
            (1, "ada", "cutoff set", "cutoff", {"cutoff": 97.0, "before": 90.0, "reason": "too many"}),
            (2, "=eve()", "odd thing", "case 3-100%", {"file": "/srv/home/secret/data.csv", "n": 3, "long": "x" * 99}),
            (3, "ada", "champion moved", "version 2", {"before": 1, "reason": "better", "revision": 2}),
        ):
            with time_machine.travel(datetime(2026, 3, day, 23, 30, tzinfo=UTC), tick=False):
                audit.record(connection, actor=actor, action=action, subject=subject, **details)
    return ws


def test_entries_are_told_in_words_newest_first(noted: Workspace) -> None:
    page = auditing.audit_page(noted)
    assert page.total == 3
    assert [line.words for line in page.lines] == [
        "Version 2 became champion in place of version 1. Reason: better.",
        "Odd thing: case 3-100% (file data.csv, n 3)",
        "The cutoff moved from 90 to 97. Reason: too many.",
    ]


def test_places_on_a_disk_are_never_told(noted: Workspace) -> None:
    line = auditing.audit_page(noted, AuditFilter(action="odd thing")).lines[0]
    assert line.details["file"] == "data.csv"
    with auditing.export_audit(noted, actor="ada") as file:
        assert "secret" not in file.read().decode()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (AuditFilter(actor="ada"), [3, 1]),
        (AuditFilter(action="champion moved"), [3]),
        (AuditFilter(subject="VERSION"), [3]),
        (AuditFilter(subject="100%"), [2]),
        (AuditFilter(subject="_"), []),
        (AuditFilter(since=date(2026, 3, 2)), [3, 2]),
        (AuditFilter(until=date(2026, 3, 2)), [2, 1]),
        (AuditFilter(actor="ada", since=date(2026, 3, 2), until=date(2026, 3, 2)), []),
    ],
)
def test_filters_narrow_the_log(noted: Workspace, wanted: AuditFilter, numbers: list[int]) -> None:
    page = auditing.audit_page(noted, wanted)
    assert [line.number for line in page.lines] == numbers
    assert page.total == len(numbers)


def test_pages_follow_each_other(noted: Workspace) -> None:
    numbers = [auditing.audit_page(noted, offset=offset, limit=1).lines[0].number for offset in range(3)]
    assert numbers == [3, 2, 1]
    for offset, limit in ((-1, 5), (0, 0), (0, 201)):
        with pytest.raises(InputError, match="1 to 200 entries"):
            auditing.audit_page(noted, offset=offset, limit=limit)


def test_who_and_what_can_be_chosen_from(noted: Workspace) -> None:
    assert auditing.audit_choices(noted) == (("=eve()", "ada"), ("champion moved", "cutoff set", "odd thing"))


def test_the_log_goes_into_lines_of_json_with_its_own_download(
    noted: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "STEP", 2)
    with auditing.export_audit(noted, actor="bob") as file:
        lines = [json.loads(line) for line in file]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert (lines[3]["actor"], lines[3]["action"]) == ("bob", "log exported")
    assert lines[0]["details"]["cutoff"] == 97.0


def test_the_log_as_csv_holds_no_formulas(noted: Workspace) -> None:
    with auditing.export_audit(noted, AuditFilter(action="odd thing"), "csv", actor="bob") as file:
        (row,) = csv.DictReader(file.read().decode().splitlines())
    assert row["actor"] == "'=eve()"
    assert json.loads(row["details"])["n"] == 3


def test_another_format_is_refused(noted: Workspace) -> None:
    with pytest.raises(InputError, match="not as 'xml'"):
        auditing.export_audit(noted, None, "xml", actor="bob")


def test_what_this_program_writes_down_has_a_sentence(ws: Workspace, trained: TrainResult) -> None:
    cutoffs.apply_cutoff(ws, None, seen=90.0, actor="eve", reason="as it was")
    cutoffs.set_capacity(ws, 50, actor="eve")
    with ws.database.write() as connection:
        audit.record(connection, actor="x", action="challenger dropped", subject="version 2", reason="promoted")
    words = [line.words for line in auditing.audit_page(ws).lines]
    assert words == [
        "Version 2 challenges no more: it was promoted.",
        "The team can review 50 cases a day.",
        "The cutoff moved from 90 to what each model implies. Reason: as it was.",
        "Version 1 became champion. Reason: training.",
        "Version 1 was trained; 300 rows in all.",
    ]
    newest = auditing.audit_page(ws, limit=1).lines[0]
    assert datetime.now(UTC) - newest.at < timedelta(minutes=5)


def test_the_log_is_followed_and_says_where_it_ends(noted: Workspace) -> None:
    found = auditing.verify_log(noted)
    assert (found.entries, found.broken, auditing.log_length(noted)) == (3, None, 3)
    assert auditing.verify_log(noted, noted=(3, found.head.hash)).broken is None
