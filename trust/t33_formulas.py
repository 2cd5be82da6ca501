"""T33: no export holds a formula, and numbers are untouched."""

from __future__ import annotations

import csv
import io
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openpyxl

from detector.files import writing
from detector.service import rejected
from detector.service.checking import check as checked
from detector.service.exports import auditing
from detector.service.exports.exporting import export_scored
from detector.service.review import deciding, queue, queueing
from detector.service.review.filters import Filters
from detector.service.review.saved_views import save_view
from detector.service.scoring import score_file
from detector.service.uploads import receive
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.markup import COLUMNS, FORMULAS, hostile_table
from trust.promise import Outcome, Promise, Size
from trust.quiet import quiet

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Score a table full of formulas, decide with formulas as notes, and look at every cell of every export."""
    quiet()
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None, log_level="ERROR"))
    breaking: AbstractContextManager[Any] = nullcontext()
    if broken:
        breaking = patch.multiple(writing, harmless=lambda texts: texts)
    faults: list[str] = []
    try:
        with breaking:
            cells = _exported(ws, size.choose(2_000, 120), faults)
    finally:
        ws.close()
    return Outcome(f"{cells:,} cells of 4 exports: none is a formula; numbers as they were", tuple(faults))


def _exported(ws: Workspace, rows: int, faults: list[str]) -> int:
    table = hostile_table(rows)
    train_rows(ws, table, TrainParameters(n_estimators=5), actor=FORMULAS[0])
    text = table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    upload = receive(ws, "=1+1.csv", text.encode(), actor=FORMULAS[1])
    run = score_file(ws, upload.id, actor=FORMULAS[1])
    queueing.send_to_queue(ws, run.id, 5, actor=FORMULAS[3])
    for case, note in zip(queue.matching(ws, Filters(view="all"), actor="a", limit=5), FORMULAS, strict=False):
        deciding.decide(ws, [case], "fraud", "stolen_card", actor=FORMULAS[0], note=note)
    save_view(ws, FORMULAS[0], Filters(search=FORMULAS[1]), owner=FORMULAS[3])
    seen = 0
    scored = _lines(export_scored(ws, run.id, "csv", actor="x").path)
    seen += _look("CSV", scored, faults)
    place = scored[0].index(COLUMNS[2])
    expected = table[COLUMNS[2]].tolist()
    if [float(row[place]) for row in scored[1:]] != expected:
        faults.append("CSV: numbers were changed")
    sheet = openpyxl.load_workbook(export_scored(ws, run.id, "xlsx", actor="x").path).active
    book = list(sheet.iter_rows())
    seen += _look("Excel", [[cell.value for cell in row] for row in book], faults)
    if any(cell.data_type == "f" or cell.hyperlink for row in book for cell in row):
        faults.append("Excel: a cell is a formula or a link")
    if [row[place].value for row in book[1:]] != expected:
        faults.append("Excel: numbers were changed")
    log = auditing.export_audit(ws, None, "csv", actor="=x").read().decode()
    seen += _look("log", list(csv.reader(io.StringIO(log, newline=""))), faults)
    faulty = receive(ws, "faulty.csv", f"{text}=1+1,2\n".encode(), actor="x")
    checked(ws, faulty.id, set_aside=True)
    aside = _lines(rejected.rejected_rows(ws, faulty.id))
    seen += _look("rows set aside", aside, faults)
    return seen


def _lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _look(title: str, rows: list[list[Any]], faults: list[str]) -> int:
    for number, row in enumerate(rows):
        for cell in row:
            if isinstance(cell, str) and cell.startswith(_BEGINS) and not _NUMBER.fullmatch(cell):
                faults.append(f"{title}, line {number + 1}: {cell[:40]!r}")
    return sum(map(len, rows))


PROMISE = Promise(
    name="T33",
    says="No export holds a formula",
    asked="=cmd(), +, -, @, tab, CR made harmless in CSV and Excel, names and notes too; numbers untouched",
    breaks="texts are written as they are",
    check=check,
)
