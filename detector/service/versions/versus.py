"""Champion beside challenger: both score the same rows, and what people decided tells who would have caught what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select

from detector.core.alignment import AlignmentReport
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError
from detector.service.cutoff.judged import Decided, decided_rows
from detector.service.histogram import Histogram
from detector.service.progress import Progress, no_progress
from detector.service.runs import Run, get_run, run_path
from detector.service.tally import require_known
from detector.service.versions.agreement import Agreement
from detector.service.versions.beside import with_the_same_past
from detector.service.versions.challenging import cutoff_as_champion
from detector.service.versions.comparing import rank_correlation
from detector.service.workspace import Workspace
from detector.store import run_files, tables

#: The kind of job that compares.
COMPARE: Literal["compare_versions"] = "compare_versions"
#: Most rows that are compared, besides the decided ones.
MOST_ROWS = 200_000
#: Rows of largest disagreement that are kept: first those that only one version flags.
DISAGREEMENTS = 20
#: Jobs among which a comparison is looked for.
_LOOKED_BACK = 50


@dataclass(frozen=True)
class Side:
    """One version on the compared rows: its cutoff as champion, the rows above it, all rows by severity."""

    version: int
    cutoff: float
    flagged: int
    histogram: Histogram


@dataclass(frozen=True)
class Disagreement:
    """A row (counted from 1) on which the two differ much: both severities, and what was decided of it."""

    row: int
    champion: float
    challenger: float
    outcome: str | None


@dataclass(frozen=True)
class Versus:
    """Two versions on the same rows of a run.

    ``rows`` are the run's, ``compared`` those that were scored anew by both: all, or an even random sample. ``frauds``
    and ``legitimate`` count decided rows, all of them, whether sampled or not; ``money``: the amounts of decided frauds
    above the champion's cutoff, above the challenger's, and in all. ``correlation``: Spearman's, of the scores.
    """

    run_id: int
    name: str
    rows: int
    compared: int
    champion: Side
    challenger: Side
    correlation: float
    agreement: Agreement
    frauds: Agreement
    legitimate: Agreement
    money: tuple[float, float, float]
    disagreements: tuple[Disagreement, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Versus:
        """Return the comparison that :meth:`to_dict` wrote."""
        sides = {
            name: Side(**value[name] | {"histogram": Histogram.from_dict(value[name]["histogram"])})
            for name in ("champion", "challenger")
        }
        counted = {name: Agreement(**value[name]) for name in ("agreement", "frauds", "legitimate")}
        found = tuple(Disagreement(**one) for one in value["disagreements"])
        caught, would, of = value["money"]
        return cls(**{**value, **sides, **counted, "disagreements": found, "money": (caught, would, of)})


def compare_versions(
    ws: Workspace, run_id: int, champion: int, challenger: int, *, progress: Progress = no_progress
) -> Versus:
    """Score a run's rows with two versions in one pass, each at the cutoff that it has as champion.

    Rows are those of the file as they were kept. Where both follow the same entities, both see the same past.

    Raises
    ------
    NotFoundError
        When the run, its rows or a version is gone.
    NoKnownColumnsError
        When the rows carry too little of what a version knows.
    InputError
        When the run has no rows, or both versions are the same.
    Cancelled
        When ``progress`` raised it; nothing is kept then.
    """
    run = get_run(ws, run_id)
    if champion == challenger:
        raise InputError("A version is compared with another one, not with itself.", version=champion)
    if not run.rows:
        raise InputError("The run has no rows to compare on.", run=run_id)
    decided = {one.row: one for one in decided_rows(ws, run)}
    sampled = _sampled(run)
    old = ws.detector(champion)
    ours, theirs = _Follower(ws, old), _Follower(ws, with_the_same_past(ws.detector(challenger), old))
    names = run_files.file_names(run.columns)
    found, done = [], 0
    told = f"Scoring {run.name} with versions {champion} and {challenger}"
    progress(0, run.rows, told)
    wanted = np.array(sorted({*sampled.tolist(), *decided}), np.int64)
    for batch in run_files.batches(run_path(ws, run_id), ws.settings.batch_rows):
        frame = batch[list(run.columns)].rename(columns=names)
        rows = wanted[(wanted > done) & (wanted <= done + len(frame))]
        found.append(pd.concat([one.score(frame, rows - done - 1) for one in (ours, theirs)], axis=1).assign(row=rows))
        done += len(frame)
        progress(done, run.rows, told)
    scored = pd.concat(found, ignore_index=True)
    scored.columns = pd.Index(["score_1", "severity_1", "score_2", "severity_2", "row"])
    cutoffs = cutoff_as_champion(ws, champion), cutoff_as_champion(ws, challenger)
    return _versus(run, (champion, challenger), cutoffs, scored, set(sampled.tolist()), decided)


def latest_comparison(ws: Workspace, champion: int, challenger: int) -> Versus | None:
    """Return the newest finished comparison of these two versions, or ``None``."""
    job = tables.jobs.c
    query = select(job.result).where(job.kind == COMPARE, job.state == "done").order_by(job.number.desc())
    with ws.database.read() as connection:
        results = connection.scalars(query.limit(_LOOKED_BACK)).all()
    for result in results:
        if (result["champion"]["version"], result["challenger"]["version"]) == (champion, challenger):
            return Versus.from_dict(result)
    return None


class _Follower:
    """One version that goes through a file in pieces, and scores chosen rows of each."""

    def __init__(self, ws: Workspace, detector: DynamicAnomalyDetector) -> None:
        self._detector = detector.follower()
        self._least = ws.settings.min_importance
        self._report: AlignmentReport | None = None

    def score(self, frame: pd.DataFrame, places: NDArray[np.int64]) -> pd.DataFrame:
        # Every row passes by its entity's history; only the chosen ones go through the forest.
        chosen = self._detector.beside(frame, self._report).iloc[places]
        if not len(chosen):
            return pd.DataFrame({"score": np.empty(0), "severity": np.empty(0)})
        result = self._detector.score(chosen, after=self._report)
        if self._report is None:
            require_known(result.report, self._least)
        self._report = result.report if self._report is None else self._report.merged(result.report)
        return pd.DataFrame({"score": result.scores, "severity": result.severities})


def _sampled(run: Run) -> NDArray[np.int64]:
    """Return the numbers of the rows to compare on, ascending; the same for the same run each time."""
    every = np.arange(1, run.rows + 1, dtype=np.int64)
    if run.rows <= MOST_ROWS:
        return every
    return np.sort(np.random.default_rng(run.id).choice(every, MOST_ROWS, replace=False))


def _versus(
    run: Run,
    versions: tuple[int, int],
    cutoffs: tuple[float, float],
    scored: pd.DataFrame,
    sampled: set[int],
    decided: Mapping[int, Decided],
) -> Versus:
    outcomes = scored["row"].map({row: one.outcome for row, one in decided.items()})
    flags = [(scored[f"severity_{i}"] > cutoffs[i - 1]).to_numpy() for i in (1, 2)]
    evenly = scored["row"].isin(sampled).to_numpy()
    sample = scored[evenly]
    sides = [
        Side(
            versions[i],
            cutoffs[i],
            int(flags[i][evenly].sum()),
            Histogram.of(sample[f"severity_{i + 1}"].to_numpy()),
        )
        for i in (0, 1)
    ]
    frauds, legitimate = (outcomes == "fraud").to_numpy(), (outcomes == "legitimate").to_numpy()
    amounts = scored["row"].map({row: one.amount or 0.0 for row, one in decided.items()}).fillna(0.0).to_numpy(float)
    differ = pd.DataFrame(
        {"flag": (flags[0] != flags[1])[evenly], "by": (sample["severity_1"] - sample["severity_2"]).abs()}
    )
    worst = differ.sort_values(["flag", "by"], ascending=False, kind="stable")
    return Versus(
        run_id=run.id,
        name=run.name,
        rows=run.rows,
        compared=len(sample),
        champion=sides[0],
        challenger=sides[1],
        correlation=rank_correlation(sample["score_1"].to_numpy(), sample["score_2"].to_numpy()),
        agreement=Agreement.of(flags[0][evenly], flags[1][evenly]),
        frauds=Agreement.of(flags[0][frauds], flags[1][frauds]),
        legitimate=Agreement.of(flags[0][legitimate], flags[1][legitimate]),
        money=(
            float(amounts[frauds & flags[0]].sum()),
            float(amounts[frauds & flags[1]].sum()),
            float(amounts[frauds].sum()),
        ),
        disagreements=tuple(
            Disagreement(
                int(scored.loc[place, "row"]),
                float(scored.loc[place, "severity_1"]),
                float(scored.loc[place, "severity_2"]),
                None if pd.isna(outcomes.loc[place]) else str(outcomes.loc[place]),
            )
            for place in worst.index[:DISAGREEMENTS]
        ),
    )
