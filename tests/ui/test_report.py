from streamlit.testing.v1 import AppTest

from detector.ui.report import status_badges


def column(name, status, **more):
    return {"name": name, "status": status, "kind": "numeric", "kind_found": "numeric", "action": "Used."} | more


def test_badges_count_each_status_and_name_it_in_words():
    line = status_badges({"columns": [column("a", "matched"), column("b", "matched"), column("c", "missing")]})
    assert "1 missing" in line
    assert "2 as learned" in line
    assert line.index("missing") < line.index("as learned")


def test_columns_that_differ_stand_apart_from_those_that_do_not():
    def page():
        from detector.ui.report import report_table

        def column(name, status, found="numeric", rows=0):
            return {
                "name": name,
                "status": status,
                "kind": "numeric",
                "kind_found": found,
                "rows_affected": rows,
                "action": "Scored without it.",
            }

        report_table(
            {
                "columns": [
                    column("same", "matched"),
                    column("new_one", "new"),
                    column("odd", "retyped", "categorical", 7),
                ],
                "unseen": {"merchant": 31},
                "unreadable": [{"row": 4, "column": "odd", "value": "a*b"}],
                "unreadable_total": 9,
                "importance_carried": 0.831,
            },
            key="here",
        )

    at = AppTest.from_function(page).run()
    assert not at.exception
    differing = at.table[0].value
    assert differing["Column"].tolist() == ["odd", "new\\_one"]
    assert differing["Type"].tolist() == ["numeric, now categorical", "numeric"]
    assert differing["Rows"].tolist() == ["7", "0"]
    assert at.caption[0].value == "The columns at hand carry 83.1% of what the model goes by."
    assert "merchant (31 rows)" in at.caption[1].value
    assert [expander.label for expander in at.expander] == [
        "9 values could not be read and count as missing",
        "1 column as learned or left out",
    ]
    assert at.table[1].value["Row"].tolist() == ["5"]


def test_a_renamed_column_is_shown_with_the_name_it_came_under():
    def page():
        from detector.ui.report import report_table

        renamed = {"name": "amount", "status": "renamed", "came_as": "AMT"}
        report_table({"columns": [renamed, {"name": "fee", "status": "rescaled", "factor": 100.0}]}, key="here")

    at = AppTest.from_function(page).run()
    assert not at.exception
    assert at.table[0].value["Column"].tolist() == ["amount, now AMT", "fee"]


def test_a_report_without_differences_is_one_line_and_one_fold():
    def page():
        from detector.ui.report import report_table

        report_table({"columns": [{"name": "a", "status": "matched"}], "importance_carried": 1.0}, key="here")

    at = AppTest.from_function(page).run()
    assert not at.exception
    assert not at.caption
    assert len(at.expander) == 1
