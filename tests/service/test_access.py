"""Who may do what: in every use case, whatever a page shows."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import detector.service
from detector.errors import ForbiddenError
from detector.service import jobs
from detector.service.access import NEEDS, Actor, needs, permit
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from tests.service.conftest import transactions


def use_cases() -> Iterator[tuple[str, object]]:
    """Yield every public function of the service layer, and every method of a workspace, that acts for somebody."""
    for found in pkgutil.walk_packages(detector.service.__path__, "detector.service."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{module.__name__}.{name}", value
    for name, value in vars(Workspace).items():
        if inspect.isfunction(value):
            yield f"Workspace.{name}", value


def test_every_use_case_that_acts_for_somebody_says_what_it_needs() -> None:
    acting = {name: value for name, value in use_cases() if "actor" in inspect.signature(value).parameters}
    # These act for nobody yet: they check, or keep what their callers were permitted to do.
    helpers = {
        "detector.service.access.permit",
        "detector.service.keys.insert_key",
        "detector.service.versions.held.hold",
        "detector.service.versions.settling.settle",
    }
    assert len(acting) > 40
    assert {name for name, value in acting.items() if not hasattr(value, NEEDS)} == helpers


@pytest.mark.parametrize(("role", "may"), [
    ("viewer", {"read"}), ("service", {"score"}), ("analyst", {"read", "score", "decide"}),
    ("lead", {"read", "score", "decide", "manage"}), (None, set()),
])  # fmt: skip
def test_each_role_has_its_rights(role: str | None, may: set[str]) -> None:
    who = Actor("somebody", role)  # type: ignore[arg-type]
    for right in ("read", "score", "decide", "manage"):
        assert who.may(right) is (right in may)  # type: ignore[arg-type]
        if right in may:
            permit(who, right)  # type: ignore[arg-type]
        else:
            with pytest.raises(ForbiddenError, match=f"your role is {role or 'none'}"):
                permit(who, right)  # type: ignore[arg-type]


def test_who_owns_the_workspace_may_do_everything() -> None:
    permit("command line", "manage")


def test_an_actor_is_a_name_wherever_a_name_is_wanted() -> None:
    who = Actor("lea", "lead")
    assert who == "lea"
    assert pickle.loads(pickle.dumps(who)).role == "lead"


def test_an_actor_is_found_by_name_and_by_place() -> None:
    @needs("manage")
    def change(_what: int, actor: str) -> str:
        return actor

    vic = Actor("vic", "viewer")
    for call in (lambda: change(1, vic), lambda: change(1, actor=vic)):
        with pytest.raises(ForbiddenError):
            call()
    assert change(1, "lea") == "lea"
    with pytest.raises(TypeError, match="actor"):
        change(1)  # type: ignore[call-arg]


def test_a_forged_training_is_refused_and_nothing_is_made(ws: Workspace) -> None:
    for role in ("viewer", "analyst"):
        with pytest.raises(ForbiddenError, match="Only leads may train"):
            train_rows(ws, transactions(60), TrainParameters(), actor=Actor("vic", role))  # type: ignore[arg-type]
    assert ws.champion() is None


@pytest.mark.parametrize(("kind", "roles"), [("sample", {"lead"}), ("train", {"lead"}), ("score", {"lead", "analyst"}),
                                             ("queue", {"lead", "analyst"})])  # fmt: skip
def test_work_is_begun_and_stopped_only_by_who_may(ws: Workspace, kind: jobs.JobKind, roles: set[str]) -> None:
    for role in ("viewer", "service", "analyst", "lead"):
        if role not in roles:
            with pytest.raises(ForbiddenError):
                jobs.submit(ws, kind, {}, actor=Actor("vic", role))  # type: ignore[arg-type]
    assert jobs.latest_job(ws) is None
