from __future__ import annotations

import pandas as pd
import pytest

from detector.synthetic import LOG_DAYS, LOG_STORY, generate_log_day


@pytest.fixture(scope="module")
def days() -> dict[int, pd.DataFrame]:
    return {day: generate_log_day(day) for day in LOG_DAYS}


def test_the_same_day_and_seed_give_the_same_frame(days: dict[int, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(generate_log_day(2), days[2])
    assert not generate_log_day(2, seed=8)["node"].equals(days[2]["node"])


def test_the_story_is_told_for_every_day() -> None:
    assert tuple(LOG_STORY) == LOG_DAYS


def test_lines_are_in_the_order_of_time_within_their_day(days: dict[int, pd.DataFrame]) -> None:
    times = pd.to_datetime(pd.concat([day["time"] for day in days.values()]))
    assert times.is_monotonic_increasing
    assert times.dt.date.nunique() == len(LOG_DAYS)


def test_the_columns_of_day_3_are_those_of_another_shipper(days: dict[int, pd.DataFrame]) -> None:
    assert list(days[2].columns) == list(days[1].columns)
    assert set(days[1].columns) - set(days[3].columns) == {"level", "message_length"}
    assert set(days[3].columns) - set(days[1].columns) == {"msg_length", "queue_depth"}
    assert all(day.notna().all().all() for day in days.values())


def test_day_1_is_quiet_and_the_others_have_a_burst_and_new_templates(days: dict[int, pd.DataFrame]) -> None:
    assert set(days[1]["incident"]) == {"none"}
    usual = set(days[1]["template"])
    for day in (days[2], days[3]):
        assert day["incident"].value_counts().to_dict() == {"none": 3928, "burst": 48, "new template": 24}
        burst = day[day["incident"] == "burst"]
        assert len(set(burst["node"])) == 1
        assert pd.to_datetime(burst["time"]).agg(lambda times: times.max() - times.min()) <= pd.Timedelta(minutes=6)
        assert set(burst["template"]) <= usual
        assert usual.isdisjoint(day.loc[day["incident"] == "new template", "template"])
        assert set(day.loc[day["incident"] == "none", "template"]) <= usual


def test_a_template_has_one_component_and_one_level(days: dict[int, pd.DataFrame]) -> None:
    assert not days[2][["template", "component", "level"]].drop_duplicates()["template"].duplicated().any()


@pytest.mark.parametrize("day", [0, 4])
def test_a_day_that_is_not_told_of_is_refused(day: int) -> None:
    with pytest.raises(ValueError, match=f"day must be one of 1 to 3, not {day}"):
        generate_log_day(day)


def test_too_few_rows_are_refused_and_as_many_come_as_asked() -> None:
    assert len(generate_log_day(3, rows=777)) == 777
    with pytest.raises(ValueError, match="rows must be 500 or more, not 499"):
        generate_log_day(1, rows=499)
