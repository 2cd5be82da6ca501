from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import archive
from detector.core.entity_keys import Events
from detector.core.entity_plans import Plan
from detector.core.histories import EntityHistories
from detector.errors import ModelFileError
from tests import naive_behaviour as naive

START = 1_700_000_000.0
PLAN = Plan("card", "when", "amount", "txn", ("shop",))


def frame_of(events: list[naive.Event]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "card": pd.Series([event.entity for event in events], dtype=object),
            "when": pd.to_datetime([event.time for event in events], unit="s"),
            "amount": pd.Series([event.amount for event in events], dtype=float),
            "shop": pd.Series([event.values[0] for event in events], dtype=object),
            "txn": pd.Series([event.identity for event in events], dtype=object),
        }
    )


def events_of(events: list[naive.Event]) -> Events:
    found = PLAN.events(frame_of(events))
    assert found is not None
    return found


def some_events(n: int, seed: int, cards: int = 5, shops: int = 6, days: float = 40.0) -> list[naive.Event]:
    rng = np.random.default_rng(seed)
    times = START + np.sort(rng.integers(0, int(days * 86_400), n)).astype(float)
    return [
        naive.Event(
            f"card {rng.integers(cards)}",
            time,
            None if rng.random() < 0.1 else float(np.round(rng.lognormal(3.0, 1.0), 2)),
            (None if rng.random() < 0.1 else f"shop {rng.integers(shops)}",),
            f"t{place}",
        )
        for place, time in enumerate(times.tolist())
    ]


def test_a_copy_goes_on_alike_and_apart() -> None:
    events = some_events(4_000, seed=2, cards=1_500)
    first, more = events_of(events[:3_000]), events_of(events[3_000:])
    one = EntityHistories(1)
    one.advance(first)
    other = one.copy()
    before = archive.to_bytes(one.to_content())
    again = other.advance(more)
    assert archive.to_bytes(one.to_content()) == before
    np.testing.assert_array_equal(again, one.advance(more))
    assert archive.to_bytes(one.to_content()) == archive.to_bytes(other.to_content())


def test_each_comparison_is_what_keeping_every_event_and_summing_anew_gives() -> None:
    events = some_events(300, seed=1)
    found = EntityHistories(1).advance(events_of(events))
    np.testing.assert_allclose(found, naive.Histories().advance(events), rtol=2e-4, atol=1e-5)


def test_batches_and_single_events_give_what_one_file_gives() -> None:
    events = some_events(200, seed=2)
    whole = EntityHistories(1).advance(events_of(events))
    in_parts = EntityHistories(1)
    parts = [in_parts.advance(events_of(events[a : a + 37])) for a in range(0, 200, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    one_by_one = EntityHistories(1)
    for place, event in enumerate(events):
        looked = one_by_one.compare(events_of([event]))
        np.testing.assert_array_equal(looked, one_by_one.advance(events_of([event])))
        np.testing.assert_array_equal(looked[0], whole[place])


def test_late_events_leave_the_counts_that_the_right_order_gives() -> None:
    events = some_events(120, seed=3)
    shuffled = [events[place] for place in np.random.default_rng(0).permutation(len(events))]
    in_order, late, twin = EntityHistories(1), EntityHistories(1), naive.Histories()
    in_order.advance(events_of(events))
    for event in shuffled:
        np.testing.assert_allclose(late.advance(events_of([event])), twin.advance([event]), rtol=2e-3, atol=1e-4)
    probe = [naive.Event(f"card {card}", START + 41 * 86_400.0, 20.0, ("shop 1",)) for card in range(5)]
    np.testing.assert_allclose(late.compare(events_of(probe)), in_order.compare(events_of(probe)), rtol=1e-3)


def test_an_event_sent_again_is_not_counted_and_compares_as_the_first_time() -> None:
    events = some_events(100, seed=4, cards=2)
    histories, twin = EntityHistories(1), naive.Histories()
    for event in events:
        first = histories.advance(events_of([event]))
        twin.advance([event])
        again = histories.advance(events_of([event]))
        np.testing.assert_allclose(again, first, rtol=1e-3, atol=1e-4)
    assert all(len(entity.events) == sum(event.entity == name for event in events)
               for name, entity in twin.entities.items())  # fmt: skip
    once = EntityHistories(1)
    once.advance(events_of(events))
    probe = [naive.Event("card 1", START + 41 * 86_400.0, 20.0, ("shop 1",))]
    np.testing.assert_array_equal(histories.compare(events_of(probe)), once.compare(events_of(probe)))


def test_a_repetition_within_the_last_eight_events_is_recognised_and_one_further_back_is_not() -> None:
    events = [naive.Event("card", START + 60.0 * place, 10.0, ("a",), f"t{place}") for place in range(9)]
    for back, counted in ((8, 9), (9, 10)):
        histories = EntityHistories(1)
        histories.advance(events_of(events))
        histories.advance(events_of([events[-back]]))
        assert figures(histories)["card"] == counted


def figures(histories: EntityHistories) -> dict[str, float]:
    content = histories.to_content()
    table = content["figures"].reshape(len(histories), -1)
    keys = content["keys"].tolist()
    name = {int(events_of([naive.Event(text, START, 1.0, ("a",))]).keys[0]): text for text in ("card", "card 0")}
    return {name[key]: float(row[12]) for key, row in zip(keys, table, strict=True) if key in name}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5_000_000), st.floats(0.01, 1e6) | st.none(), st.integers(0, 9)),
        min_size=1,
        max_size=60,
        unique_by=lambda drawn: (drawn[0], drawn[1]),
    ),
    st.data(),
)
def test_merged_histories_compare_as_if_one_had_seen_all_events(drawn: list, data: st.DataObject) -> None:
    events = [
        naive.Event(f"card {card}", START + second, amount, (f"shop {card}",)) for card, second, amount, _ in drawn
    ]
    mine = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    one, other, whole = EntityHistories(1), EntityHistories(1), EntityHistories(1)
    one.advance(events_of([event for event, chosen in zip(events, mine, strict=True) if chosen]))
    other.advance(events_of([event for event, chosen in zip(events, mine, strict=True) if not chosen]))
    whole.advance(events_of(events))
    for merged in (one.merged(other), other.merged(one)):
        left, right = sorted_content(merged), sorted_content(whole)
        np.testing.assert_array_equal(left["keys"], right["keys"])
        np.testing.assert_array_equal(left["times"], right["times"])
        np.testing.assert_array_equal(left["seen"], right["seen"])
        np.testing.assert_allclose(left["figures"][:, :13], right["figures"][:, :13], rtol=1e-4, atol=1e-5)
        probe = [naive.Event(f"card {card}", START + 5_100_000, 20.0, ("shop 0",)) for card in range(4)]
        found, expected = merged.compare(events_of(probe)), whole.compare(events_of(probe))
        np.testing.assert_allclose(found[:, :11], expected[:, :11], rtol=1e-3)


def sorted_content(histories: EntityHistories) -> dict[str, np.ndarray]:
    content = histories.to_content()
    order = np.argsort(content["keys"])
    n = len(order)
    return {
        name: np.asarray(content[name]).reshape(n, -1)[order] for name in ("keys", "times", "figures", "seen", "recent")
    }


def test_merging_histories_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="different columns"):
        EntityHistories(1).merged(EntityHistories(2))


def test_the_same_events_give_the_same_bytes_and_bytes_give_the_same_histories() -> None:
    events = events_of(some_events(200, seed=5))
    one, other = EntityHistories(1), EntityHistories(1)
    one.advance(events)
    other.advance(events)
    data = archive.to_bytes(one.to_content())
    assert data == archive.to_bytes(other.to_content())
    back = EntityHistories.from_content(archive.from_bytes(data))
    probe = events_of(some_events(50, seed=6))
    np.testing.assert_array_equal(back.compare(probe), one.compare(probe))
    assert archive.to_bytes(back.to_content()) == data


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("columns", 9, "columns or bounds out of range"),
        ("keys", np.array([7, 7], np.uint64), "an entity twice"),
        ("keys", np.array([7], np.uint64), "do not fit together"),
        ("times", np.array([2.0, 1.0, np.nan] * 2), "times that cannot be"),
        ("times", np.array([np.nan, 1.0, np.nan] * 2), "times that cannot be"),
        ("figures", np.full(28, -1.0, np.float32), "figures that cannot be"),
        ("figures", np.zeros(28), "do not fit together"),
        ("recent", "text", "do not fit together"),
    ],
)
def test_damaged_histories_are_refused(key: str, value: object, message: str) -> None:
    histories = EntityHistories(1)
    histories.advance(events_of(some_events(40, seed=7, cards=2)))
    with pytest.raises(ModelFileError, match=message):
        EntityHistories.from_content(histories.to_content() | {key: value})


def test_looking_changes_nothing() -> None:
    histories = EntityHistories(1)
    histories.advance(events_of(some_events(100, seed=8)))
    before = archive.to_bytes(histories.to_content())
    histories.compare(events_of(some_events(100, seed=9)))
    histories.compare(events_of(some_events(1, seed=9)))
    assert archive.to_bytes(histories.to_content()) == before


def test_when_there_are_too_many_entities_those_not_seen_for_longest_are_forgotten() -> None:
    histories = EntityHistories(1, most=32)
    events = [naive.Event(f"card {place}", START + place, 5.0, ("a",)) for place in range(33)]
    histories.advance(events_of(events))
    assert len(histories) == 30
    later = [naive.Event(event.entity, event.time + 86_400.0, 5.0, ("a",)) for event in events]
    known = ~np.isnan(histories.compare(events_of(later))[:, 0])
    assert known.tolist() == [False] * 3 + [True] * 30


def test_events_older_than_all_that_is_known_of_an_entity_begin_anew() -> None:
    events = some_events(150, seed=10)
    histories = EntityHistories(1)
    trained = histories.advance(events_of(events))
    np.testing.assert_array_equal(histories.compare(events_of(events)), trained)


def test_a_file_in_parts_is_compared_as_in_one_piece() -> None:
    history = EntityHistories(1)
    history.advance(events_of(some_events(150, seed=11, days=20.0)))
    events = some_events(150, seed=12, cards=9)
    apart = EntityHistories(1)
    parts = [history.followed(events_of(events[a : a + 40]), apart) for a in range(0, 150, 40)]
    np.testing.assert_array_equal(np.concatenate(parts), history.compare(events_of(events)))


def test_rows_without_entity_or_time_are_passed_over() -> None:
    events = some_events(20, seed=13)
    frame = frame_of(events)
    frame.loc[3, "card"] = None
    frame.loc[4, "when"] = pd.NaT
    found = PLAN.events(frame)
    assert found is not None
    histories = EntityHistories(1)
    out = histories.advance(found)
    assert np.isnan(out[3:5]).all()
    rest = EntityHistories(1)
    rest.advance(events_of(events[:3] + events[5:]))
    np.testing.assert_array_equal(sorted_content(histories)["figures"], sorted_content(rest)["figures"])


def test_an_entity_is_the_same_as_number_as_text_and_in_a_record() -> None:
    as_numbers = PLAN.events(pd.DataFrame({"card": [7, 123], "when": pd.to_datetime([START] * 2, unit="s")}))
    as_texts = PLAN.events(pd.DataFrame({"card": ["7", "123"], "when": pd.to_datetime([START] * 2, unit="s")}))
    with_gap = PLAN.events(pd.DataFrame({"card": [7.0, math.nan], "when": pd.to_datetime([START] * 2, unit="s")}))
    record = PLAN.event({"card": 7, "when": "2023-11-14T22:13:20", "amount": 3})
    assert as_numbers is not None
    assert as_texts is not None
    assert with_gap is not None
    assert record is not None
    assert as_numbers.keys.tolist() == as_texts.keys.tolist()
    assert with_gap.keys.tolist() == [as_numbers.keys[0], 0]
    assert record.keys[0] == as_numbers.keys[0]
    assert record.times[0] == START
