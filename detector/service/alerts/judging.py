"""The rules applied: values in, findings out. No database, no clock.

A share counts only with enough rows, and only when so much (or so little) would hardly ever come by chance from a true
share at the threshold, so that noise raises no alert. An alert goes away by a nearer line than the one it came by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy.special import bdtr, bdtrc

from detector.errors import excerpt
from detector.service.alerts.inputs import Inputs
from detector.service.alerts.observed import Observed

#: Chance by which a true share just at the threshold would raise an alert in one look.
CHANCE = 0.0005
#: How far a share has to come back before its alert is calm: to nine tenths of what raised it.
BACK = 0.9
#: Columns that get an alert each; with more, one tells of all.
MOST_COLUMNS = 10
MANY_COLUMNS = "many columns"

#: Where a finding comes from: requests to the API, scored files, or neither.
REQUESTS, FILES = "requests", "files"
LIVE, NEWEST_FILE = "requests to the API", "the newest file"

Thresholds = Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """A rule that fires for a subject. ``evidence``: what it was seen in: ``requests``, ``run 7``, ``job ...``."""

    subject: str
    summary: str
    evidence: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """What a rule says.

    ``firing``: by subject. ``between``: subjects that are neither to be raised nor calm. ``silent``: sources of which
    there is too little to say anything; alerts from there stay as they are.
    """

    firing: tuple[Finding, ...] = ()
    between: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()


def source_of(evidence: str | None) -> str:
    """Return whether evidence came from requests or from files and the rest."""
    return REQUESTS if evidence == REQUESTS else FILES


def surely_more(hits: int, of: int, share: float) -> bool:
    """Whether ``hits`` or more of ``of`` would hardly come by chance from a true share of ``share`` (binomial tail)."""
    return hits > 0 and bool(bdtrc(hits - 1, of, share) < CHANCE)


def surely_less(hits: int, of: int, share: float) -> bool:
    """Whether ``hits`` or fewer of ``of`` would hardly come by chance from a true share of ``share``."""
    return bool(bdtr(hits, of, share) < CHANCE)


def judge(rule: str, inputs: Inputs, thresholds: Thresholds) -> Judged:
    """Return what ``rule`` says of ``inputs``."""
    return _JUDGES[rule](inputs, thresholds)


def _flagged(inputs: Inputs, thresholds: Thresholds, high: bool) -> Judged:
    firing: list[Finding] = []
    between: set[str] = set()
    silent: set[str] = set()
    traffic = inputs.traffic[thresholds["minutes"]]
    run = inputs.run
    shares = [
        (LIVE, REQUESTS, traffic.rows, traffic.flagged, traffic.expected / traffic.rows if traffic.rows else 0.0),
        (NEWEST_FILE, f"run {run.id}", run.rows, run.flagged, run.expected) if run else (NEWEST_FILE, FILES, 0, 0, 0.0),
    ]
    for subject, evidence, rows, flagged, expected in shares:
        line = expected * thresholds["factor"]
        # Where all or nothing is to be flagged there is no share to compare with.
        if rows < thresholds["rows"] or not 0.0 < expected < 1.0 or (high and line >= 1.0):
            silent.add(source_of(evidence))
            continue
        share = flagged / rows
        if surely_more(flagged, rows, line) if high else surely_less(flagged, rows, line):
            told = f"{share:.2%} of {rows:,} rows {_of(subject)} flagged; the cutoff lets expect {expected:.2%}."
            details = {"rows": rows, "flagged": flagged, "share": share, "expected": expected}
            firing.append(Finding(subject, told, evidence, details))
        elif share > line * BACK if high else share < line / BACK:
            between.add(subject)
    return Judged(tuple(firing), frozenset(between), frozenset(silent))


def _of(subject: str) -> str:
    return "of the newest file are" if subject == NEWEST_FILE else "from requests were"


def _drift(inputs: Inputs, state: str) -> Judged:
    run = inputs.run
    if run is None or run.drift == "unknown":
        return Judged(silent=frozenset({FILES}))
    if run.drift != state:
        return Judged()
    columns = "1 column is" if run.drifted_columns == 1 else f"{run.drifted_columns} columns are"
    told = f"Run {run.id} of {run.rows:,} rows differs from training: {columns} new, missing or changed."
    return Judged((Finding(NEWEST_FILE, told, f"run {run.id}", {"columns": run.drifted_columns}),))


def _columns(inputs: Inputs, thresholds: Thresholds, gone: bool) -> Judged:
    firing: dict[str, Finding] = {}
    between: set[str] = set()
    silent: set[str] = set()
    verb = "is missing from" if gone else "came with"
    traffic = inputs.traffic[thresholds["minutes"]]
    if traffic.rows < thresholds["rows"]:
        silent.add(REQUESTS)
    else:
        for name, rows in _named(traffic, gone).items():
            share = min(rows / traffic.rows, 1.0)
            if share == 1.0 or surely_more(min(rows, traffic.rows), traffic.rows, thresholds["share"]):
                told = f"{excerpt(name)} {verb} {share:.0%} of {traffic.rows:,} rows from requests."
                firing[excerpt(name)] = Finding(excerpt(name), told, REQUESTS, {"rows": rows, "of": traffic.rows})
            elif share > thresholds["share"] * BACK:
                between.add(excerpt(name))
    run = inputs.run
    if run is None:
        silent.add(FILES)
    else:
        for name in run.missing if gone else run.new:
            told = f"{excerpt(name)} {verb} run {run.id}, the newest file."
            firing[excerpt(name)] = Finding(excerpt(name), told, f"run {run.id}", {"run": run.id})
    if len(firing) > MOST_COLUMNS:
        names = sorted(finding.subject for finding in firing.values())
        first = next(iter(firing.values()))
        what = "are missing" if gone else "are new"
        told = f"{len(names)} columns {what}: {', '.join(names[:MOST_COLUMNS])} and {len(names) - MOST_COLUMNS} more."
        return Judged((Finding(MANY_COLUMNS, told, first.evidence, {"columns": len(names)}),), silent=frozenset(silent))
    return Judged(tuple(firing.values()), frozenset(between), frozenset(silent))


def _named(traffic: Observed, gone: bool) -> Mapping[str, int]:
    return traffic.missing if gone else traffic.new


def _errors(inputs: Inputs, thresholds: Thresholds) -> Judged:
    traffic = inputs.traffic[thresholds["minutes"]]
    if not traffic.requests:
        # Nobody asks, so nobody is turned away: calm, in its time.
        return Judged()
    if traffic.requests < thresholds["requests"]:
        return Judged(silent=frozenset({REQUESTS}))
    share = traffic.errors / traffic.requests
    if surely_more(traffic.errors, traffic.requests, thresholds["share"]):
        told = f"{traffic.errors:,} of {traffic.requests:,} requests failed ({share:.1%})."
        details = {"requests": traffic.requests, "errors": traffic.errors, "share": share}
        return Judged((Finding(LIVE, told, REQUESTS, details),))
    return Judged(between=frozenset({LIVE}) if share > thresholds["share"] * BACK else frozenset())


def _jobs(inputs: Inputs, _: Thresholds) -> Judged:
    found = []
    for job in inputs.jobs:
        if job.state in ("failed", "interrupted"):
            why = job.message or "The program was stopped while it worked."
            told = f"{job.kind.replace('_', ' ').capitalize()}: {why}"
            found.append(Finding(job.kind, told, f"job {job.id}", {"job": job.id, "state": job.state}))
    return Judged(tuple(found))


def _unreadable(inputs: Inputs, _: Thresholds) -> Judged:
    if inputs.unreadable is None:
        return Judged()
    version, why = inputs.unreadable
    return Judged((Finding("champion", f"Version {version}: {why}", f"version {version}", {"version": version}),))


def _dead(inputs: Inputs, _: Thresholds) -> Judged:
    return Judged(
        tuple(
            Finding(
                name,
                f"{many} message{'' if many == 1 else 's'} to {name} {'was' if many == 1 else 'were'} given up.",
                f"webhook {hook}",
                {"webhook": hook, "messages": many},
            )
            for hook, name, many in inputs.dead
        )
    )


_JUDGES: Mapping[str, Callable[[Inputs, Thresholds], Judged]] = {
    "flagged_high": lambda inputs, thresholds: _flagged(inputs, thresholds, high=True),
    "flagged_low": lambda inputs, thresholds: _flagged(inputs, thresholds, high=False),
    "drifting": lambda inputs, _: _drift(inputs, "drifting"),
    "drift_watch": lambda inputs, _: _drift(inputs, "watch"),
    "column_gone": lambda inputs, thresholds: _columns(inputs, thresholds, gone=True),
    "column_new": lambda inputs, thresholds: _columns(inputs, thresholds, gone=False),
    "error_rate": _errors,
    "job_failed": _jobs,
    "model_unreadable": _unreadable,
    "delivery_dead": _dead,
}
