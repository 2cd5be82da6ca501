from __future__ import annotations

import pandas as pd
import pytest

from detector.synthetic import NETWORK_DAYS, NETWORK_STORY, generate_network_day


@pytest.fixture(scope="module")
def days() -> dict[int, pd.DataFrame]:
    return {day: generate_network_day(day) for day in NETWORK_DAYS}


def test_the_same_day_and_seed_give_the_same_frame(days: dict[int, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(generate_network_day(4), days[4])
    assert not generate_network_day(4, seed=8)["host"].equals(days[4]["host"])


def test_the_story_is_told_for_every_day() -> None:
    assert tuple(NETWORK_STORY) == NETWORK_DAYS


def test_connections_are_in_the_order_of_time_within_their_day(days: dict[int, pd.DataFrame]) -> None:
    times = pd.to_datetime(pd.concat([day["time"] for day in days.values()]))
    assert times.is_monotonic_increasing
    assert times.dt.date.nunique() == len(NETWORK_DAYS)


def test_the_age_of_the_destination_comes_at_noon_of_day_3(days: dict[int, pd.DataFrame]) -> None:
    assert list(days[2].columns) == list(days[1].columns)
    assert set(days[3].columns) - set(days[2].columns) == {"destination_age_days"}
    assert set(days[3].columns) - set(days[4].columns) == {"flag"}
    afternoon = pd.to_datetime(days[3]["time"]).dt.hour >= 12
    assert (days[3]["destination_age_days"].notna() == afternoon).all()
    assert all(days[day].notna().all().all() for day in (1, 2, 4))


def test_day_1_has_no_attacks_and_the_others_a_scan_and_uploads(days: dict[int, pd.DataFrame]) -> None:
    assert set(days[1]["attack"]) == {"none"}
    for day in (2, 3, 4):
        assert days[day]["attack"].value_counts().to_dict() == {"none": 4900, "port scan": 70, "exfiltration": 30}
        scan = days[day][days[day]["attack"] == "port scan"]
        assert len(set(scan["host"])) == 1
        assert pd.to_datetime(scan["time"]).agg(lambda times: times.max() - times.min()) < pd.Timedelta(minutes=15)
    carried = days[4]["attack"] == "exfiltration"
    assert days[4].loc[carried, "destination_age_days"].max() < days[4].loc[~carried, "destination_age_days"].median()
    assert days[4].loc[carried, "bytes_sent"].median() > days[4].loc[~carried, "bytes_sent"].quantile(0.95)


def test_what_is_refused_or_unanswered_brings_no_bytes_back(days: dict[int, pd.DataFrame]) -> None:
    plain = days[2][(days[2]["attack"] != "exfiltration") & days[2]["flag"].isin(["refused", "unanswered"])]
    assert (plain["bytes_received"] == 0).all()


@pytest.mark.parametrize("day", [0, 5])
def test_a_day_that_is_not_told_of_is_refused(day: int) -> None:
    with pytest.raises(ValueError, match=f"day must be one of 1 to 4, not {day}"):
        generate_network_day(day)


def test_too_few_rows_are_refused_and_as_many_come_as_asked() -> None:
    assert len(generate_network_day(3, rows=777)) == 777
    with pytest.raises(ValueError, match="rows must be 500 or more, not 499"):
        generate_network_day(1, rows=499)
