"""The dashboard for Grafana and the rules for Prometheus, held against the metrics that a live application has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from detector.api import create_app
from detector.service import jobs
from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.api.samples import ODD, transactions

DEPLOY = Path(__file__).parents[1] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
SCRAPE: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())

#: What Prometheus itself adds to every series, and the metric that it makes of each scrape.
OF_PROMETHEUS = {"job", "instance"}
UP = "up"

_TOKENS = re.compile(
    r"""\s+ | (?P<string>"(?:[^"\\]|\\.)*") | (?P<range>\[[^\]]*\]) | (?P<number>\d+(?:\.\d+)?)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*) | (?P<mark>=~|!~|!=|==|<=|>=|[-+*/^%(){},=<>])""",
    re.VERBOSE,
)
_FUNCTIONS = {
    "sum", "min", "max", "avg", "count", "rate", "increase", "histogram_quantile", "time", "clamp_min", "absent",
}  # fmt: skip
_WORDS = {"and", "or", "unless", "bool"}
_GROUPING = {"by", "without", "on", "ignoring"}
_DURATION = re.compile(r"\d+[smhdw]|\$__rate_interval|\$__range")


@dataclass
class Read:
    """What an expression names: metrics with their matchers, and labels that it groups by."""

    metrics: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)


def tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression):
        match = _TOKENS.match(expression, at)
        assert match is not None, f"cannot be read at {expression[at:]!r}"
        if match.lastgroup:
            found.append((match.lastgroup, match.group()))
        at = match.end()
    return found


def read(expression: str) -> Read:
    """Read a PromQL expression as far as names, labels, ranges and brackets go."""
    found, told, at = Read(), [*tokens(expression), ("end", "")], 0
    depth: list[str] = []
    while told[at][0] != "end":
        kind, text = told[at]
        if kind == "name" and text in _GROUPING:
            assert told[at + 1] == ("mark", "(")
            at += 2
            while told[at] != ("mark", ")"):
                if told[at][0] == "name":
                    found.grouped.add(told[at][1])
                else:
                    assert told[at] == ("mark", ",")
                at += 1
        elif (kind == "name" and told[at + 1] == ("mark", "(")) or text in _FUNCTIONS:
            assert text in _FUNCTIONS | _WORDS, f"there is no function {text}"
        elif kind == "name" and text not in _WORDS:
            matchers = found.metrics.setdefault(text, [])
            if told[at + 1] == ("mark", "{"):
                at += 2
                while told[at] != ("mark", "}"):
                    (_, label), (_, compares), (is_string, value) = told[at : at + 3]
                    assert compares in ("=", "!=", "=~", "!~")
                    assert is_string == "string"
                    matchers.append((label, compares, json.loads(value)))
                    at += 3
                    if told[at] == ("mark", ","):
                        at += 1
        elif kind == "range":
            assert _DURATION.fullmatch(text[1:-1]), text
        elif kind == "mark" and text == "(":
            depth.append(text)
        elif kind == "mark" and text == ")":
            depth.pop()
        at += 1
    assert not depth, "a bracket is not closed"
    return found


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Return the labels of each series that a live application has, by name."""
    home = tmp_path_factory.mktemp("home")
    ws = Workspace.open(Settings(home=home, model_path=None, database_url=None))
    train_rows(ws, transactions(200), actor="test")
    job = jobs.submit(ws, "score", {"upload_id": "none"}, actor="test")
    jobs.wait_for_job(ws, job.id, 30)
    with TestClient(create_app(ws)) as client:
        client.post("/predict", json={"data": ODD})
        client.post("/predict", json={"data": {}})
        text = client.get("/metrics").text
    ws.close()
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


def of_dashboard() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]


def of_rules() -> Iterator[tuple[str, str]]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]


RECORDED = {rule["record"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
EXPRESSIONS = dict([*of_dashboard(), *of_rules()])
#: Values of labels that only exist once something has happened.
LATER = {"5xx", "active", "drifting"}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_names_only_what_there_is(name: str, scraped: dict[str, list[dict[str, str]]]) -> None:
    found = read(EXPRESSIONS[name])
    assert found.metrics
    labels: set[str] = set(OF_PROMETHEUS) | {"le"}
    for metric, matchers in found.metrics.items():
        if metric in RECORDED:
            labels |= read(RECORDED[metric]).grouped
            known = [dict.fromkeys(read(RECORDED[metric]).grouped, "")]
        elif metric == UP:
            known = [{}]
        else:
            assert metric in scraped, f"there is no metric {metric}"
            known = scraped[metric]
            labels |= set().union(*(set(series) for series in known))
        for label, compares, value in matchers:
            assert label in OF_PROMETHEUS or all(label in series for series in known), f"{metric} has no label {label}"
            if label in OF_PROMETHEUS or metric in RECORDED:
                continue
            values = {series[label] for series in known} | LATER
            wanted = value.split("|") if compares == "=~" else [value]
            assert set(wanted) <= values, f"{metric} has no {label} {value}"
    assert found.grouped <= labels, found.grouped - labels


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("sum(rate(detector_requests_total[5m])", "not closed"),
        ("sam(detector_open_cases)", "no function sam"),
        ("rate(detector_requests_total[5 parsecs])", "parsecs"),
        ("detector_open_cases ? 1", "cannot be read"),
    ],
)
def test_the_reader_notices_what_is_wrong(expression: str, told: str) -> None:
    with pytest.raises((AssertionError, IndexError), match=told):
        read(expression)


@pytest.mark.parametrize(
    "expression", ["detector_open_casez > 1", 'detector_jobs{sort="x"}', 'detector_jobs{state="x"}']
)
def test_the_check_notices_names_that_are_not_there(
    expression: str, scraped: dict[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPRESSIONS, "wrong", expression)
    with pytest.raises(AssertionError, match="no"):
        test_an_expression_names_only_what_there_is("wrong", scraped)


def test_the_rules_are_well_formed() -> None:
    assert set(RULES) == {"groups"}
    names = [rule.get("alert") or rule["record"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for group in RULES["groups"]:
        assert set(group) <= {"name", "interval", "rules"}
        for rule in group["rules"]:
            if "record" in rule:
                assert set(rule) <= {"record", "expr", "labels"}
                assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule["record"])
                continue
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert set(rule["annotations"]) == {"summary", "what_to_do"}
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_the_example_of_a_scrape_fits_the_rules_and_the_api() -> None:
    (job,) = SCRAPE["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert all((DEPLOY / "prometheus" / name).is_file() for name in SCRAPE["rule_files"])
    jobs_named = set(re.findall(r'job="(\w+)"', (DEPLOY / "prometheus" / "rules.yml").read_text()))
    assert jobs_named == {job["job_name"]}


def test_the_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["datasource"]["uid"] == "${datasource}"
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "instance"}


def test_every_metric_of_ours_is_on_the_dashboard_or_in_a_rule(scraped: dict[str, list[dict[str, str]]]) -> None:
    used = {metric for expression in EXPRESSIONS.values() for metric in read(expression).metrics}
    stems = {re.sub(r"_(bucket|count|sum)$", "", name) for name in scraped if name.startswith("detector_")}
    unused = {stem for stem in stems if not any(name.startswith(stem) for name in used)}
    assert unused <= {"detector_build_info"}
