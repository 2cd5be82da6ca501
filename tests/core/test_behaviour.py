from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector import DynamicAnomalyDetector
from detector.core import archive
from detector.core.entity_plans import MOST_ENTITY_COLUMNS
from detector.errors import InputError, ModelFileError

ROLES = {"card": "entity"}
HABIT = "amount against this card's habit"


def payments(rows: int = 1_500, cards: int = 30, seed: int = 0, days: float = 40.0) -> pd.DataFrame:
    """Cards that each pay amounts of their own size, at a few of the shops."""
    random = np.random.default_rng(seed)
    card = random.integers(0, cards, rows)
    usual = np.random.default_rng(99).lognormal(3.0, 1.0, cards)
    return pd.DataFrame(
        {
            "card": card,
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(random.uniform(0, days * 86_400, rows)), "s"),
            "amount": (usual[card] * random.lognormal(0.0, 0.3, rows)).round(2),
            "shop": [f"shop {number}" for number in (card + random.integers(0, 4, rows)) % 12],
            "age": random.normal(40.0, 9.0, rows).round(1),
        }
    )


def model(frame: pd.DataFrame | None = None, roles: dict[str, str] | None = None, **given: object):
    given = {"n_estimators": 30, "random_state": 0} | given
    return DynamicAnomalyDetector(roles=ROLES if roles is None else roles, **given).fit(
        payments() if frame is None else frame
    )


def derived(detector: DynamicAnomalyDetector) -> list[str]:
    return [feature.name for feature in detector.schema_ if feature.derived]


def test_naming_an_entity_adds_what_it_usually_does() -> None:
    names = derived(model())
    assert len(names) == 12
    assert HABIT in names
    assert {"card: rows within a day", "card: amount within a week", "shop new to this card"} <= set(names)


def test_nothing_is_derived_from_an_entity_that_was_only_inferred() -> None:
    frame = payments(cards=400)
    frame["card"] = "c" + frame["card"].astype(str)
    detector = model(frame, roles={"age": "input"})
    assert derived(detector) == []
    assert detector.behaviour is None
    assert detector.histories_to_bytes() is None


def test_without_a_time_there_is_no_behaviour_and_without_an_amount_there_are_counts_and_gaps() -> None:
    assert derived(model(payments().drop(columns="when"))) == []
    names = derived(model(payments().drop(columns="amount")))
    assert names == [
        "card: rows within an hour", "card: rows within a day", "card: rows within a week",
        "card: time since its last row", "shop new to this card",
    ]  # fmt: skip


def test_the_order_of_rows_in_a_training_file_does_not_matter_to_the_habits() -> None:
    frame = payments()
    shuffled = frame.sample(frac=1.0, random_state=1)
    one, other = model(frame).behaviour, model(shuffled).behaviour
    assert one is not None
    assert other is not None
    probe = payments(200, seed=5)
    pd.testing.assert_frame_equal(one.beside(probe), other.beside(probe))


def test_training_rows_compare_as_in_training_when_they_are_scored_again() -> None:
    frame = payments()
    detector = model(frame)
    assert detector.behaviour is not None
    trained, _ = detector.behaviour.begun(detector.behaviour.plans).learned(frame)
    pd.testing.assert_frame_equal(detector.beside(frame), trained)


def test_an_amount_that_is_far_above_the_habit_of_its_card_stands_out() -> None:
    frame = payments()
    detector, plain = model(frame, n_estimators=100), model(frame, roles={"card": "ignored"}, n_estimators=100)
    usual = frame.groupby("card")["amount"].mean()
    thrifty = int(usual.idxmin())
    row = {"card": thrifty, "when": "2026-02-12T12:00:00", "amount": 12 * float(usual[thrifty]), "shop": "shop 1",
           "age": 40.0}  # fmt: skip
    assert detector.score(row).severities[0] > 95.0
    assert plain.score(row).severities[0] < 90.0
    assert detector.explain([row]).reasons[0][0].feature == HABIT
    assert "times what is usual for it" in detector.explain([row]).reasons[0][0].sentence


def test_reasons_tell_an_amount_beside_the_habit_of_its_own_card() -> None:
    detector = model(payments(), n_estimators=100)
    rows = payments(300, seed=4)
    rows["when"] += pd.Timedelta(days=41)
    explanation = detector.explain(rows)
    ratios = detector.beside(rows)[HABIT]
    told = 0
    for number, reasons in enumerate(explanation.reasons):
        habit = rows["amount"].iloc[number] / ratios.iloc[number]
        for reason in reasons:
            if reason.feature in ("amount", HABIT):
                told += 1
                assert reason.usual.endswith(f"; this card usually about {float(f'{habit:.2g}'):,g}")
                assert reason.sentence.endswith(f"{reason.usual}.")
    assert told > 20
    in_cents = detector.explain(rows.assign(amount=100.0 * rows["amount"]))
    assert [[reason.usual for reason in reasons] for reasons in in_cents.reasons] == [
        [reason.usual for reason in reasons] for reasons in explanation.reasons
    ]


def test_a_card_without_a_habit_is_told_none() -> None:
    detector = model(payments(), n_estimators=50)
    row = {"card": 987_654, "when": "2026-02-12T12:00:00", "amount": 4_900.0, "shop": "shop 1", "age": 40.0}
    assert not any("this card usually" in reason.sentence for reason in detector.explain(row).reasons[0])


def test_a_record_a_frame_of_one_row_and_a_stream_give_the_same_scores() -> None:
    detector = model()
    rows = payments(60, seed=3)
    rows["when"] += pd.Timedelta(days=41)
    whole = detector.score(rows).scores
    live = DynamicAnomalyDetector.from_bytes(detector.to_bytes())
    singles = []
    for record in rows.to_dict("records"):
        one, framed = live.score(record), live.score(pd.DataFrame([record]))
        np.testing.assert_array_equal(one.scores, framed.scores)
        assert one.report.columns == framed.report.columns
        singles.append(one.scores[0])
        live.follow(record)
    np.testing.assert_array_equal(singles, whole)


def test_a_file_in_parts_is_scored_as_in_one_piece() -> None:
    detector = model()
    rows = payments(90, seed=4)
    rows["when"] += pd.Timedelta(days=41)
    follower = detector.follower()
    parts = [follower.score(rows.iloc[start : start + 20]).scores for start in range(0, 90, 20)]
    np.testing.assert_array_equal(np.concatenate(parts), detector.score(rows).scores)


def test_scoring_changes_nothing_and_an_update_advances_only_the_new_detector() -> None:
    detector = model()
    before = detector.to_bytes()
    rows = payments(300, seed=6)
    rows["when"] += pd.Timedelta(days=41)
    detector.score(rows)
    detector.predict(rows.iloc[0].to_dict())
    after = detector.updated(rows)
    assert detector.to_bytes() == before
    later = rows.iloc[[0]].assign(when=pd.Timestamp("2026-05-01"))
    assert after.beside(later)[HABIT].iloc[0] != detector.beside(later)[HABIT].iloc[0]
    assert detector.partial_fit(rows).to_bytes() == after.to_bytes()


def test_a_new_entity_is_scored_by_the_view_without_habits_and_none_is_made_up() -> None:
    detector = model()
    row = {"card": "never seen", "when": "2026-02-12T12:00:00", "amount": 20.0, "shop": "shop 1", "age": 40.0}
    result = detector.score(row)
    assert result.signatures == (("age", "amount", "shop", "when"),)
    assert result.report.missing == ()
    assert result.report.matches


def test_what_is_missing_is_told_in_one_line() -> None:
    detector = model()
    rows = payments(50, seed=7)
    for gone, name in (("card", "card"), ("when", "behaviour of card")):
        for given in (rows.drop(columns=gone), rows.drop(columns=gone).iloc[0].to_dict()):
            report = detector.score(given).report
            told = [column for column in report.columns if column.name == name]
            assert [column.status for column in told] == ["missing"]
            assert f"Without {gone} nothing can be said of what this card usually does" in told[0].action
            assert not set(derived(detector)).intersection(column.name for column in report.columns)
    report = detector.score(rows.drop(columns="amount")).report
    assert set(report.missing) == {"amount"}
    assert report.partly_missing == ("behaviour of card",)


def test_rows_that_carry_derived_columns_are_taken_at_their_word_and_training_refuses_them() -> None:
    detector = model()
    rows = detector.beside(payments(50, seed=8))
    pd.testing.assert_frame_equal(detector.beside(rows), rows)
    with pytest.raises(InputError, match="a feature that is derived here"):
        model(rows)


def test_several_entities_have_histories_of_their_own() -> None:
    detector = model(roles={"card": "entity", "shop": "entity"})
    names = derived(detector)
    assert "amount against this shop's habit" in names
    assert "shop new to this card" in names
    assert "card new to this shop" in names
    columns = {f"e{number}": "entity" for number in range(MOST_ENTITY_COLUMNS + 1)}
    frame = payments().assign(**dict.fromkeys(columns, 1))
    with pytest.raises(InputError, match="at most 3"):
        model(frame, roles=columns)


def test_where_hardly_an_entity_came_twice_an_update_learns_the_habits() -> None:
    frame = payments()
    detector = model(frame.drop_duplicates("card"))
    assert not any(feature.takes_part for feature in detector.schema_ if feature.derived)
    detector.score(frame)
    detector.partial_fit(frame.iloc[100:])
    assert HABIT in [feature.name for feature in detector.schema_.learned]


def test_a_model_file_carries_the_histories_or_leaves_them_to_a_file_of_their_own() -> None:
    detector = model()
    rows = payments(80, seed=9)
    rows["when"] += pd.Timedelta(days=41)
    whole = DynamicAnomalyDetector.from_bytes(detector.to_bytes())
    np.testing.assert_array_equal(whole.score(rows).scores, detector.score(rows).scores)
    bare = DynamicAnomalyDetector.from_bytes(detector.to_bytes(histories=False))
    assert len(bare.behaviour.histories[0]) == 0
    histories = detector.histories_to_bytes()
    assert histories is not None
    np.testing.assert_array_equal(bare.with_histories(histories).score(rows).scores, detector.score(rows).scores)
    assert model().to_bytes() == detector.to_bytes()
    with pytest.raises(ModelFileError, match="its entities are others"):
        model(roles={"shop": "entity"}).with_histories(histories)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda item: [], "one to three entities"),
        (lambda item: [item | {"plan": item["plan"] | {"entity": 3}}], "not texts"),
        (lambda item: [item | {"plan": item["plan"] | {"firsts": ["a"] * 4}}], "too many columns"),
        (lambda item: [item | {"plan": item["plan"] | {"firsts": []}}], "does not fit"),
        (lambda item: [item | {"history": {}}], "exactly the fields"),
        (lambda item: [item | {"plan": item["plan"] | {"entity": "other"}}], "does not know"),
    ],
)
def test_a_damaged_behaviour_is_refused(change, message) -> None:
    content = archive.from_bytes(model().to_bytes())
    content["behaviour"] = change(content["behaviour"][0])
    with pytest.raises(ModelFileError, match=message):
        DynamicAnomalyDetector.from_bytes(archive.to_bytes(content))


def test_an_entity_whose_rows_lack_times_or_amounts_is_still_scored() -> None:
    frame = payments()
    frame.loc[frame.index[::7], "when"] = pd.NaT
    frame.loc[frame.index[::5], "amount"] = np.nan
    frame["card"] = frame["card"].astype(object)
    frame.loc[frame.index[::11], "card"] = None
    detector = model(frame)
    assert np.isfinite(detector.score(frame).scores).all()
    assert np.isfinite(detector.explain(frame.iloc[:20]).values).all()


def weeks() -> tuple[DynamicAnomalyDetector, pd.DataFrame]:
    """A model of one week of cards, and the week after."""
    frame = payments(6_000, days=14, cards=60)
    cut = int((frame["when"] < frame["when"].min() + pd.Timedelta(days=7)).sum())
    return model(frame[:cut], n_estimators=100), frame[cut:].reset_index(drop=True)


def test_the_flagged_share_stays_when_the_amount_goes_though_the_histories_of_training_are_young() -> None:
    detector, later = weeks()
    assert detector.score(later).flagged_share == pytest.approx(0.1, abs=0.04)
    assert detector.score(later.drop(columns="amount")).flagged_share == pytest.approx(0.1, abs=0.04)


def test_habits_are_compared_in_the_unit_and_under_the_name_of_training() -> None:
    detector, later = weeks()
    wanted = detector.score(later)
    cents = detector.score(later.assign(amount=later["amount"] * 100))
    assert cents.report.rescaled == ("amount",)
    np.testing.assert_allclose(cents.severities, wanted.severities, atol=0.5)
    renamed = detector.score(later.rename(columns={"amount": "Amount "}))
    assert renamed.report.renamed == ("amount",)
    assert renamed.severities.tobytes() == wanted.severities.tobytes()
    assert not any(column.status == "partly missing" for column in renamed.report.columns)


@pytest.mark.parametrize(("name", "factor"), [("amount", 100.0), ("Amount ", 1.0)])
def test_after_an_update_single_records_are_compared_in_the_remembered_unit_and_name(name: str, factor: float) -> None:
    detector, later = weeks()
    half = len(later) // 2
    changed = later.assign(amount=later["amount"] * factor).rename(columns={"amount": name})
    detector.partial_fit(changed[:half])
    record = changed.iloc[half].to_dict()
    known = detector._fitted()
    assert known.behaviour is not None
    terms = known.matcher.record_in_known_terms(record, known.behaviour.sources)
    wanted = known.behaviour.derived(later.iloc[half].to_dict())
    assert len(wanted) == 12
    assert known.behaviour.derived(terms) == pytest.approx(wanted)
    assert detector.score(record).severities[0] > 0.0
    before = known.behaviour.derived(wanted | later.iloc[half].to_dict())
    detector.follow(record)
    assert known.behaviour.derived(later.iloc[half].to_dict()) != before
