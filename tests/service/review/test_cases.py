from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from detector.errors import NotFoundError
from detector.service import scoring
from detector.service.review import cases, deciding, queue, queueing
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.uploads import Upload
from detector.service.workspace import Workspace
from tests.service.conftest import card_payments

Give = Callable[..., Upload]

WHOLE = card_payments(seed=1)


@pytest.fixture
def case(queued: Workspace) -> cases.Case:
    return cases.get_case(queued, first(queued))


def first(ws: Workspace) -> CaseId:
    return queue.queue_page(ws, Filters(), actor="ada", limit=1).lines[0].id


def test_a_case_has_the_values_of_its_row_in_the_order_of_the_file(queued: Workspace) -> None:
    for line in queue.queue_page(queued, Filters(), actor="ada").lines:
        found = cases.get_case(queued, line.id)
        row = WHOLE.iloc[line.id.row - 1]
        assert list(found.values) == list(WHOLE.columns)
        assert {name: found.values[name] for name in ("amount", "items", "country", "card", "order")} == {
            name: row[name] for name in ("amount", "items", "country", "card", "order")
        }
        assert (found.severity, found.pattern) == (line.severity, line.pattern)
        assert tuple(reason.badge for reason in found.reasons) == line.badges
        assert [reason.contribution for reason in found.reasons] == sorted(
            (reason.contribution for reason in found.reasons), reverse=True
        )


def test_a_case_names_its_columns_and_its_version(case: cases.Case) -> None:
    assert (case.entity_column, case.time_column, case.amount_column) == ("card", "at", "amount")
    assert (case.version, case.cutoff, case.file) == (1, 90.0, "march.csv")
    assert case.priority == case.severity


def test_a_row_that_is_no_case_is_refused(queued: Workspace) -> None:
    in_queue = {line.id.row for line in queue.queue_page(queued, Filters(), actor="ada").lines}
    other = next(row for row in range(1, 301) if row not in in_queue)
    with pytest.raises(NotFoundError, match=f"Case 1-{other} is not in the queue"):
        cases.get_case(queued, CaseId(1, other))
    assert queued.inbox.known([CaseId(1, other), CaseId(8, 1), first(queued)]) == {first(queued)}


def test_contributions_add_up_to_the_score(queued: Workspace) -> None:
    for line in queue.queue_page(queued, Filters(), actor="ada", limit=10).lines:
        found = cases.get_case(queued, line.id)
        parts = found.parts
        assert [abs(part.contribution) for part in parts] == sorted(
            (abs(part.contribution) for part in parts), reverse=True
        )
        by_name = {part.feature: part for part in parts}
        for reason in found.reasons:
            assert by_name[reason.feature].contribution == pytest.approx(reason.contribution)
        explained = queued.detector(1).explain(WHOLE)
        assert np.log2(found.score) == pytest.approx(
            explained.base[0] + sum(part.contribution for part in parts), abs=1e-6
        )
        assert by_name["amount"].value == found.amount


def test_the_history_holds_every_row_of_the_entity(queued: Workspace, case: cases.Case) -> None:
    found = cases.entity_history(queued, case)
    assert found is not None
    own = WHOLE[WHOLE["card"] == case.entity]
    assert (found.column, found.entity, found.total, found.files) == ("card", case.entity, len(own), 1)
    assert {CaseId.parse(text).row for text in found.rows["case"]} == set(own.index + 1)
    assert found.rows["time"].is_monotonic_increasing
    others = own["amount"].drop(case.id.row - 1)
    assert found.usual == pytest.approx((others.quantile(0.05), others.quantile(0.95)))


def test_velocities_count_what_came_up_to_the_case(queued: Workspace, case: cases.Case) -> None:
    found = cases.entity_history(queued, case)
    assert found is not None
    assert case.time is not None
    times = pd.to_datetime(WHOLE["at"], utc=True)
    for told, seconds in ((found.last_hour, 3_600), (found.last_day, 86_400), (found.last_week, 604_800)):
        window = (WHOLE["card"] == case.entity) & (times <= case.time)
        window &= times > case.time - pd.Timedelta(seconds=seconds)
        assert told == (int(window.sum()), pytest.approx(WHOLE.loc[window, "amount"].sum()))


def test_the_history_spans_other_files_and_tells_what_was_decided(
    queued: Workspace, case: cases.Case, give: Give
) -> None:
    scoring.score_file(queued, give(card_payments(seed=2), "april.csv").id, actor="ada")
    queueing.send_to_queue(queued, 2, 300, actor="ada")
    april = card_payments(seed=2)
    other = CaseId(2, int(april.index[april["card"] == case.entity][0]) + 1)
    deciding.decide(queued, [other], "fraud", "card_testing", actor="ada")
    found = cases.entity_history(queued, case)
    assert found is not None
    assert found.files == 2
    assert found.total == int((WHOLE["card"] == case.entity).sum() + (april["card"] == case.entity).sum())
    decided = found.rows[found.rows["outcome"].notna()]
    assert list(zip(decided["case"], decided["outcome"], strict=True)) == [(str(other), "fraud")]
    assert set(found.rows["file"]) == {"march.csv", "april.csv"}


def test_a_file_without_entity_has_no_history(ws: Workspace, give: Give) -> None:
    from detector.service.versions import training
    from tests.service.conftest import PARAMETERS, transactions

    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    scoring.score_file(ws, give(transactions(seed=1)).id, actor="ada")
    queueing.send_to_queue(ws, 1, 5, actor="ada")
    assert cases.entity_history(ws, cases.get_case(ws, first(ws))) is None


def test_linked_rows_share_a_rare_value(queued: Workspace) -> None:
    for line in queue.queue_page(queued, Filters(), actor="ada", limit=20).lines:
        found = cases.get_case(queued, line.id)
        linked = cases.linked_rows(queued, found)
        same = WHOLE[WHOLE["order"] == found.values["order"]]
        assert [(link.column, link.value, link.rows) for link in linked.links] == (
            [("order", found.values["order"], len(same))] if len(same) > 1 else []
        )
        assert {CaseId.parse(text).row for text in linked.rows["case"]} == set(same.index + 1) - {line.id.row}
        assert all(list(shared) == ["order"] for shared in linked.rows["shared"])
        assert linked.rows["severity"].is_monotonic_decreasing


def test_a_value_that_many_share_links_nothing(queued: Workspace, case: cases.Case) -> None:
    assert "country" not in {link.column for link in cases.linked_rows(queued, case).links}
