from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.errors import NotFoundError
from detector.service.review import deciding, queueing
from detector.service.workspace import Workspace
from detector.store import queue_files
from tests.service.reviewing import in_order, queued


def test_a_queue_whose_file_is_gone_leaves_the_others_alone(
    ws: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    first, second = queued(ws, seed=1), queued(ws, seed=2)
    (ws.inbox.folder / first.queue.file).unlink()
    other = open_workspace()
    assert [table.queue.run for table in other.inbox.tables()] == [second.queue.run]
    assert [queue.run for queue in other.inbox.lost] == [first.queue.run]
    with pytest.raises(NotFoundError, match=f"Run {first.queue.run} is not in the queue"):
        other.inbox.table(first.queue.run)
    queueing.close_queue(other, first.queue.run, actor="lead")
    other.inbox.tables()
    assert other.inbox.lost == ()


def test_states_are_known_after_a_look_that_failed(
    ws: Workspace, open_workspace: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = queued(ws)
    case = in_order(ws)[0]
    deciding.decide(ws, [case], "fraud", "stolen_card", actor="ada")
    other = open_workspace()
    with monkeypatch.context() as broken:
        broken.setattr(type(other.inbox), "_news", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            other.inbox.tables()
    found, position = other.inbox.find(case)
    assert found.queue.run == table.queue.run
    assert found.state(position).outcome == "fraud"


def test_a_reader_that_began_with_the_file_before_can_end_with_it(ws: Workspace) -> None:
    table = queued(ws)
    queueing.send_to_queue(ws, table.queue.run, 60, actor="ada")
    assert len(queue_files.read_rows(ws.inbox.folder / table.queue.file)) == len(table)


def test_a_table_that_was_handed_out_does_not_change(ws: Workspace) -> None:
    table = queued(ws)
    case = in_order(ws)[0]
    before = table.priorities.copy(), table.statuses.copy(), dict(table.states)
    deciding.decide(ws, [case], "fraud", "stolen_card", actor="ada")
    assert ws.inbox.find(case)[0].state(table.position(case.row)).outcome == "fraud"
    assert (table.priorities == before[0]).all()
    assert (table.statuses == before[1]).all()
    assert table.states == before[2]
