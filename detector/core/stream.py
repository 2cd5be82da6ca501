"""Streams: every row is scored by what was learned from the rows before its chunk, and then learned.

The same could be had by scoring and updating chunk by chunk. Here the rows of a span are brought into the model's
columns once, a :class:`~detector.core.live.LiveForest` scores and learns chunk after chunk, and what does not change
what a row means (statistics, importance, the sample) is brought up to date once a span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detector.core import fitted
from detector.core import sample as sampling
from detector.core.alignment import AlignmentReport
from detector.core.fading import elapsed_between, later_of, latest_of, seconds_in, time_feature
from detector.core.fitted import ROWS_TO_LEARN, Fitted, Settings
from detector.core.forest import Encoded, Floats, score_from_path
from detector.core.later import pd
from detector.core.live import LiveForest, narrowed
from detector.core.sample import Sample
from detector.core.scoring import ScoreResult, paths_of

#: A span is so many times as long as the history at its beginning, within bounds: a young model learns new columns,
#: categories and scales soon, an old one seldom.
SPAN_GROWTH = 10
SHORTEST_SPAN, LONGEST_SPAN = 1_000, 100_000
#: Where a larger share of a span's rows lacks values, the chunks are scored and learned one by one. The rows that lack
#: values in other spans are scored by what was learned before the span, and learned at its end.
MOST_HOLED = 0.1


@dataclass
class _Said:
    """What has been said of the rows so far."""

    paths: list[Floats] = field(default_factory=list)
    severities: list[Floats] = field(default_factory=list)
    signatures: dict[tuple[str, ...], int] = field(default_factory=dict)
    which: list[NDArray[np.int32]] = field(default_factory=list)
    report: AlignmentReport | None = None

    def add(
        self, paths: Floats, severities: Floats, signatures: tuple[tuple[str, ...], ...], which: NDArray[np.int32]
    ) -> None:
        places = [self.signatures.setdefault(names, len(self.signatures)) for names in signatures]
        self.paths.append(paths)
        self.severities.append(severities)
        self.which.append(np.array(places, np.int32)[which])

    def reported(self, report: AlignmentReport) -> None:
        self.report = report if self.report is None else self.report.merged(report)


def stream(
    known: Fitted,
    frame: pd.DataFrame,
    chunk: int,
    settings: Settings,
    roles: Mapping[str, str],
    cutoff: float,
    learned: int = 0,
) -> tuple[ScoreResult, Fitted]:
    """Return what was said of the rows, each scored before it was learned, and what is known after all of them.

    Parameters
    ----------
    known : what was learned before.
    frame : n rows, at least 1, in the order in which they came.
    chunk : rows that are scored before any of them is learned, at least 2.
    cutoff : 0-100, the severity above which a row is flagged.
    learned : so many of the first rows are part of what is known, and are only scored.

    Raises
    ------
    NoKnownColumnsError, InputError
        When rows carry nothing that was learned, or nothing that can be.
    """
    said = _Said()
    begin = learned
    if learned:
        _score(known, frame.iloc[:learned], said)
    while begin < len(frame):
        span = min(LONGEST_SPAN, max(SHORTEST_SPAN, SPAN_GROWTH * known.sample.seen))
        # Whole chunks: where a table is cut must not show.
        rows = frame.iloc[begin : begin + max(1, span // chunk) * chunk]
        known = _span(known, rows, chunk, settings, roles, said)
        begin += len(rows)
    assert said.report is not None
    severities = np.concatenate(said.severities)
    result = ScoreResult(
        labels=np.where(severities > cutoff, -1, 1).astype(np.int64),
        scores=score_from_path(np.concatenate(said.paths)), severities=severities, cutoff=cutoff,
        signatures=tuple(said.signatures), signature_of_row=np.concatenate(said.which), report=said.report,
        index=frame.index,
    )  # fmt: skip
    return result, known


def _score(known: Fitted, rows: pd.DataFrame, said: _Said) -> None:
    aligned = known.align(rows)
    said.add(*paths_of(known, aligned))
    said.reported(aligned.report)


def _span(
    known: Fitted, rows: pd.DataFrame, chunk: int, settings: Settings, roles: Mapping[str, str], said: _Said
) -> Fitted:
    aligned = known.align(rows)
    matrix, layout = aligned.matrix, known.schema.layout
    signature = tuple(np.flatnonzero(aligned.carried).tolist())
    firsts = layout.starts[list(signature)]
    holed = np.isnan(matrix[:, firsts]).any(axis=1)
    recorded: NDArray[np.bool_] = np.asarray(~np.isnan(known.sample.rows[:, firsts]).any(axis=1))
    # What decisions mean is worked out for a whole forest: trees that take turns would leave that behind.
    if not signature or holed.mean() > MOST_HOLED or recorded.sum() < ROWS_TO_LEARN or len(known.decisions):
        for begin in range(0, len(rows), chunk):
            part = rows.iloc[begin : begin + chunk]
            _score(known, part, said)
            known = fitted.update(known, part, settings, roles)
        return known
    whole = np.flatnonzero(~holed)
    batch = matrix[whole] if holed.any() else matrix
    start = known.sample if recorded.all() else narrowed(known.sample, recorded)
    live = LiveForest(start, batch, layout.choices(signature, start.weights), settings.max_samples, settings.seed)
    paths, severities, which = np.empty(len(rows)), np.empty(len(rows)), np.zeros(len(rows), np.int32)
    seconds = seconds_in(rows, time_feature(known.schema, roles))[whole]
    latest = known.sample.latest
    for begin in range(0, len(batch), chunk):
        places = whole[begin : begin + chunk]
        leaves = live.said(batch[begin : begin + chunk])
        paths[places] = leaves.mean(axis=0, dtype=np.float64)
        severities[places] = live.severities(paths[places])
        times = seconds[begin : begin + chunk]
        now = latest_of(times)
        fade = settings.fading.fade(len(places), elapsed_between(latest, now))
        latest = later_of(latest, now)
        live.learn(leaves, fade, settings.fading.counts(times, latest))
    signatures: tuple[tuple[str, ...], ...] = (tuple(known.schema.learned[feature].name for feature in signature),)
    if holed.any():
        lacking = replace(aligned, matrix=np.ascontiguousarray(matrix[holed]))
        paths[holed], severities[holed], more, which_more = paths_of(known, lacking)
        signatures += more
        which[holed] = which_more + 1
    said.add(paths, severities, signatures, which)
    said.reported(aligned.report)

    def resample(before: Sample, again: Encoded) -> Sample:
        sample = live.sample(before, again[whole], settings.half_life)
        if holed.any():
            most, half_life = settings.max_samples, settings.half_life
            sample = sampling.updated(sample, again[holed], most, half_life, settings.seed, fade=1.0)
        return replace(sample, latest=latest)

    # Where old rows lack a column, the live forest did without them; what is kept of the past does not.
    return fitted.update(known, rows, settings, roles, resample if recorded.all() else None)
