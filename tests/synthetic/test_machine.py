from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.synthetic import MACHINE_DAYS, MACHINE_STORY, generate_machine_day


@pytest.fixture(scope="module")
def days() -> dict[int, pd.DataFrame]:
    return {day: generate_machine_day(day) for day in MACHINE_DAYS}


def test_the_same_day_and_seed_give_the_same_frame(days: dict[int, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(generate_machine_day(3), days[3])
    assert not generate_machine_day(3, seed=8)["flow_l_min"].equals(days[3]["flow_l_min"])


def test_the_story_is_told_for_every_day() -> None:
    assert tuple(MACHINE_STORY) == MACHINE_DAYS


def test_days_follow_one_another_minute_by_minute(days: dict[int, pd.DataFrame]) -> None:
    times = pd.to_datetime(pd.concat([day["time"] for day in days.values()]))
    assert (times.diff().dropna() == pd.Timedelta(minutes=1)).all()


def test_each_day_has_a_leak_and_a_stuck_valve_of_25_minutes(days: dict[int, pd.DataFrame]) -> None:
    for day in days.values():
        assert day["fault"].value_counts().to_dict() == {"none": 1390, "leak": 25, "stuck valve": 25}


def test_sensors_go_and_change_as_the_story_says(days: dict[int, pd.DataFrame]) -> None:
    assert list(days[2].columns) == list(days[1].columns)
    dead = days[3]["vibration_mm_s"].isna()
    assert dead[720:].all()
    assert not dead[:720].any()
    assert set(days[3].columns) - set(days[4].columns) == {"vibration_mm_s"}
    assert 60 < days[4]["pressure_bar"].median() / days[1]["pressure_bar"].median() < 140
    assert days[4]["oil_c"].tail(60).mean() > days[1]["oil_c"].max()
    healthy = pd.concat([days[day] for day in (1, 2)])
    assert healthy.notna().all().all()


def test_signals_hang_together_and_a_fault_breaks_it(days: dict[int, pd.DataFrame]) -> None:
    good = days[1][days[1]["fault"] == "none"]
    assert good["valve_percent"].corr(good["flow_l_min"]) > 0.9
    assert good["flow_l_min"].corr(good["pressure_bar"]) < -0.8
    leak, stuck = (days[1][days[1]["fault"] == kind] for kind in ("leak", "stuck valve"))
    slope, start = np.polyfit(good["flow_l_min"], good["pressure_bar"], 1)
    assert (leak["pressure_bar"] < slope * leak["flow_l_min"] + start).all()
    assert stuck["flow_l_min"].max() < good["flow_l_min"].min()


@pytest.mark.parametrize("day", [0, 5])
def test_a_day_that_is_not_told_of_is_refused(day: int) -> None:
    with pytest.raises(ValueError, match=f"day must be one of 1 to 4, not {day}"):
        generate_machine_day(day)
