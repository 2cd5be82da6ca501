from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.__main__ import _parser
from detector.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models" / "README.md", *(ROOT / "docs").glob("*.md")]
TEXT = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}


def commands() -> set[str]:
    (actions,) = (action for action in _parser()._actions if action.choices)
    return set(actions.choices or ())


@pytest.mark.parametrize("name", TEXT)
def test_every_file_that_a_document_links_is_there(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT[name]):
        assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", TEXT)
def test_every_command_that_a_document_names_exists(name: str) -> None:
    for command in re.findall(r"python -m detector ([\w-]+)", TEXT[name]):
        assert command in commands(), command
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"(?:^    |`)make ([a-z -]+)", TEXT[name], re.MULTILINE):
        assert set(line.split()) <= targets, line


@pytest.mark.parametrize("name", TEXT)
def test_every_line_of_the_command_line_in_a_document_can_be_read(name: str) -> None:
    for line in re.findall(r"^(?:    )?python -m detector (.+)$", TEXT[name], re.MULTILINE):
        _parser().parse_args(line.split())


@pytest.mark.parametrize("name", TEXT)
def test_every_file_of_the_project_that_a_document_names_exists(name: str) -> None:
    for path in re.findall(r"`((?:detector|examples|sample_data|docs)/[\w./]*\w)`", TEXT[name]):
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path


def test_the_readme_names_both_commands_in_its_first_screen() -> None:
    first = TEXT["README.md"].splitlines()[:20]
    assert any(line.startswith("    make run") for line in first)
    assert any(line.startswith("    make test") for line in first)


def test_the_readme_names_every_command() -> None:
    assert set(re.findall(r"python -m detector ([\w-]+)", TEXT["README.md"])) == commands()


def test_every_setting_in_the_readme_is_one() -> None:
    known = {"MODEL_PATH", "DATABASE_URL", *(f"DETECTOR_{name.upper()}" for name in Settings.model_fields)}
    table = TEXT["README.md"].split("## Settings")[1].split("##")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))
    assert named
    assert named <= known


@pytest.mark.parametrize("name", re.findall(r"^- \[([^\]]+)\]", TEXT["README.md"], re.MULTILINE))
def test_the_readme_leads_to_what_it_lists(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT["README.md"], re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "models" / "anomaly_detector.joblib").is_file()


def test_the_limits_are_told_as_they_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.]+)( [KM]B)? \|", TEXT["docs/limits.md"], re.MULTILINE)
    units = {"": 1, " KB": 1024, " MB": 1024**2}
    told = {name: float(number.replace(",", "")) * units[unit] for name, number, unit in rows}
    assert len(told) > 20
    for name, value in told.items():
        assert Settings.model_fields[name].default == value, name
