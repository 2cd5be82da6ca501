"""Columns that change their name, unit, type or spelling: read where they can be, and never mixed."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import AlignmentReport, DynamicAnomalyDetector
from detector.core.alignment import ColumnFinding
from detector.core.fitted import ROWS_TO_LEARN
from tests import tables


def rows(n: int, seed: int) -> pd.DataFrame:
    frame = tables.payments(n, seed)
    frame["large"] = (frame["amount"] > 30.0).astype(int)
    frame["signed"] = np.where(frame["items"] % 2 == 0, "Y", "N")
    frame["paid"] = (frame["amount"] * np.random.default_rng(seed).uniform(0.9, 1.1, n)).round(2)
    return frame


MODEL = DynamicAnomalyDetector(n_estimators=20, random_state=1, half_life=2_000).fit(rows(1_500, 1))
FRESH = rows(400, 2)
SCORES = MODEL.score(FRESH).scores


def finding(report: AlignmentReport, name: str) -> ColumnFinding:
    return next(column for column in report.columns if column.name == name)


def cents(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(amount=np.rint(frame["amount"] * 100.0))


def words(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(amount=np.where(frame["amount"] > 20.0, "much", "little"))


# ---------------------------------------------------------------- read as what they are


@pytest.mark.parametrize(
    ("name", "status", "change"),
    [
        ("amount", "rescaled", cents),
        ("amount", "retyped", lambda f: f.assign(amount=f["amount"].map("{:,.2f} EUR".format))),
        ("amount", "renamed", lambda f: f.rename(columns={"amount": "TX_AMT"})),
        ("large", "retyped", lambda f: f.assign(large=f["large"].map({1: "yes", 0: "No"}))),
        ("signed", "retyped", lambda f: f.assign(signed=f["signed"] == "Y")),
        ("signed", "retyped", lambda f: f.assign(signed=f["signed"].map({"Y": 1, "N": 0}))),
        ("member", "retyped", lambda f: f.assign(member=f["member"].map({True: "t", False: "f"}))),
        ("country", "renamed", lambda f: f.rename(columns={"country": "Country"})),
        ("when", "renamed", lambda f: f.rename(columns={"when": "WHEN"})),
        ("paid", "renamed", lambda f: f.rename(columns={"paid": "quite another name"})),
    ],
)
def test_what_can_be_recognised_is_scored_as_if_nothing_had_changed(
    name: str, status: str, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    result = MODEL.score(change(FRESH))
    assert finding(result.report, name).status == status
    assert not result.report.matches
    assert finding(result.report, name).rows_affected >= 0.9 * len(FRESH)
    np.testing.assert_array_equal(result.scores, SCORES)
    told = json.loads(json.dumps(result.report.to_dict(), allow_nan=False))
    assert told[status] == [name]
    assert "ways" not in told


def test_two_changes_at_once_are_too_much_and_the_column_is_missing() -> None:
    report = MODEL.alignment(cents(FRESH).rename(columns={"amount": "TX_AMT"}))
    assert (report.missing, report.new) == (("amount",), ("TX_AMT",))


def test_the_report_says_what_was_done_and_why() -> None:
    report = MODEL.alignment(cents(FRESH).rename(columns={"paid": "PAID"}))
    assert finding(report, "amount").action == (
        "Its values are 100 times those of training, as if units had become cents: they are divided by 100."
    )
    assert finding(report, "amount").factor == 100.0
    assert finding(report, "paid").came_as == "PAID"
    assert finding(report, "paid").action.startswith("It came as 'PAID', and is read as 'paid': the names are nearly")
    assert "PAID" not in report.new


def test_cells_are_told_under_the_name_that_the_file_has() -> None:
    changed = FRESH.rename(columns={"amount": "TX_AMT"}).astype({"TX_AMT": object})
    changed.loc[3, "TX_AMT"] = "x"
    report = MODEL.alignment(changed)
    assert [(cell.row, cell.column) for cell in report.unreadable] == [(3, "TX_AMT")]
    assert "scored without this column" in finding(report, "amount").action


@given(st.integers(0, 1_000), st.sampled_from(["amount", "paid", "balance", "distance", "device_age"]))
@settings(max_examples=25, deadline=None)
def test_unchanged_rows_and_shifted_rows_are_never_recognised_as_something_else(seed: int, name: str) -> None:
    fresh = rows(120, seed + 10)
    for changed in (fresh, fresh.assign(**{name: fresh[name] * 1.3}), fresh.drop(columns=name)):
        report = MODEL.alignment(changed)
        assert (report.renamed, report.rescaled, report.retyped) == ((), (), ())


@pytest.mark.parametrize("name", ["amount", "balance", "country", "channel", "items"])
def test_a_new_column_is_not_taken_for_one_that_has_gone(name: str) -> None:
    rng = np.random.default_rng(3)
    shuffled = FRESH[name].to_numpy()[rng.permutation(len(FRESH))]
    changed = FRESH.drop(columns=name).assign(strange=shuffled)
    report = MODEL.alignment(changed)
    assert (report.renamed, report.missing, report.new) == ((), (name,), ("strange",))


def test_two_columns_that_fit_equally_well_are_no_evidence() -> None:
    changed = FRESH.rename(columns={"amount": "AMOUNT"}).assign(Amount=FRESH["amount"])
    report = MODEL.alignment(changed)
    assert report.missing == ("amount",)
    assert set(report.new) == {"AMOUNT", "Amount"}


def test_few_rows_are_no_evidence() -> None:
    few = cents(FRESH.head(49)).rename(columns={"paid": "PAID"})
    report = MODEL.alignment(few)
    assert (report.rescaled, report.renamed, report.missing) == ((), (), ("paid",))
    assert finding(report, "paid").nearest == "PAID"


def test_the_last_piece_of_a_file_is_read_as_the_pieces_before() -> None:
    changed = cents(FRESH).rename(columns={"paid": "PAID"})
    whole = MODEL.score(changed)
    first = MODEL.score(changed.iloc[:390])
    last = MODEL.score(changed.iloc[390:], after=first.report)
    np.testing.assert_array_equal(np.concatenate([first.scores, last.scores]), whole.scores)
    merged = first.report.merged(last.report)
    assert (merged.rescaled, merged.renamed, merged.missing) == (("amount",), ("paid",), ())
    # A piece that shows another unit by itself is read in that one.
    assert MODEL.alignment(FRESH, after=first.report).rescaled == ()


def test_reasons_tell_values_in_the_unit_of_training() -> None:
    from detector.core.reasons import reasons_for

    changed = cents(FRESH).rename(columns={"large": "LARGE"})
    known = MODEL._fitted()
    report = MODEL.alignment(changed)
    contributions = np.zeros((len(changed), len(known.schema.learned)))
    contributions[0, [feature.name for feature in known.schema.learned].index("amount")] = 1.0
    (reason,) = reasons_for(known, changed, contributions, report.ways)[0]
    assert reason.value == changed["amount"].iloc[0]
    assert f"{FRESH['amount'].iloc[0]:.4g}" in reason.sentence


# ---------------------------------------------------------------- updates


def test_an_update_remembers_names_and_units_and_mixes_nothing() -> None:
    changed = cents(FRESH).rename(columns={"paid": "PAID"})
    plain, after = MODEL.updated(FRESH), MODEL.updated(changed)
    assert after.schema_.by_name["amount"].factor == 100.0
    assert after.schema_.by_name["paid"].aliases == ("PAID",)
    assert "PAID" not in after.schema_.by_name
    assert after.statistics_["amount"].summary() == plain.statistics_["amount"].summary()
    np.testing.assert_array_equal(after._fitted().sample.rows, plain._fitted().sample.rows)
    result = after.score(changed)
    np.testing.assert_array_equal(result.scores, plain.score(FRESH).scores)
    assert finding(result.report, "amount").expected
    # The old unit and the old name are read as well as the new ones.
    np.testing.assert_array_equal(after.score(FRESH).scores, result.scores)
    assert finding(after.alignment(FRESH), "amount").action.startswith("Its values are in the unit of training again")
    assert after.updated(FRESH).schema_.by_name["amount"].factor == 1.0


def test_single_records_are_read_as_the_last_update_found_them() -> None:
    changed = cents(FRESH).rename(columns={"paid": "PAID", "country": "Country"})
    changed = changed.assign(large=changed["large"].map({1: "yes", 0: "no"}), signed=changed["signed"] == "Y")
    after = MODEL.updated(changed)
    table = after.score(changed)
    for row in range(12):
        record = {name: value for name, value in changed.iloc[row].to_dict().items() if not pd.isna(value)}
        alone, framed = after.score(record), after.score(pd.DataFrame([record]))
        assert alone.scores[0] == framed.scores[0]
        assert alone.report == framed.report
        if len(record) == changed.shape[1]:
            assert alone.scores[0] == table.scores[row]
            assert finding(alone.report, "paid").came_as == "PAID"
            assert finding(alone.report, "amount").factor == 100.0


def test_a_name_that_was_only_registered_becomes_another_name_of_the_feature() -> None:
    model = DynamicAnomalyDetector(n_estimators=5, random_state=1).fit(rows(600, 1))
    changed = FRESH.rename(columns={"paid": "PAID"})
    model.observe(changed.iloc[:3])
    assert model.schema_.by_name["PAID"].status == "observed"
    after = model.updated(changed)
    assert "PAID" not in after.schema_.by_name
    assert "PAID" not in after.statistics_
    assert after.schema_.by_name["paid"].aliases == ("PAID",)


def test_a_name_that_comes_beside_the_feature_s_own_is_another_column() -> None:
    after = MODEL.updated(FRESH.rename(columns={"paid": "PAID"}))
    both = FRESH.assign(PAID=np.random.default_rng(0).normal(size=len(FRESH)))
    assert after.alignment(both).new == ("PAID",)
    later = after.updated(both)
    assert later.schema_.by_name["paid"].aliases == ()
    assert later.schema_.by_name["PAID"].status == "learned"


def test_a_column_of_another_type_is_learned_anew_beside_what_was_known() -> None:
    before = MODEL.statistics_["amount"].summary()
    after = MODEL.updated(words(FRESH))
    feature = after.schema_.by_name["amount"]
    assert (feature.kind, feature.status) == ("categorical", "learned")
    assert feature.reason == "Its column came as text, and was learned anew from 400 rows that carry it."
    assert after.alignment(words(FRESH)).retyped == ()
    aside = after.schema_.by_name["amount (numbers)"]
    assert (aside.kind, aside.status, aside.stands_by_for) == ("numeric", "retired", "amount")
    assert after._fitted().statistics[aside.name].summary() == before
    recorded = ~np.isnan(after._fitted().sample.rows)
    assert not (recorded[:, aside.first_column] & recorded[:, feature.first_column]).any()
    assert "amount (numbers)" not in after.known_features


def test_what_was_known_takes_its_place_again_when_the_type_changes_back() -> None:
    there = MODEL.updated(words(FRESH))
    assert there.alignment(FRESH).retyped == ("amount",)
    back = there.updated(FRESH)
    assert back.schema_.by_name["amount"].kind == "numeric"
    assert back.statistics_["amount"].rows == 1_900
    assert back.schema_.by_name["amount (text)"].stands_by_for == "amount"
    again = back.updated(words(FRESH))
    assert again.statistics_["amount"].rows == 800
    assert len(again.schema_) == len(back.schema_)
    assert DynamicAnomalyDetector.from_bytes(again.to_bytes()).to_bytes() == again.to_bytes()


def test_another_type_waits_until_enough_rows_carry_it() -> None:
    few = words(FRESH.head(ROWS_TO_LEARN - 8))
    waiting = MODEL.updated(few)
    assert waiting.schema_.by_name["amount"].kind == "numeric"
    beside = waiting.schema_.by_name["amount (text)"]
    assert beside.reason == "Its column came as text; learned once 32 rows carry it (24 so far)."
    assert waiting.alignment(few).retyped == ("amount",)
    assert waiting.updated(few).schema_.by_name["amount"].kind == "categorical"


def test_the_flagged_share_stays_through_every_change() -> None:
    model = DynamicAnomalyDetector(random_state=1).fit(rows(3_000, 1))
    fresh = rows(3_000, 2)
    for change in (cents, words, lambda f: f.rename(columns={"amount": "Amount"}), lambda f: f.assign(large="a")):
        changed = change(fresh)
        assert model.score(changed).flagged_share == pytest.approx(0.1, abs=0.02)
        assert model.updated(changed).score(changed).flagged_share == pytest.approx(0.1, abs=0.02)


def test_the_same_changes_give_the_same_model_byte_for_byte() -> None:
    changed = words(FRESH).rename(columns={"paid": "PAID"})
    assert MODEL.updated(changed).to_bytes() == MODEL.updated(changed[changed.columns[::-1]]).to_bytes()


def shop(n: int, seed: int, names: list[str], shares: list[float] | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"amount": rng.lognormal(3, 1, n), "items": rng.integers(1, 9, n), "section": rng.choice(names, n, p=shares)}
    )


COMMON = [0.3, 0.25, 0.2, 0.15, 0.05, 0.03, 0.02]
SECTIONS = ["food", "home", "books", "games", "pets", "garden", "tools"]


@pytest.mark.parametrize(
    ("names", "shares"), [([f"S{number}" for number in range(7)], COMMON), (SECTIONS, COMMON[::-1])]
)
def test_categories_that_are_others_than_in_training_do_not_flag_every_row(
    names: list[str], shares: list[float]
) -> None:
    model = DynamicAnomalyDetector(random_state=0).fit(shop(4_000, 0, SECTIONS, COMMON))
    result = model.score(shop(2_000, 1, names, shares))
    assert result.report.unfamiliar == ("section",)
    assert result.signatures == (("amount", "items"),)
    assert result.flagged_share == pytest.approx(0.1, abs=0.03)
    (found,) = [column for column in result.report.columns if column.name == "section"]
    assert found.action.startswith("Most of its values are others than those that training had most of")
    for seed in range(2, 6):
        model.partial_fit(shop(4_000, seed, names, shares))
    after = model.score(shop(2_000, 9, names, shares))
    assert after.report.unfamiliar == ()
    assert after.flagged_share == pytest.approx(0.1, abs=0.03)


def test_categories_of_training_are_familiar_and_a_few_rows_say_nothing() -> None:
    model = DynamicAnomalyDetector(random_state=0).fit(shop(4_000, 0, SECTIONS, COMMON))
    assert model.score(shop(300, 1, SECTIONS, COMMON)).report.unfamiliar == ()
    assert model.score(shop(300, 1, SECTIONS)).report.unfamiliar == ()
    assert model.score(shop(199, 1, ["toys"])).report.unfamiliar == ()


def test_the_last_piece_of_a_file_goes_the_way_of_those_before() -> None:
    model = DynamicAnomalyDetector(random_state=0).fit(shop(4_000, 0, SECTIONS, COMMON))
    before = model.score(shop(500, 1, ["toys", "music"])).report
    assert model.score(shop(5, 2, ["toys"]), after=before).report.unfamiliar == ("section",)


def test_rows_of_which_nothing_else_is_known_are_scored_by_unfamiliar_categories() -> None:
    model = DynamicAnomalyDetector(random_state=0).fit(shop(4_000, 0, SECTIONS, COMMON)[["section"]])
    result = model.score(shop(500, 1, ["toys", "music"])[["section"]])
    assert result.report.unfamiliar == ()
    assert result.report.unseen == {"section": 500}
    assert result.flagged_share == 1.0
