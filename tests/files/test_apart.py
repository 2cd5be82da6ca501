"""Parsers in a process of their own: what they send, and how they end."""

from __future__ import annotations

import os
import shutil
import signal
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import UnusableFileError
from detector.files import Limits, ReadOptions, apart, open_table, packed, parsing
from trust.parsers import WAYS, Reader


@pytest.fixture(autouse=True)
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork parsers, also where a command that reads alone was run in this process before."""
    monkeypatch.setattr(apart._zygote, "is_wanted", True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sent.parquet"
    pq.write_table(pa.table({"amount": [1.0, 2.5], "place": ["here", "ü"]}), path)
    return path


def limited(**limits: float) -> ReadOptions:
    return ReadOptions(limits=Limits(**limits))  # type: ignore[arg-type]


def test_where_nothing_can_be_forked_a_program_of_its_own_parses(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forked = open_table(path).frame()
    monkeypatch.setattr(apart, "start_child", apart.spawn)
    pd.testing.assert_frame_equal(open_table(path).frame(), forked)


def test_a_program_of_its_own_that_is_not_read_to_the_end_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "start_child", apart.spawn)
    with apart.Parsing("parquet", path, "sent", Limits()) as parsing_it:
        assert parsing_it.header["rows"] == 2


def test_a_process_that_reads_alone_starts_each_parser_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart._zygote, "fork", None)
    apart.read_alone()
    apart.warm_up()
    assert open_table(path).rows == 2


def test_a_zygote_that_was_killed_is_started_again(path: Path) -> None:
    assert open_table(path).rows == 2
    assert apart._zygote._process is not None
    os.kill(apart._zygote._process.pid, signal.SIGKILL)
    apart._zygote._process.wait()
    assert open_table(path).rows == 2


def test_a_zygote_that_cannot_be_started_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart._zygote.stop()
    monkeypatch.setattr(apart, "_ZYGOTE", path)
    with pytest.raises(UnusableFileError, match="could not be started"):
        open_table(path)


@pytest.mark.parametrize("way", WAYS)
def test_however_a_parser_ends_its_user_is_told_and_the_process_goes_on(path: Path, tmp_path: Path, way: str) -> None:
    with Reader(tmp_path, way=way, parser_seconds={"spin": 0.2, "hang": 0.2}.get(way, 60)) as reader:
        for _ in range(2):
            found = reader.read(path)
            assert found is not None
            assert found[0].startswith("refused sent.parquet ")
    expected = {"crash": "its parser crashed", "memory": "needs more than 2,147 MB of memory"}
    assert expected.get(way, "took too long") in found[0]


def test_an_abandoned_pass_ends_its_child(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"n": list(range(1_000_000))}), path)
    batches = open_table(path).batches()
    assert len(next(batches)) == 65_536
    batches.close()  # type: ignore[attr-defined]
    assert open_table(path).rows == 1_000_000


def test_what_unpacks_beyond_the_limit_is_refused_by_the_footer(path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"sent\.parquet unpacks to .* MB; the limit is 0 MB"):
        open_table(path, options=limited(expanded_bytes=10))


def test_what_unpacks_beyond_what_the_footer_says_is_refused_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), pa.array(["x" * 1_000]))
    pq.write_table(pa.table({"text": text}), path)
    with pytest.raises(UnusableFileError, match="unpacks to 5 MB; the limit is 1 MB"):
        open_table(path, options=limited(expanded_bytes=1_000_000))


def test_wide_rows_are_sent_in_parts_and_one_that_is_too_wide_is_refused() -> None:
    batch = pa.record_batch({"text": ["x" * (parsing.SENT_BYTES // 3)] * 5})
    assert [piece.num_rows for piece in parsing._pieces(batch)] == [2, 1, 2]
    with pytest.raises(parsing.TooLargeError):
        list(parsing._pieces(pa.record_batch({"text": ["x" * (parsing.SENT_BYTES + 1)]})))


def test_a_file_whose_end_is_missing_is_refused_before_any_parser_sees_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "start_child", None)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UnusableFileError, match="its end is missing"):
        open_table(path)


def test_a_workbook_of_too_many_parts_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "parts.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(packed.MOST_MEMBERS + 1):
            archive.writestr(f"xl/{number}", b"")
        archive.writestr("xl/workbook.xml", b"")
    with pytest.raises(UnusableFileError, match="more parts than any workbook"):
        open_table(path)


def test_a_part_that_unpacks_out_of_all_proportion_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flat.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 500_000)
    monkeypatch.setattr(packed, "_SMALL", 100_000)
    monkeypatch.setattr(packed, "MOST_RATIO", 100)
    with pytest.raises(UnusableFileError, match="unpacks to far more than it holds"):
        open_table(path)


def test_a_parser_says_nothing_of_the_file_to_the_log(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.parquet"
    shutil.copy(path, damaged)
    content = bytearray(damaged.read_bytes())
    content[10] ^= 255
    damaged.write_bytes(content)
    with pytest.raises(UnusableFileError):
        open_table(damaged).frame()
    assert capfd.readouterr().err == ""
