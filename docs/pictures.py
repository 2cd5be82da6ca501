"""The pictures of how-it-works.md, drawn from the detector itself: the same code, the same bytes.

python docs/pictures.py
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from detector import DynamicAnomalyDetector  # noqa: E402
from detector.core import fitted, sample  # noqa: E402
from detector.core.forest import Forest, score_from_path  # noqa: E402
from detector.core.parameters import settings_for  # noqa: E402
from detector.core.views import View  # noqa: E402
from docs.drawing import BLUE, GREEN, INK, ORANGE, PAPER, PURPLE, RULE, SOFT, Drawing  # noqa: E402

COLUMNS = {"age": BLUE, "amount": ORANGE, "distance": GREEN, "items": PURPLE}


def payments(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return four columns of made-up payments."""
    random = np.random.default_rng(seed)
    amount = random.gamma(2.0, 20.0, rows)
    return pd.DataFrame(
        {
            "amount": amount,
            "distance": random.gamma(1.5, 10.0, rows) + 0.1 * amount,
            "age": random.normal(45.0, 12.0, rows),
            "items": random.poisson(1.0 + amount / 20.0).astype(float) + random.normal(0.0, 0.1, rows),
        }
    )


def views(*signatures: tuple[str, ...]) -> tuple[list[View], list[str]]:
    """Return the view of each set of columns, and the columns that encoded ones come from."""
    rows = payments(2_000)
    known = fitted.fit(rows, settings_for(DynamicAnomalyDetector().get_params(), len(rows), 42), {})
    learned = known.schema.learned
    places = [tuple(place for place, one in enumerate(learned) if one.name in names) for names in signatures]
    return [known.views.get(signature) for signature in places], [one.name for one in learned for _ in one.parts]


def two_forests() -> str:
    """Draw the first levels of the same three trees in two views."""
    (full, less), names = views(tuple(COLUMNS), ("age", "amount", "items"))
    picture = Drawing(860, 520, "Two forests, for two sets of columns, grown from the same bags")
    picture.text(430, 34, "One model: bags of rows, and a seed for each tree", anchor="middle", size=16, bold=True)
    picture.text(24, 94, "The view of rows that carry all four columns", bold=True)
    picture.text(24, 284, "The view of rows that came without distance", bold=True)
    for tree in range(3):
        picture.text(152 + 275 * tree, 64, f"bag {tree + 1}, seed {tree + 1}", anchor="middle", color=SOFT)
        above = _asked(full.forest, tree, names)
        _tree(picture, above, above, 30 + 275 * tree, 120)
        _tree(picture, _asked(less.forest, tree, names), above, 30 + 275 * tree, 310)
    picture.text(24, 474, "A dot is a split; its colour is the column it asks:", color=SOFT)
    for place, (name, color) in enumerate(COLUMNS.items()):
        picture.dot(378 + 110 * place, 469, 7, color)
        picture.text(391 + 110 * place, 474, name)
    picture.text(24, 500, "A ring: it asks another column than the same place above does.", color=SOFT)
    return picture.svg()


def _asked(forest: Forest, tree: int, names: list[str], levels: int = 4) -> list[str]:
    """Return the column that each node of the first levels asks; nothing where there is no split."""
    places = range(2**levels - 1)
    return [names[forest.split_column[tree, i]] if np.isfinite(forest.threshold[tree, i]) else "" for i in places]


def _tree(picture: Drawing, asked: list[str], above: list[str], left: float, top: float) -> None:
    levels, width, step = 4, 245.0, 38.0
    places = [
        (left + width * (node - 2**level + 1.5) / 2**level, top + step * level)
        for level in range(levels)
        for node in range(2**level - 1, 2 ** (level + 1) - 1)
    ]
    for node in range(1, len(places)):
        if asked[(node - 1) // 2]:
            picture.line([places[(node - 1) // 2], places[node]], RULE)
    for node, (x, y) in enumerate(places):
        if asked[node]:
            picture.dot(x, y, 8, COLUMNS[asked[node]], "none" if asked[node] == above[node] else INK)
        elif asked[(node - 1) // 2]:
            picture.dot(x, y, 3, RULE)


def severities() -> str:
    """Draw how the scores of calibration rows become severities, in two views."""
    score = 0.58
    picture = Drawing(860, 500, "How the scores of calibration rows become severities")
    edges = np.linspace(0.44, 0.72, 113)
    left, wide, high = 30.0, 800.0, 120.0
    found, _ = views(tuple(COLUMNS), ("age", "items"))

    def across(value: float) -> float:
        return left + wide * (value - edges[0]) / (edges[-1] - edges[0])

    picture.text(
        left, 34, "Scores of 2,000 calibration rows, each by the trees that did not see it", bold=True, size=16
    )
    for view, title, bottom in zip(found, ("all four columns", "age and items alone"), (215.0, 400.0), strict=True):
        scores = score_from_path(view.paths)
        cutoff = float(np.quantile(scores, 0.9))
        counts, _ = np.histogram(scores, edges)
        picture.text(left, bottom - 125, "View of", color=SOFT)
        picture.text(left, bottom - 106, title, bold=True)
        for count, begin, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            height = high * count / counts.max()
            color = ORANGE if begin >= cutoff - 0.00125 else "#9fb3c8"
            if count:
                picture.box(across(begin) + 0.5, bottom - height, across(end) - across(begin) - 1.0, height, color)
        picture.line([(left, bottom), (left + wide, bottom)], INK)
        for value in (0.45, 0.5, 0.55, 0.6, 0.65, 0.7):
            picture.text(across(value), bottom + 18, f"{value:.2f}", anchor="middle", color=SOFT, size=13)
        of_score = float(view.severities(np.array([-np.log2(score)]))[0])
        picture.line([(across(score), bottom), (across(score), bottom - 130)], INK, 2, "5 4")
        picture.text(
            across(score) + 10, bottom - 120, f"a score of {score:.2f} is a severity of {of_score:.1f}", bold=True
        )
        picture.text(
            across(score) + 10, bottom - 99, f"a tenth of the rows lies above {cutoff:.3f}: severity 90", color=ORANGE
        )
    picture.text(left + wide / 2, 442, "anomaly score", anchor="middle", color=SOFT)
    picture.text(left, 478, "Severity: the percentage of a view's calibration rows that are more ordinary.", color=SOFT)
    return picture.svg()


def flagged_shares() -> list[tuple[float, float, float]]:
    """Return (share of columns gone, share flagged by the detector, the same with median imputation), measured."""
    columns, draws = 20, 5
    random = np.random.default_rng(1)
    mixing = random.normal(size=(columns, 6))
    values = random.normal(size=(4_000, 6)) @ mixing.T + random.normal(size=(4_000, columns))
    values[:, ::4] = np.exp(values[:, ::4] / 2.0)
    names = [f"c{number}" for number in range(columns)]
    train, test = values[:2_000], values[2_000:]
    roles = dict.fromkeys(names, "input")
    ours = DynamicAnomalyDetector(contamination=0.1, random_state=0, roles=roles).fit(
        pd.DataFrame(train, columns=names)
    )
    plain = IsolationForest(contamination=0.1, random_state=0).fit(train)
    found = []
    for gone in range(0, 17, 2):
        mine, theirs = [], []
        for _ in range(draws):
            lost = random.permutation(columns)[:gone]
            filled = test.copy()
            filled[:, lost] = np.median(train, axis=0)[lost]
            theirs.append(float((plain.predict(filled) == -1).mean()))
            left = [name for place, name in enumerate(names) if place not in lost]
            mine.append(ours.score(pd.DataFrame(test, columns=names)[left]).flagged_share)
        found.append((gone / columns, float(np.mean(mine)), float(np.mean(theirs))))
    return found


def flagged() -> str:
    """Draw the flagged share against the share of columns gone."""
    shares = flagged_shares()
    left, bottom, wide, high, most = 70.0, 320.0, 560.0, 250.0, 0.14
    picture = Drawing(860, 390, "Flagged share against the share of columns that are gone")

    def at(gone: float, share: float) -> tuple[float, float]:
        return left + wide * gone / 0.8, bottom - high * share / most

    picture.text(24, 34, "Share of fresh rows flagged where 10% were asked for", bold=True, size=16)
    for share in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14):
        picture.line([at(0.0, share), at(0.8, share)], INK if share == 0.0 else "#e4e7eb", 1)
        picture.text(left - 10, at(0.0, share)[1] + 5, f"{share:.0%}", anchor="end", color=SOFT, size=13)
    picture.line([at(0.0, 0.1), at(0.8, 0.1)], SOFT, 1.5, "5 4")
    for gone in (0.0, 0.2, 0.4, 0.6, 0.8):
        picture.text(at(gone, 0.0)[0], bottom + 20, f"{gone:.0%}", anchor="middle", color=SOFT, size=13)
    picture.text(left + wide / 2, bottom + 46, "columns gone at scoring time", anchor="middle", color=SOFT)
    for series, (name, second, color) in enumerate(
        (("this detector:", "a view for the rest", BLUE), ("plain forest:", "medians filled in", ORANGE)), start=1
    ):
        points = [at(row[0], row[series]) for row in shares]
        picture.line(points, color, 3)
        for x, y in points:
            picture.dot(x, y, 4, color)
        picture.text(points[-1][0] + 16, points[-1][1] - 4, f"{name} {shares[-1][series]:.1%}", color=color, bold=True)
        picture.text(points[-1][0] + 16, points[-1][1] + 14, second, color=color)
    return picture.svg()


def ages() -> tuple[list[int], np.ndarray]:
    """Return rows since training, and what share of the bags comes from the training and each half-life since."""
    half_life, batch, seed = 5_000, 500, 0
    used, held = sample.draw(half_life, 1, 100, 256, seed)
    held = replace(held, rows=np.zeros((len(used), 1), np.float32))
    since, shares = [], []
    for number in range(4 * half_life // batch + 1):
        born = held.numbers[held.bags] - half_life
        era = np.where(born < 0, 0, 1 + born // half_life)
        since.append(number * batch)
        shares.append(np.bincount(era.ravel().astype(np.int64), minlength=5)[:5] / era.size)
        held = sample.updated(held, np.zeros((batch, 1), np.float32), 256, float(half_life), seed)
    return since, np.array(shares)


def reservoir() -> str:
    """Draw of which age the rows of the bags are, while new rows come."""
    since, shares = ages()
    left, bottom, wide, high = 70.0, 320.0, 530.0, 250.0
    picture = Drawing(860, 390, "What share of the bags is how old, while new rows come")
    picture.text(24, 34, "What the bags hold while 20,000 rows come; the half-life is 5,000 rows", bold=True, size=16)
    edges = np.concatenate([np.zeros((len(since), 1)), np.cumsum(shares, axis=1)], axis=1)

    def at(rows: float, share: float) -> tuple[float, float]:
        return left + wide * rows / since[-1], bottom - high * share

    last = bottom + 20.0
    colors = ("#7b8794", "#bee3f8", "#90cdf4", "#63b3ed", "#3182ce")
    for era, color in enumerate(colors):
        lower = [at(rows, edges[place, era]) for place, rows in enumerate(since)]
        upper = [at(rows, edges[place, era + 1]) for place, rows in enumerate(since)]
        picture.area([*lower, *reversed(upper)], color, PAPER)
        last = min(at(since[-1], (edges[-1, era] + edges[-1, era + 1]) / 2)[1] + 5, last - 17)
        name = "from the training" if era == 0 else f"from rows {5 * era - 5},000 to {5 * era},000"
        picture.text(left + wide + 14, last, f"{shares[-1, era]:.0%} {name.replace(' 0,000', ' 0')}", size=13)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        picture.text(left - 10, at(0, share)[1] + 5, f"{share:.0%}", anchor="end", color=SOFT, size=13)
    for rows in (0, 5_000, 10_000, 15_000, 20_000):
        picture.line([at(rows, 0.0), (at(rows, 0.0)[0], bottom + 5)], SOFT, 1)
        picture.text(at(rows, 0)[0], bottom + 22, f"{rows:,}", anchor="middle", color=SOFT, size=13)
    picture.text(left + wide / 2, bottom + 46, "rows since the training", anchor="middle", color=SOFT)
    return picture.svg()


#: What is drawn, by the file that holds it.
PICTURES = {
    "two-forests.svg": two_forests, "severities.svg": severities, "flagged.svg": flagged, "reservoir.svg": reservoir,
}  # fmt: skip


def main(folder: Path = HERE / "pictures") -> None:
    """Draw all pictures into a folder."""
    folder.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (folder / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
