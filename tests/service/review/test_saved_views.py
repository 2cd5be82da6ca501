from __future__ import annotations

import pytest

from detector.errors import InputError, NotFoundError
from detector.service.review import saved_views
from detector.service.review.filters import Filters
from detector.service.workspace import Workspace
from detector.store import audit

DEAR = Filters(view="critical", search="C 1&=ü", least_amount=900.5, order="amount")


def test_a_saved_view_comes_back_as_it_was(ws: Workspace) -> None:
    saved_views.save_view(ws, "  dear   ones ", DEAR, owner="ada")
    (view,) = saved_views.list_views(ws, owner="ada")
    assert (view.name, view.filters) == ("dear ones", DEAR)


def test_views_belong_to_one_person_and_stand_in_the_order_of_their_names(ws: Workspace) -> None:
    for name in ("b", "A", "c"):
        saved_views.save_view(ws, name, DEAR, owner="ada")
    saved_views.save_view(ws, "b", Filters(), owner="bob")
    assert [view.name for view in saved_views.list_views(ws, owner="ada")] == ["A", "b", "c"]
    assert [view.filters for view in saved_views.list_views(ws, owner="bob")] == [Filters()]


def test_saving_under_the_same_name_replaces(ws: Workspace) -> None:
    saved_views.save_view(ws, "mine", DEAR, owner="ada")
    saved_views.save_view(ws, "mine", Filters(view="mine"), owner="ada")
    assert [view.filters.view for view in saved_views.list_views(ws, owner="ada")] == ["mine"]


def test_a_deleted_view_is_gone_and_cannot_be_deleted_again(ws: Workspace) -> None:
    saved_views.save_view(ws, "mine", DEAR, owner="ada")
    with pytest.raises(NotFoundError, match="no view 'mine'"):
        saved_views.delete_view(ws, "mine", owner="bob")
    saved_views.delete_view(ws, "mine", owner="ada")
    assert saved_views.list_views(ws, owner="ada") == ()
    with ws.database.read() as connection:
        assert [entry.action for entry in audit.entries(connection, limit=2)] == ["view deleted", "view saved"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_name_that_is_empty_or_long_is_refused(ws: Workspace, name: str) -> None:
    with pytest.raises(InputError, match="1 to 60 characters"):
        saved_views.save_view(ws, name, DEAR, owner="ada")


def test_too_many_views_are_refused(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST_VIEWS", 1)
    saved_views.save_view(ws, "one", DEAR, owner="ada")
    with pytest.raises(InputError, match="at most 1 views"):
        saved_views.save_view(ws, "two", DEAR, owner="ada")
    saved_views.save_view(ws, "one", Filters(), owner="ada")
