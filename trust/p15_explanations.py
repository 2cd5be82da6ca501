"""P15: explanations add up to the score, or there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.core import kernels
from detector.core.model import DynamicAnomalyDetector
from detector.errors import DetectorError
from detector.service.reasons.explaining import reasons_of
from detector.service.scoring import score_file
from detector.service.uploads import receive
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.naive_shap import shapley_values
from trust.payments import payments, trained
from trust.promise import Outcome, Promise, Size
from trust.quiet import quiet

#: What base and contributions may miss the output by.
TOLERANCE = 1e-6


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Explain rows with all that columns can do, through model, service and API, and add up."""
    model = trained(*size.choose((3_000, 100), (200, 5)))
    quiet()
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None, log_level="ERROR"))
    wrong: AbstractContextManager[Any] = (
        patch.object(kernels, "shap_values", _swapped(kernels.shap_values)) if broken else nullcontext()
    )
    try:
        ws.promote(new_version(model, origin="trained"), actor="trust")
        with wrong:
            return _tried(ws, size)
    finally:
        ws.close()


def _tried(ws: Workspace, size: Size) -> Outcome:
    faults: list[str] = []
    champion = ws.require_champion().detector
    evolved = champion.updated(payments(400, seed=3, day=29).assign(device=lambda t: t["items"] * 1.5 + 0.25))
    explained = tables = 0
    for seed in range(size.choose(9, 1)):
        for title, table in _tables(size.choose(200, 20), seed):
            for name, model in size.choose([("taught", champion), ("updated", evolved)], [("updated", evolved)]):
                found, missed = _adds_up(model, table)
                explained, tables = explained + found, tables + 1
                faults += [f"{name} model, {title}: {fault}" for fault in missed]
    shares = [_agrees_with_definition(seed, faults) for seed in range(size.choose(6, 1))]
    runs, run_rows = _through_service(ws, size, faults)
    answers, reasons = _through_api(ws, size, faults)
    _nothing_rather_than_wrong(ws, faults)
    return Outcome(
        f"{explained:,} rows of {tables} tables add up and are the score; {sum(shares)} equal Shapley's definition; "
        f"{run_rows:,} rows of {runs} run by the service; {reasons:,} reasons in {answers} answers of the API; none "
        "when the kernel misses",
        tuple(faults),
    )


def _tables(rows: int, seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield tables of rows whose columns are lost, holed, new, renamed, in another unit or of another type."""
    rng = np.random.default_rng(seed)
    table = payments(rows, seed=100 + seed, day=29)
    yield "as trained", table
    names = ["amount", "balance", "items", "country", "channel", "member", "distance"]
    for count in (1, 3, 5):
        gone = rng.choice(names, count, replace=False).tolist()
        yield f"without {', '.join(gone)}", table.drop(columns=gone)
    for share in (0.1, 0.5, 0.9):
        holed = table.astype(dict.fromkeys(names, object))
        yield f"{share:.0%} of cells empty", holed.mask(rng.random(table.shape) < share)
    odd = table.assign(country=[f"new {n % 7}" for n in range(rows)], channel=None)
    yield "categories never seen", odd
    yield "renamed", table.rename(columns={"balance": "BALANCE_", "distance": "Distance"})
    yield "another unit", table.assign(amount=table["amount"] * 100, distance=table["distance"] / 1000)
    yield "a new column", table.assign(device=rng.normal(size=rows))
    yield "another type", table.assign(items=[f"n{value}" for value in table["items"]])
    yield "values far away", table.assign(amount=1e30, balance=-1e30)
    yield "without its entity", table.drop(columns=["card", "when"])
    yield "one row", table.head(1)
    yield "the same row over and over", table.iloc[[0] * rows].reset_index(drop=True)


def _adds_up(model: DynamicAnomalyDetector, table: pd.DataFrame) -> tuple[int, list[str]]:
    scores = model.score(table)
    try:
        found = model.explain(table)
    except ArithmeticError:
        return 0, ["no explanation, where there should be one"]
    faults = []
    if not np.abs(found.base + found.values.sum(axis=1) - found.output).max(initial=0.0) <= TOLERANCE:
        faults.append("base and contributions miss the output")
    if not np.abs(np.exp2(found.output) - scores.scores).max(initial=0.0) <= TOLERANCE:
        faults.append("the output is not the score")
    if not np.array_equal(found.severities, scores.severities):
        faults.append("the severities are not those of scoring")
    for row, reasons in enumerate(found.reasons):
        by_name = dict(zip(found.features, found.values[row].tolist(), strict=True))
        if any(reason.contribution != by_name[reason.feature] for reason in reasons):
            faults.append(f"row {row + 1}: a reason tells another contribution than the values")
    return len(table), faults


def _agrees_with_definition(seed: int, faults: list[str]) -> int:
    """Hold a few rows of a small model against Shapley's definition, over all subsets of the columns."""
    table = payments(90, seed=200 + seed)[["amount", "items", "channel"]]
    table.loc[::7, "amount"] = np.nan
    model = DynamicAnomalyDetector(n_estimators=4, max_samples=16, random_state=seed).fit(table)
    known = model._fitted()
    rows = table.head(6)
    matrix = known.aligner.align(rows).matrix
    forest = known.views.get(known.everything).forest
    found = model.explain(rows)
    for row in range(len(rows)):
        parts, base = shapley_values(forest, matrix[row], sorted(set(forest.columns.tolist())))
        summed = [sum(parts.get(column, 0.0) for column in feature.columns) for feature in known.schema.learned]
        if not np.allclose(found.values[row], summed, rtol=0, atol=1e-9) or abs(found.base[row] - base) > 1e-9:
            faults.append(f"small model {seed}, row {row + 1}: not the values of Shapley's definition")
    return len(rows)


def _through_service(ws: Workspace, size: Size, faults: list[str]) -> tuple[int, int]:
    table = payments(size.choose(600, 40), seed=9, day=29).drop(columns="balance")
    table.loc[::5, "distance"] = np.nan
    upload = receive(ws, "rows.csv", table.to_csv(index=False).encode(), actor="trust")
    run = score_file(ws, upload.id, actor="trust")
    count = size.choose(200, 20)
    try:
        explained = reasons_of(ws, run.id, range(1, count + 1))
    except DetectorError:
        faults.append("service: no explanation, where there should be one")
        return 1, 0
    for item in explained:
        total = item.base + sum(part.contribution for part in item.parts)
        if not abs(total - item.output) <= TOLERANCE or not abs(2.0**item.output - item.score) <= TOLERANCE:
            faults.append(f"service: row {item.row} does not add up")
        if not item.as_then:
            faults.append(f"service: row {item.row} is explained by another score than it was given")
    return 1, count


def _through_api(ws: Workspace, size: Size, faults: list[str]) -> tuple[int, int]:
    detector = ws.require_champion().detector
    reasons = answers = 0
    with TestClient(create_app(ws), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        for title, table in _tables(size.choose(50, 2), 77):
            if title in {"another type", "renamed", "another unit"}:
                continue  # one request of few rows is read by what the last update remembered, and refused otherwise
            rows = [_plain(row) for row in table.to_dict("records")]
            answer = client.post("/predict/batch?explain=true", json={"transactions": rows})
            answers += 1
            if answer.status_code == 422:
                continue
            try:
                found = detector.explain(rows)
            except ArithmeticError:
                faults.append(f"API, {title}: no explanation, where there should be one")
                continue
            for row, verdict in enumerate(answer.json()["predictions"]):
                by_name = dict(zip(found.features, found.values[row].tolist(), strict=True))
                for reason in verdict["reasons"]:
                    reasons += 1
                    if abs(reason["contribution"] - by_name[reason["feature"]]) > TOLERANCE:
                        faults.append(f"API, {title}: row {row + 1}: another contribution than the model's")
                if abs(2.0 ** found.output[row] - verdict["anomaly_score"]) > TOLERANCE:
                    faults.append(f"API, {title}: row {row + 1}: another score than is explained")
    return answers, reasons


def _nothing_rather_than_wrong(ws: Workspace, faults: list[str]) -> None:
    """With a kernel that misses the score, nobody is given an explanation."""
    rows = [_plain(row) for row in payments(3, seed=8, day=29).to_dict("records")]
    with (
        TestClient(create_app(ws), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client,
        patch.object(kernels, "shap_values", _scaled(kernels.shap_values)),
    ):
        given = client.post("/predict/batch?explain=true", json=rows).json()["predictions"]
        given.append(client.post("/predict?explain=true", json={"data": rows[0]}).json())
        if any(verdict.get("reasons") is not None for verdict in given):
            faults.append("API: reasons although they do not add up")
        try:
            reasons_of(ws, 1, [1])
            faults.append("service: reasons although they do not add up")
        except DetectorError:
            pass


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(name): value.isoformat() if isinstance(value, pd.Timestamp) else None if pd.isna(value) else value
        for name, value in row.items()
    }


def _swapped(true: Callable[..., None]) -> Callable[..., None]:
    """Return a kernel that gives two columns each other's contribution; sums stay right."""

    def wrong(*arguments: Any) -> None:
        true(*arguments)
        begin, end, out = arguments[-3:]
        out[begin:end, [0, -1]] = out[begin:end, [-1, 0]]

    return wrong


def _scaled(true: Callable[..., None]) -> Callable[..., None]:
    """Return a kernel whose contributions are all a hundredth too large."""

    def wrong(*arguments: Any) -> None:
        true(*arguments)
        begin, end, out = arguments[-3:]
        out[begin:end] *= 1.01

    return wrong


PROMISE = Promise(
    name="P15",
    says="Explanations add up, or there are none",
    asked="base + sum of values = the stated output within 1e-6 for every row, never a wrong one",
    breaks="the kernel gives two columns each other's contribution",
    check=check,
)
