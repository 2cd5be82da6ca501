"""``/metrics``: the counters of this process and how the workspace stands, in the text format of Prometheus.

At most 200 series whatever comes in: labels are routes, methods, roles and states of our own, never a path as sent, a
column or a version. Samples are made when somebody scrapes; a request only adds to plain counters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from detector.api.counting import SECONDS, RequestCounts
from detector.service.measures import SEVERITIES, Measures
from detector.service.vitals import Vitals, VitalsWatch
from detector.service.workspace import Workspace
from detector.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_Labels = TypeVar("_Labels", bound=tuple[str, ...])

_DRIFT_STATES = ("calm", "watch", "drifting", "unknown")


class Metrics:
    """What a scrape of one process gets."""

    def __init__(self, counts: RequestCounts, ws: Workspace) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Samples(counts, ws.measures, VitalsWatch(ws)))

    def text(self) -> bytes:
        """Return all samples; asks the database at most every few seconds, and does without when it is away."""
        return generate_latest(self._registry)


class _Samples(Collector):
    def __init__(self, counts: RequestCounts, measures: Measures, watch: VitalsWatch) -> None:
        self._counts, self._measures, self._watch = counts, measures, watch

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "detector_build_info", "Always 1; the label tells which program runs.", {(VERSION,): 1}, ["version"]
        )
        yield from self._requests()
        yield from self._scored()
        yield from _workspace(self._watch.vitals())

    def _requests(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter(
            "detector_requests",
            "Requests answered, by route as documented, method and class of status.",
            {(route, method, f"{status}xx"): many for (route, method, status), many in sorted(counts.by_door.items())},
            ["route", "method", "status"],
        )
        durations = HistogramMetricFamily(
            "detector_request_duration_seconds",
            "Time from the head of a request to the end of its answer; other: all routes without a label of their own.",
            labels=["route"],
        )
        for route, known in counts.durations.items():
            durations.add_metric([route], _buckets(SECONDS, known.counts), known.seconds)
        yield durations
        yield _gauge("detector_requests_in_flight", "Requests that are being answered now.", {(): counts.in_flight})
        yield _counter(
            "detector_requests_refused",
            "Requests that were not served, by reason.",
            {(reason,): many for reason, many in counts.refused.items()},
            ["reason"],
        )
        yield _counter(
            "detector_overload_refusals",
            "Requests refused since there was no room for them, by kind; most of them before they were parsed.",
            {(kind,): many for kind, many in counts.overloaded.items()},
            ["kind"],
        )

    def _scored(self) -> Iterator[Metric]:
        measures = self._measures
        severities = HistogramMetricFamily(
            "detector_severity",
            "Severity (0-100) of the rows scored by requests, by the role of the version that scored them.",
            labels=["role"],
        )
        for role, scored in measures.scored.items():
            severities.add_metric([role], _buckets(SEVERITIES[:-1], scored.by_severity), scored.severity_sum)
        yield severities
        yield _counter(
            "detector_flagged_rows",
            "Rows scored by requests whose severity was above the cutoff.",
            {(role,): scored.flagged for role, scored in measures.scored.items()},
            ["role"],
        )
        yield _counter(
            "detector_flagged_rows_expected",
            "Rows that the cutoff lets expect to be flagged among those scored by requests.",
            {(role,): scored.expected for role, scored in measures.scored.items()},
            ["role"],
        )
        yield _counter(
            "detector_rows_by_schema",
            "Rows scored with the champion by requests: with columns as learned, without some, with new ones, or both.",
            {(outcome,): rows for outcome, rows in measures.outcomes.items()},
            ["columns"],
        )


def _workspace(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge("detector_database_up", "1 when the database answers, else 0.", {(): int(vitals.database)})
    if not vitals.database:
        # A number that is not known is left out: 0 open cases would be a lie.
        return
    if vitals.champion is not None:
        yield _gauge("detector_champion_version", "Number of the version that answers.", {(): vitals.champion})
        yield _gauge(
            "detector_champion_created_timestamp_seconds",
            "When the version that answers was made, in seconds since 1970.",
            {(): vitals.champion_since or 0.0},
        )
    yield _gauge(
        "detector_drift_state",
        "1 for the state of the newest file's drift, 0 for the others.",
        {(state,): int(state == vitals.drift) for state in _DRIFT_STATES},
        ["state"],
    )
    yield _gauge(
        "detector_drifted_columns", "Columns of the newest file that are new, missing or changed.",
        {(): vitals.drifted_columns},
    )  # fmt: skip
    yield _gauge("detector_open_cases", "Cases in the queue that wait for a decision.", {(): vitals.open_cases})
    yield _gauge(
        "detector_oldest_queue_age_seconds",
        "Age of the oldest queue that is still open while cases wait, else 0.",
        {(): vitals.oldest_case},
    )
    yield _gauge(
        "detector_jobs",
        "Long work in the database, by kind: active, done (or cancelled), failed (or interrupted).",
        vitals.jobs,
        ["kind", "state"],
    )
    yield _gauge(
        "detector_alerts",
        "Alerts that are not resolved, by state.",
        {(state,): vitals.alerts.get(state, 0) for state in ("open", "acknowledged")},
        ["state"],
    )
    yield _gauge(
        "detector_webhook_messages",
        "Messages to webhooks: waiting to be sent, or dead after the last try.",
        {(state,): vitals.messages.get(state, 0) for state in ("waiting", "dead")},
        ["state"],
    )


def _gauge(name: str, told: str, samples: Mapping[_Labels, float], labels: Sequence[str] = ()) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, sample in samples.items():
        family.add_metric(list(values), sample)
    return family


def _counter(
    name: str, told: str, samples: Mapping[tuple[str, ...], float], labels: Sequence[str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, told, labels=labels)
    for values, sample in samples.items():
        family.add_metric(list(values), sample)
    return family


def _buckets(edges: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return cumulative counts by upper edge, as Prometheus has them; the last one has no edge."""
    named = [f"{edge:g}" for edge in edges] + ["+Inf"]
    return list(zip(named, accumulate(counts), strict=True))
