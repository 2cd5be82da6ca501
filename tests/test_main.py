from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from detector import serving
from detector.__main__ import main
from detector.settings import Settings
from tests.databases import Kind, databases

SAMPLE = Path(__file__).parents[1] / "sample_data"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_kind: Kind) -> Iterator[Path]:
    """Give each test a workspace of its own."""
    monkeypatch.delenv("MODEL_PATH", raising=False)
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", databases.address(tmp_path / "home"))
    yield tmp_path / "home"
    databases.forget(tmp_path)


@pytest.fixture
def trained(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["train", str(SAMPLE / "week1.csv"), "--role", "is_fraud=label", "--contamination", "0.05"]) == 0
    capsys.readouterr()
    return home


def test_train_tells_what_was_learned_and_what_was_left_out(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["train", str(SAMPLE / "week1.csv"), "--role", "is_fraud=label", "--n-estimators", "25"]) == 0
    out = capsys.readouterr().out
    assert "Version 1 is champion: trained on 2,000 rows of week1.csv." in out
    assert "merchant_category" in out
    assert "Left out is_fraud: You chose this role." in out
    assert (home / "models" / "anomaly_detector.joblib").is_file()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_score_writes_the_rows_beside_their_scores_and_tells_of_changed_columns(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    out = tmp_path / f"scored.{suffix}"
    assert main(["score", str(SAMPLE / "week4.csv"), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    scored = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    original = pd.read_csv(SAMPLE / "week4.csv")
    assert list(scored.columns[: original.shape[1]]) == list(original.columns)
    assert list(scored["transaction_id"]) == list(original["transaction_id"])
    flagged = int(scored["flagged"].sum())
    assert f"Scored 2,000 rows with version 1: {flagged:,} flagged" in told
    assert "entry_mode: missing;" in told
    assert "ip_distance_km: new;" in told


def test_a_large_file_is_scored_in_bounded_memory(trained: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    header, rows = (SAMPLE / "week4.csv").read_text().split("\n", 1)
    large.write_text(f"{header}\n{rows * 150}")
    # Not getrusage: what it tells of a process includes what its parent held when it was started.
    code = (
        "import re, sys; from pathlib import Path; from detector.__main__ import main; code = main(sys.argv[1:]);"
        "print(code, re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()).group(1))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "score", str(large), "--out", str(tmp_path / "scored.csv")],
        cwd=SAMPLE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Scored 300,000 rows" in ran.stdout
    ended_with, kilobytes = (int(number) for number in ran.stdout.splitlines()[-1].split())
    assert ended_with == 0
    assert kilobytes < 500_000


def test_score_without_a_model_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(SAMPLE / "week1.csv"), "--out", str(tmp_path / "scored.csv")]) == 2
    assert "error: No model has been trained yet." in capsys.readouterr().err
    assert not (tmp_path / "scored.csv").exists()


def test_score_refuses_to_write_over_its_own_input(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_bytes((SAMPLE / "week2.csv").read_bytes())
    assert main(["score", str(rows), "--out", str(rows)]) == 2
    assert "choose another" in capsys.readouterr().err
    assert rows.read_bytes() == (SAMPLE / "week2.csv").read_bytes()


def test_score_refuses_a_format_that_it_cannot_write(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(SAMPLE / "week2.csv"), "--out", str(tmp_path / "scored.xlsx")]) == 2
    assert "--out must end in .csv or .parquet, not 'scored.xlsx'." in capsys.readouterr().err


def test_update_learns_the_new_column(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["update", str(SAMPLE / "week2.csv")]) == 0
    out = capsys.readouterr().out
    assert "Version 2 is champion: learned from 2,000 rows of week2.csv." in out
    assert "Newly learned: device_score." in out


def test_update_tells_of_columns_that_did_not_come(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    pd.read_csv(SAMPLE / "week2.csv").drop(columns="amount").to_csv(rows, index=False)
    assert main(["update", str(rows)]) == 0
    assert "amount: missing;" in capsys.readouterr().out


def test_a_european_export_is_read_once_its_decimal_mark_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_bytes(b"amount;city\n" + b"".join(b"%d,5;K\xf6ln\n" % i for i in range(60)))
    assert main(["train", str(rows)]) == 2
    assert main(["train", str(rows), "--encoding", "cp1252", "--decimal", ","]) == 0
    assert "amount" in capsys.readouterr().out.split("Learned")[1]


def test_info_tells_what_the_champion_knows(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^Champion +version 1, made \d{4}-\d\d-\d\d \d\d:\d\d UTC$", out, re.MULTILINE)
    assert re.search(r"^Rows seen 2,000$", out, re.MULTILINE)
    assert re.search(r"^Cutoff +severity 95$", out, re.MULTILINE)
    assert re.search(r"^  amount +numeric +amount +learned +importance \d+\.\d%$", out, re.MULTILINE)
    assert re.search(r"^  is_fraud +numeric +label +left out$", out, re.MULTILINE)


def test_info_without_a_model_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert "No model yet. Train one: python -m detector train FILE" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", str(tmp_path / "nothing.csv")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "nothing.csv" in err
    assert err.count("\n") == 1


def test_a_faulty_file_names_row_line_and_reason(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n")
    assert main(["train", str(tmp_path / "bad.csv")]) == 2
    err = capsys.readouterr().err
    assert "error: bad.csv" in err
    assert "row 2, line 3: " in err


def test_faulty_rows_are_set_aside_into_a_file(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (SAMPLE / "week2.csv").read_text().splitlines()
    faulty, aside, out = (tmp_path / name for name in ("faulty.csv", "aside.csv", "out.csv"))
    faulty.write_text("\n".join([*lines[:3], lines[3] + ",surplus", *lines[4:]]) + "\n")
    assert main(["score", str(faulty), "--out", str(out)]) == 2
    assert "With --set-aside FILE the other rows are used" in capsys.readouterr().err
    for command in (["score", "--out", str(out)], ["update"], ["train"]):
        aside.unlink(missing_ok=True)
        assert main([*command, str(faulty), "--set-aside", str(aside)]) == 0
        assert f"Faulty rows set aside: 1. Written to {aside}." in capsys.readouterr().out
        assert pd.read_csv(aside)["row"].tolist() == [3]
    assert len(pd.read_csv(out)) == len(lines) - 2


@pytest.mark.parametrize(("name", "match"), [("week.csv", "another file"), ("aside.parquet", "must end in .csv")])
@pytest.mark.parametrize("command", ["train", "update", "score"])
def test_faulty_rows_replace_no_other_file(
    command: str, name: str, match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "week.csv"
    path.write_text("a\n1\n")
    out = ["--out", str(tmp_path / "out.csv")] if command == "score" else []
    assert main([command, str(path), "--set-aside", str(tmp_path / name), *out]) == 2
    assert match in capsys.readouterr().err
    assert path.read_text() == "a\n1\n"


def test_a_parameter_out_of_range_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(SAMPLE / "week1.csv"), "--contamination", "3"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "contamination" in err


def test_a_setting_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTOR_API_PORT", "many")
    assert main(["info"]) == 2
    assert "error: The setting api_port in the environment cannot be used" in capsys.readouterr().err


def test_a_disk_that_refuses_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main(["sample", "--out", str(tmp_path / "file" / "folder")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_sample_writes_five_weeks_and_a_note(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sample", "--out", str(tmp_path / "s"), "--rows", "100", "--seed", "3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "s" / name) for name in (*(f"week{week}.csv" for week in range(1, 6)), "README.md")
    ]


def test_sample_refuses_a_number_of_rows_that_makes_no_week(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sample", "--out", str(tmp_path / "s"), "--rows", "5"]) == 2
    assert "error: rows must be between 100 and 10,000,000, not 5." in capsys.readouterr().err


def test_serve_takes_host_and_ports_from_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []
    monkeypatch.setenv("DETECTOR_TRUSTED_NETWORK", "true")
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.setattr(serving, "serve", lambda settings, say: served.append(settings))
    assert main(["serve", "--host", "0.0.0.0", "--dashboard-port", "8511", "--api-port", "8011"]) == 0
    assert main(["serve"]) == 0
    assert (served[0].dashboard_host, served[0].api_host) == ("0.0.0.0", "0.0.0.0")
    assert (served[0].dashboard_port, served[0].api_port) == (8511, 8011)
    assert (served[1].dashboard_host, served[1].dashboard_port, served[1].api_port) == ("127.0.0.1", 8501, 8000)


def test_ctrl_c_ends_a_command_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings, say: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "serve", interrupted)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == "Stopped; nothing was kept.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--api-port", "99999"], "a port is a number from 1 to 65535"),
        (["serve", "--api-port", "many"], "a port is a number from 1 to 65535"),
        (["train", "x.csv", "--role", "amount"], "is not COLUMN=ROLE"),
        (["train", "x.csv", "--role", "amount=money"], "is not COLUMN=ROLE"),
        (["train", "x.csv", "--max-samples", "all"], "a number of rows, a share such as 0.5, or auto"),
        (["score", "x.csv"], "--out"),
        ([], "COMMAND"),
    ],
)
def test_arguments_that_cannot_be_used_are_explained(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err


def test_a_role_may_be_given_to_a_column_whose_name_holds_an_equals_sign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.read_csv(SAMPLE / "week1.csv").rename(columns={"is_fraud": "a=b"})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert main(["train", str(tmp_path / "rows.csv"), "--role", "a=b=label"]) == 0
    assert "Left out a=b: You chose this role." in capsys.readouterr().out


@pytest.mark.parametrize("given", ["auto", "128", "0.5"])
def test_max_samples_is_a_count_a_share_or_auto(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(SAMPLE / "week1.csv"), "--max-samples", given]) == 0


def test_the_package_runs_as_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["detector", "info"])
    monkeypatch.delitem(sys.modules, "detector.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("detector", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert "No model yet" in capsys.readouterr().out


def test_a_file_without_a_line_of_names_is_read_when_that_is_said(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bare.csv"
    file.write_text("".join(f"{row * 7 % 31}.5,{row * 5 % 17}.25\n" for row in range(150)))
    assert main(["train", str(file)]) == 2
    assert main(["train", str(file), "--no-header"]) == 0
    assert "Learned 2 columns: column_1, column_2." in capsys.readouterr().out
