"""Alignment reports: merged as one batch would have told it, and ready for JSON."""

from __future__ import annotations

import json

from tests.core.aligning import MODEL, finding, payments


def test_merged_reports_tell_of_both_batches_as_one() -> None:
    rows = payments(80, seed=8).astype(object)
    rows.loc[[3, 50], "items"] = "many"
    rows.loc[[4, 41], "amount_usd"] = "much"
    rows.loc[60:62, "merchant"] = "casino"
    rows.loc[[5, 55, 56], "abroad"] = None
    whole = MODEL.alignment(rows)
    parts = MODEL.alignment(rows[:40]).merged(MODEL.alignment(rows[40:]))
    assert parts == whole
    assert [cell.row for cell in parts.unreadable] == [3, 4, 41, 50]


def test_merging_keeps_the_gravest_finding_and_the_least_importance() -> None:
    one = MODEL.alignment(payments(10).drop(columns="items"))
    other = MODEL.alignment(payments(15).assign(colour="red"))
    merged = one.merged(other)
    assert merged.missing == ("items",)
    assert finding(merged, "items").rows_affected == 10
    assert (merged.new, merged.rows) == (("colour",), 25)
    assert merged.importance_carried == one.importance_carried
    assert finding(one.merged(one), "items").rows_affected == 20


def test_merged_reports_list_a_hundred_cells_and_count_all() -> None:
    rows = payments(19).assign(amount_usd="much")
    report = MODEL.alignment(rows)
    for _ in range(7):
        report = report.merged(MODEL.alignment(rows))
    assert (len(report.unreadable), report.unreadable_total) == (100, 152)


def test_a_report_is_ready_for_json() -> None:
    rows = payments(30).drop(columns=["at", "amount_usd"]).astype(object).assign(colour=[1] * 30)
    rows.loc[0, "items"] = float("inf")
    rows.loc[1, "merchant"] = "casino"
    report = MODEL.alignment(rows)
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["rows"] == 30
    assert told["missing"] == ["amount_usd", "at"]
    assert told["new"] == ["colour"]
    assert told["unseen"] == {"merchant": 1}
    assert told["unreadable"] == [{"row": 0, "column": "items", "value": "inf"}]
    assert told["matches"] is False
    assert {column["name"] for column in told["columns"]} == {column.name for column in report.columns}
