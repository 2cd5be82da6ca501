"""Streams: every row is scored by what was learned from the rows before its chunk, and then learned.

The same could be had by scoring and updating chunk by chunk. Here the rows of a span are brought into the model's
columns once, a :class:`~detector.core.live.LiveForest` scores and learns chunk after chunk, and what does not change
what a row means (statistics, importance, the sample) is brought up to date once a span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core import fitted
from detector.core.alignment import Aligned, AlignmentReport
from detector.core.fading import elapsed_between, later_of, latest_of, seconds_in, time_feature
from detector.core.fitted import Fitted, Settings
from detector.core.forest import Encoded, Floats, score_from_path
from detector.core.live import LiveForest
from detector.core.sample import Sample
from detector.core.scoring import ScoreResult, paths_of
from detector.core.views import Signature

#: A span is so many times as long as the history at its beginning, within bounds: a young model learns new columns,
#: categories and scales soon, an old one seldom.
SPAN_GROWTH = 10
SHORTEST_SPAN, LONGEST_SPAN = 1_000, 100_000


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
    aligned = known.aligner.align(rows)
    said.add(*paths_of(known, aligned))
    said.reported(aligned.report)


def _span(
    known: Fitted, rows: pd.DataFrame, chunk: int, settings: Settings, roles: Mapping[str, str], said: _Said
) -> Fitted:
    aligned = known.aligner.align(rows)
    signature = _shared_signature(known, aligned)
    if signature is None:
        for begin in range(0, len(rows), chunk):
            part = rows.iloc[begin : begin + chunk]
            _score(known, part, said)
            known = fitted.update(known, part, settings, roles)
        return known
    layout, batch = known.schema.layout, aligned.matrix
    names = tuple(known.schema.learned[feature].name for feature in signature)
    most = settings.max_samples
    live = LiveForest(known.sample, batch, layout, layout.columns(signature), most, settings.seed)
    seconds = seconds_in(rows, time_feature(known.schema, roles))
    latest = known.sample.latest
    for begin in range(0, len(batch), chunk):
        leaves = live.said(batch[begin : begin + chunk])
        paths = leaves.mean(axis=0, dtype=np.float64)
        said.add(paths, live.severities(paths), (names,), np.zeros(len(paths), np.int32))
        times = seconds[begin : begin + chunk]
        now = latest_of(times)
        fade = settings.fading.fade(len(paths), elapsed_between(latest, now))
        latest = later_of(latest, now)
        live.learn(leaves, fade, settings.fading.counts(times, latest))
    said.reported(aligned.report)

    def resample(before: Sample, again: Encoded) -> Sample:
        return replace(live.sample(before, again, settings.half_life), latest=latest)

    return fitted.update(known, rows, settings, roles, resample)


def _shared_signature(known: Fitted, aligned: Aligned) -> Signature | None:
    """Return the features that the batch carries when all its rows and all rows of the sample recorded them."""
    signature = tuple(np.flatnonzero(aligned.carried).tolist())
    firsts = known.schema.layout.starts[list(signature)]
    if not signature or np.isnan(aligned.matrix[:, firsts]).any() or np.isnan(known.sample.rows[:, firsts]).any():
        return None
    return signature
