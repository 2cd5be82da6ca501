"""Events that one model has followed, let into the histories of others."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import archive, shared_events
from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError

ROLES = {"card": "entity"}


def payment(card: int, minute: int, amount: float, shop: int) -> dict[str, object]:
    at = f"2026-03-{2 + minute // 1_440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00"
    return {"card": f"c{card}", "at": at, "amount": amount, "shop": f"s{shop}"}


@cache
def trained() -> bytes:
    rows = [payment(number % 5, number % 1_400, 5.0 + number % 7, number % 3) for number in range(120)]
    return DynamicAnomalyDetector(n_estimators=5, roles=ROLES).fit(rows).to_bytes()


def replica() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector.from_bytes(trained())


def known(model: DynamicAnomalyDetector) -> dict[str, np.ndarray]:
    assert model.behaviour is not None
    content = model.behaviour.histories[0].to_content()
    order = np.argsort(content["keys"])
    figures = content["figures"].reshape(len(order), -1)[order]
    return {"keys": content["keys"][order], "times": content["times"].reshape(-1, 3)[order], "figures": figures}


def assert_alike(one: DynamicAnomalyDetector, other: DynamicAnomalyDetector) -> None:
    mine, theirs = known(one), known(other)
    np.testing.assert_array_equal(mine["keys"], theirs["keys"])
    np.testing.assert_array_equal(mine["times"], theirs["times"])
    # Kept as float32, which rounds otherwise in another order.
    np.testing.assert_allclose(mine["figures"], theirs["figures"], rtol=1e-4, atol=1e-4)


# Each event has a minute of its own: two at the same time for the same amount would be one, sent twice.
EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 7), st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=24
)


@settings(max_examples=40)
@given(EVENTS, st.randoms(use_true_random=False))
def test_in_whatever_turns_replicas_tell_each_other_all_know_what_one_process_would(events, random) -> None:
    seen = [(who, payment(card, 1_440 + place * 37 % 20_000, 10.0 * amount, shop))
            for place, (who, card, amount, shop) in enumerate(events)]  # fmt: skip
    replicas, waiting = [replica() for _ in range(3)], [[], [], []]
    log: list[tuple[int, bytes]] = []
    read = [0, 0, 0]
    alone = replica()
    for who, row in [*seen, *[(who, None) for who in (0, 1, 2)]]:
        if row is not None:
            waiting[who].append(replicas[who].follow(row))
            alone.follow(row)
        if waiting[who] and (row is None or random.random() < 0.4):
            log.append((who, shared_events.to_bytes(waiting[who])))
            waiting[who] = []
        reader = random.randrange(3)
        for writer, content in log[read[reader] :]:
            if writer != reader:
                replicas[reader].take_in(content)
        read[reader] = len(log)
    for reader, model in enumerate(replicas):
        for writer, content in log[read[reader] :]:
            if writer != reader:
                model.take_in(content)
        assert_alike(model, alone)


def test_a_transaction_that_two_replicas_saw_counts_once() -> None:
    row = payment(1, 5_000, 80.0, 9)
    one, other, alone = replica(), replica(), replica()
    first, second = one.follow(row), other.follow(row)
    alone.follow(row)
    one.take_in(shared_events.to_bytes([second]))
    other.take_in(shared_events.to_bytes([first]))
    for model in (one, other):
        np.testing.assert_array_equal(known(model)["figures"], known(alone)["figures"])


def test_models_with_the_same_entities_know_each_other_by_them() -> None:
    rows = [payment(number % 5, number, 5.0 + number % 7, number % 3) for number in range(60)]
    other = DynamicAnomalyDetector(n_estimators=3, random_state=7, roles=ROLES).fit(rows)
    apart = DynamicAnomalyDetector(n_estimators=3, roles={"shop": "entity"}).fit(rows)
    assert replica().behaviour.identity == other.behaviour.identity != apart.behaviour.identity


def test_rows_without_an_entity_bring_nothing() -> None:
    model = replica()
    model.take_in(shared_events.to_bytes([model.follow({"amount": 3.0})]))
    assert_alike(model, replica())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda part: part | {"times": part["times"][:0]},
        lambda part: part | {"values": part["values"].astype(np.float64)},
        lambda part: part | {"values": part["values"][:, :0]},
        lambda part: part | {"times": np.array([np.inf])},
        lambda part: part | {"marks": np.zeros(1, np.uint32)},
        lambda part: {name: part[name] for name in part if name != "keys"},
        lambda part: 7,
    ],
)
def test_damaged_events_are_refused_before_compiled_code_reads_them(spoil) -> None:
    model = replica()
    content = archive.from_bytes(shared_events.to_bytes([model.follow(payment(1, 5_000, 8.0, 2))]))
    spoilt = archive.to_bytes({"events": [spoil(content["events"][0])]})
    with pytest.raises(ModelFileError):
        model.take_in(spoilt)
    with pytest.raises(ModelFileError, match="other entities"):
        model.take_in(archive.to_bytes({"events": []}))
