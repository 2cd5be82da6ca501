import pandas as pd
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.service.champion import Champion
from detector.service.observing import MOST_NAMES, PAUSE, ROWS_TOGETHER, Observations
from detector.service.versions.versioning import new_version

ROWS = [{"amount": float(number % 7), "visits": number % 5} for number in range(60)]


def champion(version=1):
    detector = DynamicAnomalyDetector(n_estimators=5).fit(ROWS)
    return Champion(version, detector, detector.cutoff, pd.Timestamp("2026-01-01", tz="UTC"), len(ROWS))


@pytest.fixture
def observations(ws):
    for _ in range(2):
        ws.registry.register(new_version(champion().detector, origin="trained"), actor="test")
    return ws.observations


def counted(champion, name):
    return champion.detector.feature_stats[name]["rows"]


def test_a_new_feature_is_registered_and_every_row_is_counted(observations):
    answering = champion()
    for number in range(5):
        observations.note(answering, {"amount": 1.0, "risk": number}, ("risk",))
    observations.count()
    observations.close()
    assert "risk" in answering.detector.known_features
    assert counted(answering, "risk") == 5


def test_a_batch_counts_in_each_form(observations):
    answering = champion()
    rows = [{"amount": 1.0, "risk": 1.0}, {"amount": 1.0}, {"risk": 2.0}]
    observations.note(answering, rows, ("risk",))
    observations.note(answering, pd.DataFrame(rows[:1]), ("risk",))
    observations.count()
    observations.close()
    assert counted(answering, "risk") == 3


def test_of_a_large_batch_an_even_share_is_counted(observations):
    answering = champion()
    observations.note(answering, [{"risk": 1.0}] * (3 * ROWS_TOGETHER), ("risk",))
    observations.count()
    observations.close()
    assert counted(answering, "risk") == ROWS_TOGETHER


def test_what_waited_for_an_earlier_champion_is_dropped(observations):
    first, second = champion(1), champion(2)
    observations.note(first, {"risk": 1.0}, ("risk",))
    observations.note(second, {"device": "d"}, ("device",))
    observations.count()
    observations.close()
    assert "device" in second.detector.known_features
    assert "risk" not in second.detector.known_features


def test_ever_new_names_do_not_fill_the_memory(observations):
    answering = champion()
    names = [f"n{number}" for number in range(MOST_NAMES + 50)]
    observations.note(answering, dict.fromkeys(names, 1.0), names)
    observations.count()
    observations.close()
    assert len(answering.detector.known_features) == MOST_NAMES + 2


def test_rows_without_new_features_cost_nothing(observations):
    answering = champion()
    observations.note(answering, ROWS, ())
    observations.count()
    assert answering.detector.known_features == ("amount", "visits")


def test_between_two_counts_only_so_many_rows_are_kept(observations, ws):
    now = [0.0]
    observations = Observations(ws.database, clock=lambda: now[0])
    answering = champion()
    for _ in range(3 * ROWS_TOGETHER):
        observations.note(answering, {"risk": 1.0}, ("risk",))
    now[0] = 2 * PAUSE
    observations.note(answering, {"risk": 1.0}, ("risk",))
    observations.count()
    observations.close()
    assert ROWS_TOGETHER <= counted(answering, "risk") <= 2 * ROWS_TOGETHER
