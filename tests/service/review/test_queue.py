from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import InputError
from detector.service.review import deciding, locking, queue
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import ORDERS, VIEWS, Filters, View
from detector.service.review.matches import CRITICAL
from detector.service.review.queue import CaseLine
from detector.service.workspace import Workspace

EVERYTHING = Filters(view="all")


def lines(ws: Workspace, filters: Filters = EVERYTHING, actor: str = "ada") -> tuple[CaseLine, ...]:
    return queue.queue_page(ws, filters, actor=actor).lines


def ids(ws: Workspace, filters: Filters = EVERYTHING, actor: str = "ada") -> list[CaseId]:
    return [line.id for line in lines(ws, filters, actor)]


def later(monkeypatch: pytest.MonkeyPatch, span: timedelta) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + span

    monkeypatch.setattr(queue, "datetime", Later)


def test_pages_follow_each_other_without_gaps(queued: Workspace) -> None:
    whole = ids(queued)
    parts = [queue.queue_page(queued, EVERYTHING, actor="ada", offset=i, limit=7).lines for i in range(0, 63, 7)]
    assert [line.id for part in parts for line in part] == whole
    assert queue.queue_page(queued, EVERYTHING, actor="ada", offset=900, limit=7).lines == ()


def test_a_page_counts_and_sums_all_that_match(queued: Workspace) -> None:
    page = queue.queue_page(queued, EVERYTHING, actor="ada", limit=1)
    assert page.total == 60
    assert page.amount == pytest.approx(sum(line.amount or 0.0 for line in lines(queued)))


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (0, 0), (0, 201)])
def test_a_page_out_of_range_is_refused(queued: Workspace, offset: int, limit: int) -> None:
    with pytest.raises(InputError, match="1 to 200 cases"):
        queue.queue_page(queued, EVERYTHING, actor="ada", offset=offset, limit=limit)


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_is_that_of_its_key(queued: Workspace, order: str) -> None:
    found = lines(queued, Filters(view="all", order=order))
    keys = {
        "priority": [-line.priority for line in found],
        "severity": [-line.severity for line in found],
        "amount": [-(line.amount or 0.0) for line in found],
        "newest": [-line.time.timestamp() for line in found if line.time],
        "oldest": [line.time.timestamp() for line in found if line.time],
    }[order]
    assert keys == sorted(keys)


@pytest.mark.parametrize("order", ORDERS)
def test_the_place_of_a_case_is_where_the_list_has_it(queued: Workspace, order: str) -> None:
    filters = Filters(view="all", order=order)
    whole = ids(queued, filters)
    for rank, case in enumerate(whole):
        place = queue.place_of(queued, filters, case, actor="ada")
        assert (place.rank, place.total) == (rank, 60)
        assert place.previous == (whole[rank - 1] if rank else None)


def test_a_case_that_does_not_match_has_no_place(queued: Workspace) -> None:
    place = queue.place_of(queued, Filters(view="snoozed"), ids(queued)[0], actor="ada")
    assert (place.rank, place.total, place.previous) == (None, 0, None)
    assert queue.place_of(queued, EVERYTHING, CaseId(9, 9), actor="ada").rank is None


def test_every_case_is_in_the_views_that_its_state_says(queued: Workspace) -> None:
    fraud, snoozed, escalated, mine, theirs, *_ = ids(queued)
    deciding.decide(queued, [fraud], "fraud", "stolen_card", actor="ada")
    deciding.snooze(queued, [snoozed], datetime.now(UTC) + timedelta(days=1), actor="ada")
    deciding.escalate(queued, [escalated], actor="ada")
    deciding.assign(queued, [mine], "ada", actor="ada")
    deciding.assign(queued, [theirs], "bob", actor="ada")
    where: dict[View, set[CaseId]] = {view: set(ids(queued, Filters(view=view))) for view in VIEWS}
    assert where["decided"] == {fraud}
    assert where["snoozed"] == {snoozed}
    assert where["escalated"] == {escalated}
    assert where["mine"] == {mine}
    assert where["unreviewed"] == set(ids(queued)) - {fraud, snoozed, escalated, theirs}
    assert where["critical"] == {line.id for line in lines(queued, Filters()) if line.priority >= CRITICAL}
    assert queue.view_counts(queued, actor="ada") == {view: len(found) for view, found in where.items()}
    assert queue.open_cases(queued) == 58
    assert ids(queued, Filters(view="mine"), actor="bob") == [theirs]
    assert ids(queued, Filters(view="decided", outcome="legitimate")) == []
    assert ids(queued, Filters(view="decided", outcome="fraud")) == [fraud]


def test_a_snoozed_case_comes_back_by_itself(queued: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ids(queued)[0]
    deciding.snooze(queued, [case], datetime.now(UTC) + timedelta(days=1), actor="ada")
    assert case not in ids(queued, Filters())
    later(monkeypatch, timedelta(days=2))
    assert ids(queued, Filters())[0] == case
    assert lines(queued, Filters())[0].status == "open"
    assert ids(queued, Filters(view="snoozed")) == []
    assert queue.open_cases(queued) == 60


def test_filters_hold_all_together(queued: Workspace) -> None:
    every = lines(queued)
    some = every[10]
    wanted = Filters(
        view="all", run=1, search=(some.entity or "").lower(), badge=some.badges[0], pattern=some.pattern,
        least_severity=some.severity, least_amount=some.amount,
    )  # fmt: skip
    naive = [
        line.id
        for line in every
        if line.entity == some.entity
        and some.badges[0] in line.badges
        and line.pattern == some.pattern
        and line.severity >= some.severity
        and (line.amount or 0.0) >= (some.amount or 0.0)
    ]
    assert some.id in naive
    assert ids(queued, wanted) == naive
    assert ids(queued, Filters(view="all", run=2)) == []


def test_a_case_is_found_by_its_name(queued: Workspace) -> None:
    case = ids(queued)[3]
    assert ids(queued, Filters(view="all", search=f" {case} ")) == [case]
    assert ids(queued, Filters(view="all", search="²-³")) == []


def test_patterns_add_up_to_the_queue(queued: Workspace) -> None:
    every, found = lines(queued), queue.patterns(queued, EVERYTHING, actor="ada")
    assert [pattern.cases for pattern in found] == sorted((pattern.cases for pattern in found), reverse=True)
    for pattern in found:
        own = [line for line in every if line.pattern == pattern.name]
        assert pattern.cases == len(own)
        assert pattern.amount == pytest.approx(sum(line.amount or 0.0 for line in own))
        assert pattern.highest == max(line.priority for line in own)
        assert pattern.example in {line.id for line in own}
        assert set(ids(queued, Filters(view="all", pattern=pattern.name))) == {line.id for line in own}
    assert sum(pattern.cases for pattern in found) == len(every)


def test_the_next_case_is_one_that_nobody_else_looks_at(queued: Workspace) -> None:
    first, second, third, *_ = ids(queued)
    locking.hold(queued, first, actor="bob")
    assert queue.next_case(queued, EVERYTHING, actor="ada") == second
    assert queue.next_case(queued, EVERYTHING, actor="bob") == first
    assert queue.next_case(queued, EVERYTHING, actor="ada", but=second) == third


def test_behind_the_last_case_comes_the_first(queued: Workspace) -> None:
    whole = ids(queued)
    assert queue.next_case(queued, EVERYTHING, actor="ada", rank=59, but=whole[59]) == whole[0]
    assert queue.next_case(queued, EVERYTHING, actor="ada", rank=500) == whole[0]
    assert queue.next_case(queued, EVERYTHING, actor="ada", rank=4) == whole[4]


def test_without_another_case_there_is_no_next(queued: Workspace) -> None:
    case = ids(queued)[0]
    only = Filters(view="all", search=str(case))
    assert queue.next_case(queued, only, actor="ada", but=case) is None
    assert queue.next_case(queued, Filters(view="snoozed"), actor="ada") is None


def test_who_looks_at_a_case_is_told_to_the_others(queued: Workspace) -> None:
    case = ids(queued)[2]
    locking.hold(queued, case, actor="bob")
    assert [line.held_by for line in lines(queued)][:4] == [None, None, "bob", None]
    assert {line.held_by for line in lines(queued, actor="bob")} == {None}


def test_places_moved_since_decisions_are_learned_from(queued: Workspace) -> None:
    before = ids(queued, Filters(view="all", order="severity"))
    table = queued.inbox.table(1)
    assert {line.moved for line in lines(queued)} == {0}
    table.priorities = np.random.default_rng(3).permutation(table.severities)
    severities = {line.id: line.severity for line in lines(queued)}
    for place, line in enumerate(lines(queued)):
        alike = [at for at, case in enumerate(before) if severities[case] == line.severity]
        naive = 0 if min(alike) <= place <= max(alike) else min((at - place for at in alike), key=abs)
        assert line.moved == naive
    assert {line.moved for line in lines(queued, Filters(view="all", order="severity"))} == {0}


def test_sums_badges_and_matching_agree_with_the_lines(queued: Workspace) -> None:
    every = lines(queued)
    assert queue.amount_of(queued, [line.id for line in every[:5]]) == pytest.approx(
        sum(line.amount or 0.0 for line in every[:5])
    )
    assert queue.matching(queued, EVERYTHING, actor="ada", limit=5) == tuple(line.id for line in every[:5])
    assert set(queue.badges_in(queued)) == {badge for line in every for badge in line.badges}
    assert queue.badges_in(queued, run=2) == ()


texts = st.text(st.characters(codec="utf-8"), max_size=30)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        Filters,
        view=st.sampled_from(VIEWS),
        run=st.none() | st.integers(0, 10**9),
        search=texts,
        badge=texts,
        pattern=texts,
        least_severity=numbers,
        least_amount=numbers,
        outcome=st.sampled_from([None, "fraud", "legitimate", "unclear"]),
        order=st.sampled_from(ORDERS),
    )
)
def test_an_address_holds_all_filters(filters: Filters) -> None:
    assert Filters.from_query(filters.to_query()) == filters


@given(st.dictionaries(st.sampled_from([*Filters.__dataclass_fields__, "case", "x"]), texts))
def test_any_address_is_understood_or_ignored(query: dict[str, str]) -> None:
    found = Filters.from_query(query)
    assert Filters.from_query(found.to_query()) == found
