"""What role a column is found to have, by its name and its values, on columns of real files."""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from detector.core.inference import Finding, finding_for, infer, is_skewed

N = 400


def rng(seed: int = 11) -> np.random.Generator:
    return np.random.default_rng(seed)


def pick(values: Any, n: int = N, seed: int = 11) -> list[Any]:
    return rng(seed).choice(values, n).tolist()


def role(name: str, values: Any) -> str:
    return infer(name, pd.Series(values)).role


# ---------------------------------------------------------------- real files

CENTS = np.round(rng(1).lognormal(3.5, 1.0, N), 2)
TIMES = (pd.Timestamp("2019-01-01") + pd.to_timedelta(np.sort(rng(2).integers(0, 10**6, N)), unit="s")).astype(str)
CARDS = rng(3).integers(10**15, 10**16, 90)
HEX = [f"{value:032x}" for value in range(N)]
SPARKOV = {
    "Unnamed: 0": (range(N), "ignored"), "trans_date_trans_time": (TIMES, "time"), "cc_num": (pick(CARDS), "entity"),
    "merchant": (pick([f"fraud_Shop {i}" for i in range(120)]), "input"), "category": (pick(["gas", "home"]), "input"),
    "amt": (CENTS, "amount"), "first": (pick(["Ann", "Bob"]), "input"), "gender": (pick(["F", "M"]), "input"),
    "street": (pick([f"{i} Main St" for i in range(90)]), "input"), "zip": (pick(range(1_000, 1_090)), "input"),
    "lat": (rng().normal(40, 5, N), "input"), "long": (rng().normal(-90, 9, N), "input"),
    "city_pop": (pick(range(100, 900_000, 7_777)), "input"), "job": ([*pick(["Psychologist, counselling"]), "Vet"],
    "input"),
    "dob": (pick(["1988-03-09", "1961-06-19", "1990-01-01"]), "ignored"), "trans_num": (HEX, "id"),
    "unix_time": (np.sort(rng().integers(1_325_376_000, 1_371_816_000, N)), "ignored"),
    "merch_lat": (rng().normal(40, 5, N), "input"), "merch_zipcode": (pick([28705.0, 33872.0, np.nan]), "input"),
    "is_fraud": (pick([0, 0, 0, 1]), "label"),
}  # fmt: skip
PAYSIM = {
    "step": (np.sort(pick(range(1, 30))), "ignored"), "type": (pick(["PAYMENT", "CASH_OUT"]), "input"),
    "amount": (CENTS, "amount"), "nameOrig": ([f"C{i}" for i in rng().permutation(N)], "id"),
    "oldbalanceOrg": (CENTS, "input"), "newbalanceOrig": (CENTS[::-1], "input"),
    "nameDest": (pick([f"M{i}" for i in range(200)]), "entity"), "isFraud": (pick([0, 1]), "label"),
    "isFlaggedFraud": ([0] * N, "label"),
}  # fmt: skip
HANDBOOK = {
    "TRANSACTION_ID": (range(N), "id"), "TX_DATETIME": (TIMES, "time"), "CUSTOMER_ID": (pick(range(150)), "entity"),
    "TERMINAL_ID": (pick(range(90)), "entity"), "TX_AMOUNT": (CENTS, "amount"),
    "TX_TIME_SECONDS": (np.sort(pick(range(86_400))), "ignored"), "TX_TIME_DAYS": (np.sort(pick([0, 1, 2])), "ignored"),
    "TX_FRAUD": (pick([0, 1]), "label"), "TX_FRAUD_SCENARIO": (pick([0, 1, 2, 3]), "label"),
}  # fmt: skip
CARD_COMPONENTS = {
    "Time": (np.sort(pick(range(150))).astype(float), "ignored"), "V1": (rng().normal(size=N), "input"),
    "V28": (rng().normal(size=N), "input"), "Amount": (CENTS, "amount"), "Class": (pick([0, 0, 0, 1]), "label"),
}  # fmt: skip
SHOP = {
    "user_id": (rng().permutation(N), "id"), "signup_time": (pick(TIMES), "time"), "purchase_time": (pick(TIMES),
    "time"),
    "purchase_value": (pick(range(9, 150)), "amount"), "device_id": (pick([f"D{i}" for i in range(300)]), "entity"),
    "source": (pick(["SEO", "Ads"]), "input"), "browser": (pick(["Chrome", "IE"]), "input"),
    "age": (pick(range(18, 75)), "input"),
    "ip_address": (rng().uniform(0, 2**32, N), "id"), "class": (pick([0, 1]), "label"),
}  # fmt: skip
ACCOUNTS = {
    "fraud_bool": (pick([0, 1]), "label"), "income": (pick(np.arange(1, 10) / 10), "input"),
    "prev_address_months_count": (pick(range(-1, 300)), "input"), "customer_age": (pick(range(18, 90)), "input"),
    "intended_balcon_amount": (CENTS - 20, "amount"), "payment_type": (pick(["AA", "AB"]), "input"),
    "zip_count_4w": (pick(range(1, 5_000)), "input"), "velocity_6h": (CENTS * 9, "input"),
    "date_of_birth_distinct_emails_4w": (pick(range(30)), "input"), "credit_risk_score": (pick(range(-170, 390)),
    "input"),
    "email_is_free": (pick([0, 1]), "input"), "device_os": (pick(["linux", "other"]), "input"),
    "device_fraud_count": ([0] * N, "ignored"), "month": (pick(range(8)), "input"),
}  # fmt: skip
FILES = {"sparkov": SPARKOV, "paysim": PAYSIM, "handbook": HANDBOOK, "components": CARD_COMPONENTS, "shop": SHOP,
         "accounts": ACCOUNTS}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        pytest.param(name, values, expected, id=f"{file}-{name}")
        for file, columns in FILES.items()
        for name, (values, expected) in columns.items()
    ],
)
def test_columns_of_real_transaction_files_get_the_role_a_person_would_give(
    name: str, values: Any, expected: str
) -> None:
    finding = infer(name, pd.Series(values))
    assert finding.role == expected, finding.reason
    assert finding.reason[0].isupper()
    assert finding.reason.endswith(".")


# ---------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    "name",
    [
        "isFraud",
        "TX_FRAUD",
        "is_fraud",
        "Class",
        "fraud_reported",
        "chargeback",
        "Label",
        "target",
        "fraudulent",
        "outlier",
    ],
)
def test_an_outcome_is_known_by_its_name_and_its_few_values(name: str) -> None:  # fmt: skip
    assert role(name, pick([0, 1])) == "label"
    assert role(name, pick([True, False])) == "label"
    assert role(name, pick(["Y", "N"])) == "label"


@pytest.mark.parametrize(
    "name",
    [
        "fraud_score",
        "merchant_class",
        "fraud_rate_30d",
        "chargeback_count",
        "prior_fraud",
        "anomaly_score",
        "target_country",
        "labels_printed",
    ],
)
def test_figures_about_outcomes_and_classes_of_things_are_inputs(name: str) -> None:
    assert role(name, pick([0, 1, 2, 3])) == "input"


def test_an_outcome_with_many_values_is_none() -> None:
    assert role("fraud", rng().normal(size=N)) == "input"
    assert role("class", pick(["first", "second", "third"])) == "input"


# ---------------------------------------------------------------- identifiers, codes, counters


def test_what_describes_a_customer_does_not_identify_one() -> None:
    for name in ("customer_age", "account_balance", "card_limit", "user_income", "client_tenure_days"):
        assert role(name, pick(range(100, 9_000))) == "input", name
        assert role(name, rng().permutation(N)) == "input", name


@pytest.mark.parametrize(
    "name", ["customer", "card", "card1", "account_number", "client_id", "iban", "nameDest", "ip", "phone"]
)
def test_who_a_row_belongs_to_is_an_entity_and_one_of_a_kind_is_an_id(name: str) -> None:  # fmt: skip
    assert role(name, pick(range(100))) == "entity"
    assert role(name, range(N)) == "id"
    assert role(name, pick([f"x{i}" for i in range(100)])) == "entity"


@pytest.mark.parametrize("name", ["mcc", "country_code", "zip", "postcode", "customer_id", "card"])
def test_few_codes_that_look_like_numbers_are_categories(name: str) -> None:
    finding = infer(name, pd.Series(pick([5411, 5812, 7995])))
    assert (finding.kind, finding.role) == ("categorical", "input")
    assert finding.reason == "Its name says that its numbers are codes, not quantities."


def test_a_number_so_long_that_it_must_be_a_code_is_a_category_though_few_occur() -> None:
    assert infer("cc_num", pd.Series(pick(CARDS[:9]))).kind == "categorical"
    assert infer("items_num", pd.Series(pick(range(9)))).kind == "numeric"


def test_numbers_with_a_sign_or_a_fraction_identify_nobody() -> None:
    assert role("device_id", rng().normal(size=N)) == "input"
    assert role("account", pick(range(-200, 200))) == "input"


def test_few_rows_say_nothing_about_identity_or_growth() -> None:
    assert role("reference", ["a", "b", "c"]) == "input"
    assert role("visits", range(10)) == "input"


def test_what_only_grows_or_only_falls_is_left_out() -> None:
    for values in (range(N), range(N, 0, -1), np.cumsum(rng().integers(0, 5, N))):
        finding = infer("visits", pd.Series(values))
        assert finding.role == "ignored"
        assert finding.reason == "It only grows from row to row, so later rows would always look unusual."


def test_a_file_that_is_sorted_by_amount_keeps_its_amount() -> None:
    assert role("amount", np.sort(rng().permutation(10 * N)[:N])) == "amount"
    assert role("balance", np.sort(CENTS)) == "input"
    assert role("visits", np.sort(pick(range(5)))) == "input"


def test_seconds_of_a_clock_are_left_out_in_any_order() -> None:
    finding = infer("event_timestamp", pd.Series(rng().integers(1_600_000_000, 1_700_000_000, N)))
    assert (finding.role, finding.reason[:32]) == ("ignored", "It counts the seconds of a clock")
    assert role("response_time", pick(range(900))) == "input"


def test_texts_that_differ_in_almost_every_row_are_ids_or_free_text() -> None:
    assert role("whatever", HEX) == "id"
    finding = infer("memo", pd.Series([f"paid the bill of month {i} twice" for i in range(N)]))
    assert (finding.role, finding.reason) == ("ignored", "It is free text.")


def test_thousands_of_texts_that_stand_for_few_rows_each_say_whose_a_row_is() -> None:
    many = pick([f"p{i}" for i in range(1_500)], n=5_000)
    finding = infer("party", pd.Series(many))
    assert finding.role == "entity"
    assert finding.reason.endswith("values in 5,000 rows, so it says whose a row is.")
    assert role("merchant", pick([f"m{i}" for i in range(700)], n=5_000)) == "input"


# ---------------------------------------------------------------- nothing to learn from


@pytest.mark.parametrize("values", [[None] * 5, [np.nan] * 5, [pd.NaT] * 5])
def test_a_column_without_values_is_left_out_until_it_has_some(values: list[Any]) -> None:
    finding = infer("extra", pd.Series(values))
    assert (finding.role, finding.revisit, finding.reason) == ("ignored", True, "It holds no value in any row.")


@pytest.mark.parametrize("values", [[3] * 5, [2.5] * 5, ["a"] * 5, [True] * 5, [[1]] * 5, ["2024-01-01"] * 5])
def test_a_constant_is_left_out_until_it_changes(values: list[Any]) -> None:
    finding = infer("extra", pd.Series(values))
    assert (finding.role, finding.revisit) == ("ignored", True)
    assert finding.reason == "It holds the same value in every row."


def test_one_value_with_gaps_is_kept_since_its_absence_tells_something() -> None:
    assert role("coupon", ["SAVE10", None, None, "SAVE10"]) == "input"


def test_only_the_first_amount_is_the_amount() -> None:
    finding = infer("fee_amount", pd.Series(CENTS), amount_taken=True)
    assert (finding.role, finding.reason) == ("input", "Its values are numbers; another column is the amount.")


@pytest.mark.parametrize(
    "values",
    [
        [10**400, 1, 2] * 9,
        [decimal.Decimal("sNaN"), 1] * 15,
        [{"a": 1}, [2], "x"] * 9,
        [object()] * 25,
        [1 + 2j, 3j] * 15,
        [pd.Period("2024-01"), 1] * 12,
        [b"x", None] * 20,
    ],
)
@pytest.mark.parametrize("name", ["anything", "amount", "customer_id", "is_fraud", "unix_time"])
def test_strange_values_raise_nothing(name: str, values: list[Any]) -> None:  # fmt: skip
    assert isinstance(infer(name, pd.Series(values, dtype=object)), Finding)


# ---------------------------------------------------------------- a person's choice


@pytest.mark.parametrize("chosen", ["input", "id", "entity", "label", "ignored", "amount"])
@pytest.mark.parametrize("name", ["customer_id", "amount", "isFraud", "step", "Unnamed: 0"])
def test_a_role_that_a_person_chose_wins(name: str, chosen: Any) -> None:
    finding = finding_for(name, pd.Series(range(N)), chosen)
    assert (finding.role, finding.reason) == (chosen, "You chose this role.")


def test_a_choice_that_the_values_do_not_bear_is_told() -> None:
    texts = pd.Series(pick(["a", "b"]))
    assert (
        finding_for("when", texts, "time").reason == "You chose it as the time, but its values cannot be read as times."
    )
    finding = finding_for("paid", texts, "amount")
    assert (finding.role, finding.reason) == (
        "ignored", "You chose it as the amount, but its values cannot be read as numbers."
    )  # fmt: skip
    assert finding_for("paid", pd.Series(["1.5", "20"]), "amount") == Finding(
        "numeric", "amount", "You chose this role."
    )


def test_a_code_that_a_person_makes_an_input_stays_a_category_and_a_counter_a_number() -> None:
    assert finding_for("mcc", pd.Series(pick([5411, 5812])), "input").kind == "categorical"
    assert finding_for("step", pd.Series(range(N)), "input").kind == "numeric"


# ---------------------------------------------------------------- skew


def test_skewed_amounts_are_recognised_and_anything_with_a_sign_is_not() -> None:
    assert is_skewed(rng().lognormal(4, 1.5, 500))
    assert not is_skewed(rng().lognormal(4, 1.5, 500) - 1e4)
    assert not is_skewed(rng().normal(100, 5, 500))
    assert not is_skewed(rng().lognormal(4, 1.5, 19))
    assert not is_skewed(np.full(50, 7.0))
    assert is_skewed(np.append(rng().lognormal(4, 1.5, 500), [np.nan, 1e30]))
