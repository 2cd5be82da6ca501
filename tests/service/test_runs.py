from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from detector.errors import InputError, NotFoundError
from detector.service import runs, scoring
from detector.service.runs import Run
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, transactions

Give = Callable[..., Upload]


@pytest.fixture
def run(ws: Workspace, trained: TrainResult, give: Give) -> Run:
    frame = transactions(250, seed=2).assign(note="=1+1")
    return scoring.score_file(ws, give(frame).id, actor="ada")


def test_runs_are_listed_newest_first(ws: Workspace, run: Run, give: Give) -> None:
    newer = scoring.score_file(ws, give(transactions(60), "april.csv").id, actor="bob")
    assert [found.id for found in runs.list_runs(ws)] == [newer.id, run.id]
    assert [found.name for found in runs.list_runs(ws, limit=1)] == ["april.csv"]
    assert runs.get_run(ws, run.id) == run


def test_a_run_is_stale_once_another_version_is_champion(ws: Workspace, run: Run) -> None:
    assert not run.stale
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert runs.get_run(ws, run.id).stale


def test_pages_go_from_the_most_severe_row_down(ws: Workspace, run: Run) -> None:
    first = runs.run_rows(ws, run.id)
    rest = runs.run_rows(ws, run.id, offset=200)
    assert (len(first), len(rest)) == (200, 50)
    severities = pd.concat([first, rest])["severity"]
    assert severities.is_monotonic_decreasing
    assert sorted(severities.index) == list(range(1, 251))


def test_flagged_rows_can_be_asked_alone(ws: Workspace, run: Run) -> None:
    page = runs.run_rows(ws, run.id, flagged_only=True)
    assert len(page) == run.flagged
    assert page["flagged"].all()


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (0, 0), (0, 201)])
def test_a_page_that_is_none_is_refused(ws: Workspace, run: Run, offset: int, limit: int) -> None:
    with pytest.raises(InputError, match="1 to 200 rows"):
        runs.run_rows(ws, run.id, offset=offset, limit=limit)


def test_an_order_that_is_none_is_refused(ws: Workspace, run: Run) -> None:
    with pytest.raises(InputError, match="by severity or by row"):
        runs.run_rows(ws, run.id, order="amount; DROP TABLE runs")


def test_an_unknown_run_is_not_found(ws: Workspace) -> None:
    for ask in (runs.get_run, runs.run_rows, runs.export_run):
        with pytest.raises(NotFoundError, match="no run 5"):
            ask(ws, 5)


def test_exports_hold_all_rows_and_csv_holds_no_formulas(ws: Workspace, run: Run) -> None:
    text = pd.read_csv(runs.export_run(ws, run.id, "csv"))
    table = pd.read_parquet(runs.export_run(ws, run.id, "parquet"))
    assert len(text) == len(table) == 250
    assert set(text["note"]) == {"'=1+1"}
    assert set(table["note"]) == {"=1+1"}
    assert list(text.columns) == list(table.columns)


def test_a_second_export_is_the_same_file(ws: Workspace, run: Run) -> None:
    first = runs.export_run(ws, run.id)
    made = first.stat().st_mtime_ns
    assert runs.export_run(ws, run.id) == first
    assert first.stat().st_mtime_ns == made


def test_an_export_of_another_format_is_refused(ws: Workspace, run: Run) -> None:
    with pytest.raises(InputError, match="csv or parquet"):
        runs.export_run(ws, run.id, "xlsx")


def test_a_run_whose_rows_are_gone_says_what_to_do(ws: Workspace, run: Run) -> None:
    for path in (ws.settings.data_folder / "runs").iterdir():
        path.unlink()
    for ask in (runs.run_rows, runs.export_run, lambda w, i: runs.export_run(w, i, "parquet")):
        with pytest.raises(NotFoundError, match="Score the file again"):
            ask(ws, run.id)
    assert runs.get_run(ws, run.id).rows == 250
