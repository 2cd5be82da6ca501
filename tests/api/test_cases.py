from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from detector.api import create_app
from detector.api import documents as docs
from detector.api.idempotency import KEY, REPLAYED
from detector.service import scoring, uploads
from detector.service.review import deciding, queueing
from detector.service.review.case_ids import CaseId
from detector.service.versions import training
from detector.service.workspace import Workspace
from tests.api.conftest import settings_in
from tests.databases import Kind, databases
from tests.service.conftest import PARAMETERS, card_payments, csv

FRAUD = {"outcome": "fraud", "reason": "stolen_card", "revision": 0}


@pytest.fixture(scope="module")
def queued_once(tmp_path_factory: pytest.TempPathFactory, database_kind: Kind) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("queued")
    ws = Workspace.open(settings_in(home))
    training.train_rows(ws, card_payments(120), PARAMETERS, {"card": "entity"}, actor="ada")
    scoring.score_file(ws, uploads.receive(ws, "a.csv", csv(card_payments(120, seed=1)), actor="ada").id, actor="ada")
    queueing.send_to_queue(ws, 1, 10, actor="ada")
    ws.close()
    yield home
    databases.forget(home)


@pytest.fixture
def workspace(queued_once: Path, tmp_path: Path, open_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace with the ten most severe of 120 card payments in the queue."""
    databases.copy(queued_once, tmp_path)
    return open_workspace()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace)) as client:
        yield client


@pytest.fixture
def path(workspace: Workspace) -> str:
    """Return where the most severe case is."""
    return f"/cases/1-{int(workspace.inbox.table(1).rows[0])}"


def test_a_case_tells_what_it_is_and_how_it_stands(client: TestClient, workspace: Workspace, path: str) -> None:
    case = docs.CaseDocument.model_validate(client.get(path).json())
    assert (case.case, case.status, case.revision, case.file) == (path.rpartition("/")[2], "open", 0, "a.csv")
    assert case.severity > case.cutoff
    assert set(card_payments(2)) == set(case.values)
    assert case.reasons


def test_a_decision_is_made_on_what_was_seen(client: TestClient, workspace: Workspace, path: str) -> None:
    answer = client.post(f"{path}/decision", json=FRAUD)
    made = docs.StandingDocument.model_validate(answer.json())
    assert (made.status, made.outcome, made.reason, made.revision, made.changed_by) == (
        "decided", "fraud", "stolen_card", 1, "api",
    )  # fmt: skip
    late = client.post(f"{path}/decision", json={**FRAUD, "outcome": "unclear", "reason": "waiting"})
    assert late.status_code == 409
    assert "api left it decided as fraud" in late.json()["detail"]
    now = client.get(path).json()
    assert (now["outcome"], now["revision"]) == ("fraud", 1)
    again = {"outcome": "unclear", "reason": "waiting", "revision": now["revision"], "note": "asked"}
    assert client.post(f"{path}/decision", json=again).json()["revision"] == 2


def test_a_repeated_decision_is_made_once(client: TestClient, workspace: Workspace, path: str) -> None:
    answers = [client.post(f"{path}/decision", json=FRAUD, headers={KEY: "one"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert REPLAYED in answers[1].headers
    case = CaseId.parse(path.rpartition("/")[2])
    assert workspace.inbox.find(case)[0].states
    assert deciding.last_change(workspace, "api") is not None


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ({"outcome": "fraud", "reason": "stolen_card"}, "revision"),
        ({**FRAUD, "revision": -1}, "revision"),
        ({**FRAUD, "revision": True}, "revision"),
        ({**FRAUD, "outcome": "theft"}, "outcome"),
        ({**FRAUD, "reason": "waiting"}, None),
        ({**FRAUD, "why": "x"}, "why"),
        ([FRAUD], None),
    ],
)
def test_what_is_no_decision_is_refused(client: TestClient, path: str, body: Any, column: str | None) -> None:
    answer = client.post(f"{path}/decision", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["column"] == column


@pytest.mark.parametrize(("case", "status"), [("1-999999", 404), ("9-1", 404), ("one", 422), ("1-1-1", 422)])
def test_a_case_that_is_none_is_told(client: TestClient, case: str, status: int) -> None:
    assert client.get(f"/cases/{case}").status_code == status
    assert client.post(f"/cases/{case}/decision", json=FRAUD).status_code == status
