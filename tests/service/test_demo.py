from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from detector.errors import ConflictError, NotFoundError
from detector.service import demo, overview, runs
from detector.service.peer import PlainForest
from detector.service.versions import updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.synthetic import COLUMN_STORY


def test_the_sample_gives_a_champion_and_flagged_rows(ws: Workspace) -> None:
    run = demo.load_sample(ws, actor="ada")
    assert run.version == ws.require_champion().version == 1
    assert ws.registry.info(1).origin == "sample"
    assert 0 < run.flagged < run.rows / 10
    assert runs.run_rows(ws, run.id, flagged_only=True)["flagged"].all()
    assert overview.status(ws).drift == "calm"


def test_loading_the_sample_twice_changes_nothing(ws: Workspace) -> None:
    first = demo.load_sample(ws, actor="ada")
    assert demo.load_sample(ws, actor="ada") == first
    assert len(ws.registry.list()) == 1


def test_the_sample_does_not_replace_a_model_of_ones_own(ws: Workspace, trained: TrainResult) -> None:
    with pytest.raises(ConflictError, match="has a model of its own, version 1"):
        demo.load_sample(ws, actor="ada")
    assert ws.require_champion().version == 1


def test_each_week_has_a_story() -> None:
    assert [(week.week, week.story) for week in demo.demo_weeks()] == list(COLUMN_STORY.items())


def test_five_weeks_keep_flagging_where_a_plain_forest_goes_quiet(ws: Workspace) -> None:
    outcomes = [demo.play_week(ws, week, actor="ada") for week in range(1, 6)]
    assert [outcome.version for outcome in outcomes] == [1, 2, 3, 4, 5]
    assert outcomes[1].new_columns == ("device_score",)
    assert outcomes[2].new_columns == ("ip_distance_km",)
    assert set(outcomes[3].missing_columns) == {"entry_mode", "device_score"}
    assert outcomes[4].report["retyped"] == ["card_present"]
    for outcome in outcomes:
        assert 0.03 <= outcome.flagged_share <= 0.08
        assert outcome.frauds_caught <= outcome.frauds
    assert outcomes[0].peer_flagged_share == pytest.approx(0.05)
    assert outcomes[4].peer_flagged_share < 0.025
    assert outcomes[4].frauds_caught > 2 * outcomes[4].peer_frauds_caught
    assert demo.demo_state(ws) == tuple(outcomes)


def test_the_demo_leaves_the_champion_alone(ws: Workspace, trained: TrainResult) -> None:
    demo.play_week(ws, 1, actor="ada")
    demo.play_week(ws, 2, actor="ada")
    assert ws.require_champion().version == 1
    assert [info.number for info in updating.list_versions(ws)] == [1]
    alias = ws.registry.alias(demo.DEMO)
    assert alias is not None
    assert (alias.version, ws.registry.info(3).parent, ws.registry.info(3).lane) == (3, 2, "demo")
    assert overview.status(ws).champion_version == 1


def test_weeks_are_played_in_order_and_once(ws: Workspace) -> None:
    with pytest.raises(ConflictError, match="Week 1 comes first"):
        demo.play_week(ws, 3, actor="ada")
    with pytest.raises(NotFoundError, match="not 6"):
        demo.play_week(ws, 6, actor="ada")
    first = demo.play_week(ws, 1, actor="ada")
    assert demo.play_week(ws, 1, actor="bob") == first
    assert len(ws.registry.list()) == 1


def test_two_people_who_play_the_same_week_see_the_same_outcome(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    played = demo.play_week(ws, 1, actor="ada")
    states = [(), demo.demo_state(ws)]
    monkeypatch.setattr(demo, "demo_state", lambda _: states.pop(0))
    assert demo.play_week(ws, 1, actor="bob") == played
    assert len(ws.registry.list()) == 1


def test_a_reset_demo_begins_anew(ws: Workspace) -> None:
    first = demo.play_week(ws, 1, actor="ada")
    demo.reset_demo(ws, actor="ada")
    assert demo.demo_state(ws) == ()
    again = demo.play_week(ws, 1, actor="ada")
    assert again.version == first.version + 1
    assert again.frauds_caught == first.frauds_caught


def test_outcomes_survive_a_new_process(ws: Workspace, open_workspace: Callable[..., Workspace]) -> None:
    played = demo.play_week(ws, 1, actor="ada")
    assert demo.demo_state(open_workspace()) == (played,)


def test_the_plain_forest_fills_in_what_is_missing_and_ignores_what_is_new() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": random.normal(size=500),
            "kind": random.choice(["a", "b"], 500),
            "id": [f"n{row}" for row in range(500)],
            "is_fraud": 0,
        }
    )
    forest = PlainForest(frame, label="is_fraud", contamination=0.1)
    assert forest.flags(frame).mean() == pytest.approx(0.1, abs=0.01)
    changed = frame.drop(columns="kind").assign(amount="unreadable", other=1.0)
    assert len(set(forest.flags(changed).tolist())) == 1
    np.testing.assert_array_equal(forest.flags(frame.assign(is_fraud=1)), forest.flags(frame))
