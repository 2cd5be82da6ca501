"""The rules: what each watches, what it means, what to do, and the thresholds that a lead can move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: ``urgent`` is worth waking somebody, ``notice`` can wait for the morning.
Level = Literal["urgent", "notice"]


@dataclass(frozen=True)
class Threshold:
    """A number that a lead can move. ``unit``: ``share`` (0-1), ``times``, ``count`` or ``minutes``."""

    name: str
    label: str
    unit: Literal["share", "times", "count", "minutes"]
    default: float
    low: float
    high: float


@dataclass(frozen=True)
class Rule:
    """One rule.

    ``says``: when it fires. ``todo``: what to do about it. ``page``: where the dashboard shows it; ``page_name``: its
    name there.
    """

    name: str
    title: str
    level: Level
    says: str
    todo: str
    page: str
    page_name: str
    thresholds: tuple[Threshold, ...] = ()

    def defaults(self) -> dict[str, float]:
        """Return the thresholds as they are until a lead moves them."""
        return {threshold.name: threshold.default for threshold in self.thresholds}


_MINUTES = Threshold("minutes", "Looks back, minutes", "minutes", 60, 5, 1440)
_ROWS = Threshold("rows", "Says nothing below, rows", "count", 500, 50, 1_000_000)
_FEW_ROWS = Threshold("rows", "Says nothing below, rows", "count", 200, 20, 1_000_000)
_CALM = Threshold("calm_minutes", "Resolved after calm of, minutes", "minutes", 15, 0, 1440)

_RULES = (
    Rule(
        "flagged_high",
        "More is flagged than expected",
        "urgent",
        "The share of rows above the cutoff is surely more than the stated multiple of what the cutoff lets expect.",
        "Look at the flagged rows: an attack looks like this, and so does a feed whose values changed. If the rows are "
        "right and new, update the detector; if the queue overflows meanwhile, raise the cutoff.",
        "pages/analysis/score.py",
        "Score",
        (Threshold("factor", "Multiple of the expected share", "times", 2.0, 1.1, 100), _MINUTES, _ROWS, _CALM),
    ),
    Rule(
        "flagged_low",
        "Less is flagged than expected",
        "urgent",
        "The share of rows above the cutoff is surely less than the stated part of what the cutoff lets expect. "
        "A detector that has gone quiet looks like this.",
        "See on Schema and drift whether columns are missing or constant, and mend the feed. If the rows are right, "
        "update the detector.",
        "pages/detector/schema_drift.py",
        "Schema and drift",
        (Threshold("factor", "Part of the expected share", "times", 0.4, 0.01, 0.9), _MINUTES, _ROWS, _CALM),
    ),
    Rule(
        "drifting",
        "The data have drifted",
        "urgent",
        "The newest file differs so much from training that its scores rest on little: the drift light says drifting.",
        "Open Schema and drift: it names the columns, what follows for the scores, and whether to mend the feed or to "
        "update the detector.",
        "pages/detector/schema_drift.py",
        "Schema and drift",
    ),
    Rule(
        "drift_watch",
        "The data begin to drift",
        "notice",
        "The newest file differs from training enough to be worth a look: the drift light says watch.",
        "Open Schema and drift within the day. If the change is there to stay, update the detector.",
        "pages/detector/schema_drift.py",
        "Schema and drift",
    ),
    Rule(
        "column_gone",
        "A column is gone",
        "urgent",
        "A learned column is missing from the newest file, or from the stated share of the rows that requests bring.",
        "Ask who delivers the data whether this was meant. Scores go on without the column, and are the poorer for it; "
        "if it will not come back, update the detector.",
        "pages/detector/schema_drift.py",
        "Schema and drift",
        (
            Threshold("share", "Share of rows without it", "share", 0.5, 0.01, 1.0),
            _MINUTES,
            _FEW_ROWS,
            _CALM,
        ),
    ),
    Rule(
        "column_new",
        "A new column has come",
        "notice",
        "The newest file, or the stated share of the rows that requests bring, has a column that the model never "
        "learned. It takes no part in scores yet.",
        "Nothing breaks. Update the detector with rows that carry it when it should count.",
        "pages/detector/update.py",
        "Update",
        (
            Threshold("share", "Share of rows with it", "share", 0.1, 0.01, 1.0),
            _MINUTES,
            _FEW_ROWS,
            _CALM,
        ),
    ),
    Rule(
        "error_rate",
        "Requests fail",
        "urgent",
        "More than the stated share of the requests to the API is answered with a fault of the server (5xx).",
        "Look at the API page and at the log of the API: each failed request has a line with its request id. "
        "503 means too much load, no model or no database; 500 is a fault to report.",
        "pages/system/api.py",
        "API",
        (
            Threshold("share", "Share of failed requests", "share", 0.01, 0.001, 1.0),
            Threshold("minutes", "Looks back, minutes", "minutes", 5, 1, 1440),
            Threshold("requests", "Says nothing below, requests", "count", 20, 5, 1_000_000),
            Threshold("calm_minutes", "Resolved after calm of, minutes", "minutes", 5, 0, 1440),
        ),
    ),
    Rule(
        "job_failed",
        "Work in the background failed",
        "notice",
        "The newest training, scoring or other long work of its kind ended in an error or was interrupted.",
        "Mend what the reason names, and start it again from the page it belongs to. The alert resolves when work of "
        "the same kind is done.",
        "pages/analysis/overview.py",
        "Overview",
    ),
    Rule(
        "model_unreadable",
        "The champion's file cannot be read",
        "urgent",
        "The file of the version that answers is gone or is not the one that was registered. Running processes go on "
        "with the model in their memory; one that starts now has none.",
        "Do not restart the service. Put the file back from a backup, or promote another version on the Models page.",
        "pages/detector/models.py",
        "Models",
    ),
    Rule(
        "delivery_dead",
        "A webhook does not take its messages",
        "urgent",
        "A message was tried until the last attempt and never accepted.",
        "See below under Webhooks what it answers, mend it, and press Send again. Until then nobody hears of alerts "
        "there.",
        "pages/system/alerts.py",
        "Alerts",
    ),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _RULES}
