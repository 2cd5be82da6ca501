from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from detector.errors import ForbiddenError
from detector.service.access import Role
from detector.service.keys import create_key, list_keys
from tests.pages.saying import labels, press, said


def test_who_sits_at_the_machine_makes_a_key_and_sees_it_once(app: AppTest, ws) -> None:
    at = app.switch_page("pages/system/access.py").run()
    assert "No key has been set" in said(at)
    at.text_input(key="access_name").set_value("nightly")
    press(at, "Make a key")
    (info,) = list_keys(ws, actor="test")
    shown = [code.value for code in at.code if code.value.startswith(f"dak_{info.id}_")]
    assert len(shown) == 1
    at.run()
    assert shown[0] not in [code.value for code in at.code]
    assert at.dataframe[0].value.loc[0, "State"] == "in force, 90 days left"
    assert shown[0][17:] not in str(at.session_state)


def test_a_key_without_a_name_is_refused_in_words(app: AppTest, ws) -> None:
    at = app.switch_page("pages/system/access.py").run()
    press(at, "Make a key")
    assert "The name of a key has 1 to 60 printable characters" in said(at)
    assert list_keys(ws, actor="test") == ()


def test_a_name_that_another_key_has_is_refused_with_what_to_do(app: AppTest, ws) -> None:
    create_key(ws, "nightly", "service", actor="test")
    at = app.switch_page("pages/system/access.py").run()
    at.text_input(key="access_name").set_value("nightly")
    told = said(press(at, "Make a key"))
    assert "There is a key named 'nightly' already; revoke it or take another name." in told
    assert "Somebody else was faster" not in told


def test_a_key_is_revoked_with_a_reason_after_a_question(app: AppTest, ws, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.ui import access_panels

    create_key(ws, "nightly", "service", actor="test")

    class Clicked:
        row = 0

    monkeypatch.setattr(access_panels, "_clicked", lambda: Clicked)
    at = app.switch_page("pages/system/access.py").run()
    assert "It is the last key" in said(at)
    assert list_keys(ws, actor="test")[0].ended is None
    at.text_input(key="access_reason").set_value("leaked")
    press(at, "Revoke it")
    assert list_keys(ws, actor="test")[0].ended == "revoked"


@pytest.mark.parametrize("role", ["viewer", "analyst"])
@pytest.mark.parametrize("page", ["detector/train", "detector/update", "detector/drift_demo", "system/access"])
def test_pages_for_leads_say_so_to_others(app: AppTest, trained, come_as, role: Role, page: str) -> None:
    come_as("vic@example.org", role)
    at = app.switch_page(f"pages/{page}.py").run()
    assert "Only leads may train, update, promote, set the cutoff and manage keys, alert rules" in said(at)
    assert f"webhooks; you are here as {role}" in said(at)
    assert labels(at) == ["Sign out"]


def test_a_viewer_looks_and_changes_nothing(app: AppTest, trained, come_as) -> None:
    come_as("vic@example.org", "viewer")
    at = app.run()
    assert "Signed in as vic@example.org, viewer" in said(at)
    at.switch_page("pages/analysis/score.py").run()
    assert "Analysts and leads may score files" in said(at)
    assert not at.file_uploader
    assert not [label for label in labels(at) if label.startswith("Send")]
    at.switch_page("pages/detector/models.py").run()
    assert "Version 1, trained" in said(at)
    assert labels(at) == ["Sign out"]


def test_a_handler_that_is_called_all_the_same_is_refused(app: AppTest, trained, come_as) -> None:
    from detector.ui import cutoff_panels
    from detector.ui.work import start

    come_as("ann@example.org", "analyst")
    with pytest.raises(ForbiddenError, match="Only leads may"):
        start(trained, "overview", "sample")
    version = trained.champion().version
    cutoff_panels.st.session_state["cutoff_reason"] = "forged"
    cutoff_panels._apply(trained, 1.0, trained.champion().cutoff)
    assert isinstance(cutoff_panels.st.session_state[cutoff_panels._FAILED], ForbiddenError)
    assert trained.current_champion().version == version


def test_who_has_no_role_sees_nothing(app: AppTest, trained, come_as) -> None:
    come_as("out@example.org", None)
    at = app.run()
    assert "has no role here" in said(at)
    assert "Champion" not in said(at)


def test_a_dashboard_without_sign_in_is_closed_to_everybody_else(app: AppTest, trained, monkeypatch) -> None:
    monkeypatch.setattr("detector.ui.signing_in._from_here", lambda: False)
    at = app.run()
    assert "This dashboard is closed" in said(at)
    assert "Champion" not in said(at)


def test_it_is_open_where_something_in_front_lets_only_trusted_people_in(app: AppTest, monkeypatch) -> None:
    monkeypatch.setattr("detector.ui.signing_in._from_here", lambda: False)
    monkeypatch.setenv("DETECTOR_TRUSTED_NETWORK", "true")
    assert "Champion" in said(app.run())


def test_sign_in_that_streamlit_has_not_read_closes_the_dashboard(app: AppTest, monkeypatch, tmp_path) -> None:
    (tmp_path / "auth.toml").write_text("[auth]\nclient_id = 'x'\n")
    monkeypatch.setenv("DETECTOR_SIGN_IN_FILE", str(tmp_path / "auth.toml"))
    assert "Streamlit has not read the file" in said(app.run())
