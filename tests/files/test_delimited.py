from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.errors import InputError
from detector.files import Limits, ReadOptions, open_table
from detector.files import encoded as encoded_module
from tests.files import naive

WIDTH = 3
NAMES = tuple(f"c{n}" for n in range(WIDTH))
AS_TEXT = {"text_columns": NAMES, "delimiter": ","}
cells = st.text(st.sampled_from('ab ,;"\n\r\té0€'), max_size=6)
rows = st.lists(st.lists(cells, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=12)
#: Bytes that are a table more often than noise is, which is hardly ever read as one with rows.
cells_of_bytes = st.sampled_from((b"a", b"1", b"2.5", b"", b'"b\n,"', b"\xc3\xa9", b"\xff", b'"'))
lines_of_bytes = st.lists(st.lists(cells_of_bytes, min_size=2, max_size=2).map(b",".join), max_size=12)
almost_tables = lines_of_bytes.map(lambda lines: b"\n".join([b"c,d", *lines]))
several = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def store(folder: Path, content: bytes) -> Path:
    path = folder / "stored"
    path.write_bytes(content)
    return path


@pytest.fixture(params=[5, 1 << 22], ids=["tiny pieces", "one piece"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_module, "CHUNK_BYTES", request.param)


def values_of(table_rows: list[list[str]], column: int) -> list[str | None]:
    return [row[column] if row[column].strip(" \t") else None for row in table_rows]


@pytest.mark.usefixtures("_pieces")
@several
@given(rows=rows, end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, rows: list[list[str]], end: str) -> None:
    out = io.StringIO()
    # the module leaves a carriage return without quotes unless lines end with one
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL)
    writer.writerow(NAMES)
    writer.writerows(rows)

    table = open_table(store(tmp_path, out.getvalue().encode()), options=ReadOptions(**AS_TEXT))

    frame = table.frame()
    found = {name: [None if value != value else value for value in frame[name].tolist()] for name in NAMES}
    assert found == {name: values_of(rows, at) for at, name in enumerate(NAMES)}


@pytest.mark.usefixtures("_pieces")
@several
@given(body=st.text(st.sampled_from('a1,"\n\r \t;é'), max_size=40))
def test_any_text_is_taken_apart_as_the_slow_reader_does(tmp_path: Path, body: str) -> None:
    text = '"c0",c1,c2\n' + body
    path = store(tmp_path, text.encode())
    options = ReadOptions(**AS_TEXT, on_error="quarantine", header=True)
    expected = naive.records(text, ",")
    if isinstance(expected, naive.OpenQuote):
        with pytest.raises(InputError) as caught:
            open_table(path, options=options)
        assert caught.value.problems[0].line == expected.line
        return
    del expected[0]
    wide = bool(expected) and len(expected[0].cells) == WIDTH + 1 and not expected[0].cells[-1].strip(" \t")
    wide = wide and not expected[0].after_quote
    good, bad = [], []
    for number, record in enumerate(expected, 1):
        fits = len(record.cells) == WIDTH + wide and not (wide and record.cells[-1].strip(" \t"))
        (good if fits and not record.after_quote else bad).append((number, record))

    table = open_table(path, options=options)

    assert table.frame()["c0"].tolist() == [
        c if c is not None else pytest.approx(float("nan"), nan_ok=True)
        for c in values_of([record.cells for _, record in good], 0)
    ]
    aside = [place for frame in table.quarantined() for place in zip(frame["row"], frame["line"], strict=True)]
    assert aside == [(number, record.line) for number, record in bad]


@several
@given(content=st.binary(max_size=200) | almost_tables)
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        table = open_table(store(tmp_path, content))
    except InputError:
        return
    assert sum(len(frame) for frame in table.batches(3)) == table.rows


def test_a_value_is_found_in_row_two_hundred_thousand(tmp_path: Path) -> None:
    lines = [b"amount,note"] + [b'%d,"a\nb"' % n if n % 1000 == 0 else b"%d,x" % n for n in range(1, 210_001)]
    lines[200_000] = b"20O000,x"

    with pytest.raises(InputError) as caught:
        open_table(store(tmp_path, b"\n".join(lines) + b"\n"))

    (problem,) = caught.value.problems
    assert (problem.row, problem.column, problem.excerpt) == (200_000, "amount", "20O000")
    assert problem.line == 200_001 + 199  # every thousandth row before it takes two lines


def test_the_first_hundred_problems_come_in_the_order_of_the_rows_with_the_total(tmp_path: Path) -> None:
    lines = [b"a,b"]
    for n in range(1, 501):
        lines.append(b"%d,x" % n if n % 2 else b"%d" % n if n % 4 else b"oops,x")

    with pytest.raises(InputError) as caught:
        open_table(store(tmp_path, b"\n".join(lines)), options=ReadOptions(numeric_columns=("a",)))

    assert caught.value.total == 250
    assert [problem.row for problem in caught.value.problems] == list(range(2, 202, 2))


def test_a_long_value_is_a_fault_of_its_row(tmp_path: Path) -> None:
    limits = Limits(cell_bytes=10)

    with pytest.raises(InputError, match="Value 2 is longer than 10 bytes") as caught:
        open_table(store(tmp_path, b"a,b\n1,x\n2,xxxxxxxxxxxx\n"), options=ReadOptions(limits=limits))

    assert caught.value.problems[0].row == 2


def test_the_search_for_a_closing_quote_ends(tmp_path: Path) -> None:
    content = b'a,b\n1,"x\n' + b"2,y\n" * 100_000

    with pytest.raises(InputError, match="opens in line 2 is not closed within 32,768 bytes"):
        open_table(store(tmp_path, content))


def test_the_excerpt_of_a_faulty_row_is_short_and_escaped(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_table(store(tmp_path, b"a,b\n1\x1b[31m" + b"z" * 500 + b"\n"))

    shown = caught.value.problems[0].excerpt
    assert shown is not None
    assert shown.startswith("1\\x1b[31mzzz")
    assert len(shown) == 64


def test_an_excel_separator_line_is_followed(tmp_path: Path) -> None:
    table = open_table(store(tmp_path, b"sep=^\r\na^b\r\n1^2,5\r\n"), options=ReadOptions(text_columns=("b",)))

    assert (table.delimiter, [column.name for column in table.columns]) == ("^", ["a", "b"])


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "é"])
def test_a_delimiter_that_cannot_be_one_is_refused(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(InputError, match="one plain character"):
        open_table(store(tmp_path, b"a,b\n1,2\n"), options=ReadOptions(delimiter=delimiter))


@pytest.mark.parametrize("encoding", ["zlib", "hex", "no such", "\0"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="no such encoding"):
        open_table(store(tmp_path, b"a,b\n1,2\n"), options=ReadOptions(encoding=encoding))


def test_a_byte_that_the_declared_encoding_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Byte 7 is not valid CP1252"):
        open_table(store(tmp_path, b"a,b\n1,\xe9\x81\n"), options=ReadOptions(encoding="cp1252"))
