"""Every kind of input, numbered 1 to 41, through every way in: the reader, the API, the pages.

What each file gets from the reader is in ``tests/cases`` and driven in ``tests/files/test_cases.py``; the same files
go through the pages here, and to the API as bodies. What such an input is when it comes as JSON is in ``JSON`` below.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api.documents import ProblemDocument
from detector.errors import InputError
from detector.service import scoring, uploads
from detector.service.runs import run_path
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.store import run_columns
from tests.cases import CASES, Case, Refused

ALL = set(range(1, 42))
#: Kinds that only a file can be; what comes as JSON has no such thing.
NOT_JSON = {
    9: "a row of JSON has names and cannot have a field too many",
    10: "the same",
    11: "JSON has no delimiters",
    14: "JSON has no header; names stand with the values",
    15: "JSON has no delimiters",
    17: "a quote that never closes is a body that is cut, see 36",
    33: "a request has no file name",
    37: "no door takes Parquet; its bytes are refused as a body below",
    38: "no door takes a workbook; its bytes are refused as a body below",
}
KNOWN = {"amount": 12.5, "visits": 3, "country": "NL", "card_present": True}
TYPE = {"Content-Type": "application/json"}


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        KNOWN | {"amount": 10.0 + (7 * n) % 31, "visits": n % 10, "country": ("NL", "DE", "FR")[n % 3]}
        for n in range(count)
    ]


@dataclass(frozen=True)
class Json:
    """A body, the status it gets, and what its problems or its answer say; ``check`` looks at the answer."""

    number: int
    title: str
    body: bytes
    status: int
    says: tuple[str, ...] = ()
    path: str = "/predict/batch"
    check: Callable[[dict[str, Any]], bool] = lambda _: True
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


def batch(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"transactions": rows}).encode()


def raw(text: str) -> bytes:
    """Return a batch of a good row and one that holds ``text`` as it stands."""
    return (b'{"transactions": [' + json.dumps(KNOWN).encode() + b",\n{" + text.encode() + b"}]}").strip()


def first(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["predictions"][0]
    return found


def learns(count: int, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> bytes:
    return batch(*(change(n, row) for n, row in enumerate(rows_of(count))))


JSON = (
    Json(1, "no bytes", b"", 400, ("empty",)),
    Json(2, "no rows to train on", batch(), 422, ("no transactions",), "/train"),
    Json(2, "no rows to score", batch(), 200, check=lambda answer: answer["predictions"] == []),
    Json(3, "blank lines around", b"\n\r\n " + batch(KNOWN) + b"\n\n", 200),
    Json(3, "line numbers after blank lines", b'\n\n{"transactions": [\n\n{"amount": 1,}]}', 400, ("line 5",)),
    Json(4, "byte order mark", b"\xef\xbb\xbf" + batch(KNOWN), 200),
    Json(5, "UTF-16", json.dumps([KNOWN]).encode("utf-16"), 400, ("not UTF-8", "byte 1")),
    Json(
        6, "Latin-1", json.dumps([KNOWN | {"country": "é"}], ensure_ascii=False).encode("latin-1"), 400, ("not UTF-8",)
    ),
    Json(
        6,
        "Latin-1 as declared",
        batch(KNOWN),
        415,
        ("UTF-8",),
        headers=(("Content-Type", "application/json; charset=latin-1"),),
    ),
    Json(7, "invalid UTF-8 in the middle", raw('"country": "x') + b"\xff", 400, ("line 2", "not UTF-8")),
    Json(8, "NUL", raw('"amount": 1') + b"\0", 400, ("is not JSON",)),
    Json(12, "a field twice", raw('"amount": 1, "amount": 2'), 422, ("Row 2", "amount", "more than once")),
    Json(13, "a field without name", raw('"": 1'), 422, ("Row 2", "without a name")),
    Json(16, "a decimal comma", raw('"amount": "1,5"'), 422, ("Row 2", "amount", "1,5")),
    Json(18, "line ends in a text", batch(KNOWN | {"country": "a\r\nb\rc"}), 200),
    Json(
        19,
        "a long id as text",
        batch(KNOWN | {"id": "0012345678901234567"}),
        200,
        check=lambda a: first(a)["new_features"] == ["id"],
    ),
    Json(20, "beyond 64 bits", raw('"amount": 99999999999999999999'), 422, ("Row 2", "64 bits")),
    Json(20, "beyond floats", raw('"amount": 1e400'), 422, ("Row 2", "64-bit floats")),
    Json(20, "beyond what the model computes in", raw('"amount": 4e38'), 422, ("Row 2", "amount")),
    Json(
        21, "NA stays a text", batch(KNOWN | {"country": "NA"}), 200, check=lambda a: first(a)["missing_features"] == []
    ),
    Json(22, "NaN", raw('"amount": NaN'), 422, ("Row 2", "NaN", "null")),
    Json(22, "infinity", raw('"amount": -Infinity'), 422, ("Row 2", "Infinity")),
    Json(
        22,
        "null is missing",
        batch(KNOWN | {"amount": None}),
        200,
        check=lambda a: first(a)["missing_features"] == ["amount"],
    ),
    Json(23, "text for a number", raw('"amount": "much"'), 422, ("Row 2", "amount", "much")),
    Json(23, "true for a number", raw('"amount": true'), 422, ("Row 2", "amount", "true")),
    Json(
        23,
        "mostly text",
        batch(*(KNOWN | {"visits": f"v{n}"} for n in range(30))),
        200,
        check=lambda a: a["retyped_features"] == ["visits"],
    ),
    Json(
        24,
        "an unseen category",
        batch(KNOWN | {"country": "XX"}),
        200,
        check=lambda a: first(a)["missing_features"] == [],
    ),
    Json(
        25,
        "a missing field",
        batch({"amount": 1.0}),
        200,
        check=lambda a: set(first(a)["missing_features"]) == {"visits", "country"},
    ),
    Json(25, "nothing that is known", batch({"other": 1.0}), 422, ("Row 1", "none of the fields")),
    Json(
        26, "a new field", batch(KNOWN | {"device": "x"}), 200, check=lambda a: first(a)["new_features"] == ["device"]
    ),
    Json(
        27,
        "another order",
        batch(KNOWN, dict(reversed(KNOWN.items()))),
        200,
        check=lambda a: a["predictions"][0]["anomaly_score"] == a["predictions"][1]["anomaly_score"],
    ),
    Json(
        28,
        "constant, empty, id-like",
        learns(60, lambda n, row: row | {"same": 1, "none": None, "id": f"id-{n:05}", "up": n}),
        200,
        path="/train",
        check=lambda a: {"same", "none", "id"} <= set(a["left_out"]),
    ),
    Json(29, "one row", batch(KNOWN), 422, path="/train"),
    Json(29, "all rows alike", batch(*[KNOWN] * 20), 422, path="/train"),
    Json(29, "three rows", learns(3, lambda _, row: row), 200, path="/train"),
    Json(
        30,
        "an id twice",
        learns(40, lambda n, row: row | {"txn_id": f"T{n % 39:05}"}),
        200,
        path="/train",
        check=lambda a: a["num_samples"] == 40,
    ),
    Json(
        31,
        "dates and times of all sorts",
        batch(
            *(
                KNOWN | {"at": at}
                for at in (
                    "03/04/2025",
                    "2025-03-30T02:30:00+01:00",
                    "0001-01-01",
                    "9999-12-31T23:59:59Z",
                    "2025-02-30",
                    "",
                )
            )
        ),
        200,
    ),
    Json(32, "another type than it says", b"a,b\n1,2\n", 400, ("is not JSON",)),
    Json(32, "says that it is CSV", batch(KNOWN), 415, ("application/json",), headers=(("Content-Type", "text/csv"),)),
    Json(34, "gzip", gzip.compress(batch(KNOWN)), 400, ("not UTF-8",), headers=(("Content-Encoding", "gzip"),)),
    Json(35, "too deep", b"[" * 20_000, 422, ("16 levels",)),
    Json(35, "a number of 5,000 digits", raw('"amount": ' + "1" * 5_000), 422, ("Row 2", "64 bits")),
    Json(35, "half a character", raw(r'"country": "\ud800"'), 422, ("Row 2", "surrogate")),
    Json(35, "a scalar", b"5", 422, ("must be a JSON object",)),
    Json(35, "ragged", batch(KNOWN, {"amount": 1}, {"country": "NL", "more": 1}), 200),
    Json(35, "a nested value", raw('"amount": {"a": 1}'), 422, ("Row 2", "an object")),
    Json(35, "one record a line", b'{"amount": 1}\n{"amount": 2}\n', 400, ("line 2",)),
    Json(36, "a body that is cut", batch(KNOWN)[:-9], 400, ("ends too early",)),
    Json(36, "an empty array", b"[]", 200, check=lambda answer: answer["total_transactions"] == 0),
    Json(36, "one row over the limit", batch(*[{"amount": 1}] * 201), 413, ("201 rows",)),
    Json(
        39,
        "formulas stay texts",
        batch(*(KNOWN | {"country": text} for text in ("=cmd()", "+1", "-1", "@x", "\t=1"))),
        200,
    ),
    Json(40, "100,000 fields", batch({f"f{n}": n for n in range(100_000)}), 422, ("100,000 fields", "2,000")),
    Json(
        41,
        "markup",
        batch(KNOWN | {"<script>x</script>": "<img src=x>"}),
        200,
        check=lambda a: first(a)["new_features"] == ["<script>x</script>"],
    ),
)


def opened(home) -> Workspace:
    workspace = Workspace.open(Settings(home=home, model_path=None, database_url=None, max_request_rows=200))
    train_rows(workspace, rows_of(200), TrainParameters(n_estimators=10), actor="test")
    return workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """A workspace with a model; nothing here puts another in its place."""
    workspace = opened(tmp_path_factory.mktemp("home"))
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def client(ws):
    with TestClient(create_app(ws)) as client:
        yield client


@pytest.fixture(scope="module")
def learning(tmp_path_factory):
    """An API whose model may change."""
    workspace = opened(tmp_path_factory.mktemp("learning"))
    with TestClient(create_app(workspace)) as client:
        yield client
    workspace.close()


def test_every_kind_goes_through_every_way_in():
    files = {case.number for case in CASES}
    assert files == ALL  # the reader, and with it the upload and both pages, below
    assert {case.number for case in JSON} == ALL - NOT_JSON.keys()
    assert all(NOT_JSON.values())


@pytest.mark.parametrize("case", JSON, ids=str)
def test_it_gets_from_the_api_what_it_should(client, learning, case: Json):
    asked = client if case.path == "/predict/batch" else learning
    answer = asked.post(case.path, content=case.body, headers=TYPE | dict(case.headers))
    assert answer.status_code == case.status, answer.text[:500]
    if case.status == 200:
        assert case.check(answer.json()), answer.text[:500]
        return
    problem = ProblemDocument.model_validate(answer.json())
    told = " ".join([problem.detail, *(entry.message for entry in problem.errors)])
    assert [words for words in case.says if words.lower() not in told.lower()] == []


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/train", "/update"])
def test_no_file_sent_as_a_body_makes_the_api_fail(learning, path):
    for case in CASES:
        answer = learning.post(path, content=case.content, headers=TYPE)
        if answer.status_code == 200:
            assert case.content.lstrip(b"\xef\xbb\xbf \r\n")[:1] in (b"[", b"{"), case
        else:
            assert 400 <= answer.status_code < 500, (case, answer.text)
            ProblemDocument.model_validate(answer.json())


def outcome(ws: Workspace, case: Case) -> Any:
    """Return the check of an uploaded file, or the error that refuses it."""
    try:
        return uploads.check(ws, uploads.receive(ws, case.name, case.content, actor="test").id)
    except InputError as error:
        return error


PLAIN = [case for case in CASES if not case.options]


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_an_upload_gets_what_the_reader_says(ws, case: Case):
    found = outcome(ws, case)
    if isinstance(case.outcome, Refused):
        assert [words for words in case.outcome.says if words.lower() not in str(found).lower()] == []
        return
    assert (found.rows, {column.name: column.type for column in found.columns}) == (
        case.outcome.rows,
        case.outcome.types,
    )


def test_columns_in_another_order_give_the_same_scores_to_the_last_bit(ws):
    names = list(KNOWN)
    scores = []
    for order in (names, names[::-1]):
        lines = [",".join(order), *(",".join(str(row[name]) for name in order) for row in rows_of(50))]
        upload = uploads.receive(ws, "rows.csv", "\n".join(lines).encode(), actor="test")
        run = scoring.score_file(ws, upload.id, actor="test")
        scores.append(run_columns.rows_at(run_path(ws, run.id), range(1, 51), ["score"])["score"].tolist())
    assert scores[0] == scores[1]
