"""The comparison of a run as a report to pass on: one HTML file without anything from elsewhere, or JSON.

Both hold aggregates only: shares, figures, bins, names of columns. No row and no single value of one is in them, but
for names of categories; and those only where at least five rows and one in a thousand hold them, before or now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from detector.core.drift import CHANCE, DRIFTING_ABSENCE, DRIFTING_PSI, DRIFTING_UNSEEN, WATCHED
from detector.core.drift_bins import NAMED_ROWS, NAMED_SHARE
from detector.core.wording import value_text
from detector.service.drift.drift_results import ColumnDrift, RunDrift
from detector.service.drift.schema_changes import STATUS_WORDS

#: Columns whose distributions are drawn, those first whose change weighs most.
MOST_DRAWN = 40

LIMITS = (
    f"A column is drifting from a population stability index (PSI) of {DRIFTING_PSI} on, or when the share of rows"
    f" without a value has changed by {DRIFTING_ABSENCE:.0%}, or when {DRIFTING_UNSEEN:.0%} more of its values than"
    f" expected are of unknown categories. It is to be watched from {WATCHED:.0%} of each limit on. In each case only"
    f" where chance alone would do as much in fewer than one of {1 / CHANCE:,.0f} comparisons, the number of columns"
    " being allowed for. A small p-value alone is no alarm: among many rows every difference has one."
)
CONTENTS = (
    f"Aggregates only. Names of categories are told where at least {NAMED_ROWS} rows and {NAMED_SHARE:.1%} of the"
    " values have them; the others are counted together. KS: Kolmogorov-Smirnov test; χ²: chi-square test. Their"
    " p-values are approximate: they are computed from summaries of the rows."
)

_WORDS = {"calm": ("✓", "calm"), "watch": ("◆", "to watch"), "drifting": ("▲", "drifting")}
_TESTS = {"Kolmogorov-Smirnov": "KS", "chi-square": "χ²"}
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1>"""
_STYLE = """
:root{color-scheme:light dark;--text:#1c2530;--back:#fff;--soft:#5b6673;--line:#d5dae0;--was:#8a8f98;--now:#3f6fa5;
--alarm:#b8480f;--watch:#8a6100}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--back:#14191f;--soft:#a2abb6;--line:#363f49;--now:#7ea9d8;
--alarm:#f08a52;--watch:#d9a93a}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:1200px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.5rem 0 .25rem}
p{margin:.4rem 0}.soft{color:var(--soft)}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft)}.name{overflow-wrap:anywhere;min-width:7rem}
.text{overflow-wrap:anywhere;min-width:9rem}
.n{text-align:right;white-space:nowrap}
.drifting{color:var(--alarm);font-weight:600;white-space:nowrap}.watch{color:var(--watch);font-weight:600;
white-space:nowrap}.calm{white-space:nowrap}
.bars{display:grid;grid-template-columns:minmax(8rem,16rem) 1fr 4rem;gap:0 .6rem;font-size:.8rem;align-items:center}
.bars b{display:block;height:.45rem;border-radius:2px}.bars .was{background:var(--was)}.bars .now{background:var(--now)}
.bars span{overflow-wrap:anywhere}
"""


def report_json(drift: RunDrift, *, now: datetime | None = None) -> bytes:
    """Return the comparison as JSON, with the limits that were applied and what it holds."""
    told = drift.to_dict() | {"made_at": _at(now), "limits": LIMITS, "contents": CONTENTS}
    return json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False).encode("utf-8", "backslashreplace")


def report_html(drift: RunDrift, *, now: datetime | None = None) -> bytes:
    """Return the comparison as one HTML file, for light and dark; every name from the data is escaped."""
    icon, word = _WORDS[drift.state]
    compared = f"{_text(drift.against)} ({drift.against_rows:,} rows)"
    parts = [
        _HEAD.format(title=f"Schema and drift of run {drift.run}", style=_STYLE),
        f"<p>{_text(drift.name)}, {drift.rows:,} rows, scored with version {drift.version}, beside {compared}.</p>",
        f"<p class={drift.state}>{icon} {word.capitalize()}. {_text(drift.sentence)}</p>",
        _facts(drift),
        "<h2>Columns that came otherwise</h2>",
        _schema(drift),
        "<h2>How the columns have changed</h2>",
        _columns(drift.columns),
        *(_drawn(column) for column in drift.columns[:MOST_DRAWN] if column.overlay.labels),
        f"<h2>How to read this</h2><p>{_text(LIMITS)}</p><p>{_text(CONTENTS)}</p>",
        f"<p class=soft>Made {_at(now)}.</p></body></html>",
    ]
    return "\n".join(parts).encode("utf-8", "backslashreplace")


def _facts(drift: RunDrift) -> str:
    return (
        f"<p>The columns at hand carry {drift.importance_carried:.1%} of what the scores rest on. "
        f"{drift.flagged_share:.2%} of the rows are flagged; of rows like those of training it would be "
        f"{drift.expected_share:.2%}. The severities have shifted by a PSI of {drift.severity_shift:.2f}.</p>"
    )


def _schema(drift: RunDrift) -> str:
    if not drift.schema:
        return "<p>None: every column came as the version knows it.</p>"
    head = ("Column", "Change", "Training", "Now", "What the detector did", "Effect on scores", "What to do")
    rows = (
        (STATUS_WORDS[change.status], change.training, change.now, change.done, change.effect, change.advice)
        for change in drift.schema
    )
    names = (change.column for change in drift.schema)
    return _table(head, ([_cell(name, "name"), *map(_cell, row)] for name, row in zip(names, rows, strict=True)))


def _columns(columns: Sequence[ColumnDrift]) -> str:
    if not columns:
        return "<p>There are no columns to compare.</p>"
    head = ("State", "Column", "Importance", "PSI", "Jensen-Shannon", "Wasserstein", "Test", "p, adjusted",
            "No value before", "No value now", "Unknown categories", "What has changed")  # fmt: skip
    return _table(head, (_column_cells(column) for column in columns))


def _column_cells(column: ColumnDrift) -> list[str]:
    drift = column.drift
    icon, word = _WORDS[drift.state]
    tested = drift.test is not None
    return [
        f"<td class={drift.state}>{icon} {word}</td>",
        _cell(drift.name, "name"),
        _figure(f"{column.importance:.1%}"),
        _figure(f"{drift.psi:.3f}" if tested else "–"),
        _figure(f"{drift.jensen_shannon:.3f}" if tested else "–"),
        _figure("–" if drift.wasserstein is None else value_text(drift.wasserstein)),
        _figure(f"{_TESTS.get(drift.test or '', '')} {value_text(drift.statistic)}" if tested else "–"),
        _figure("–" if drift.p_adjusted is None else p_text(drift.p_adjusted)),
        _figure(f"{drift.absent_before:.1%}"),
        _figure(f"{drift.absent_now:.1%}"),
        _figure(f"{drift.unseen_share:.1%}" if drift.kind == "categorical" else "–"),
        _cell(drift.sentence, "text"),
    ]


def _drawn(column: ColumnDrift) -> str:
    overlay = column.overlay
    largest = max((*overlay.before, *overlay.now), default=0.0) or 1.0
    bars = "".join(
        f"<span>{_text(label)}</span><span><b class=was style='width:{100 * was / largest:.1f}%'></b>"
        f"<b class=now style='width:{100 * found / largest:.1f}%'></b></span>"
        f"<span class=n>{was:.1%}<br>{found:.1%}</span>"
        for label, was, found in zip(overlay.labels, overlay.before, overlay.now, strict=True)
    )
    shown = " open" if column.state != "calm" else ""
    return (
        f"<details{shown}><summary>{_text(column.name)}: {_WORDS[column.state][1]}"
        f"</summary><p class=soft>Upper bar and figure: before. Lower: now. {_figures(column)}</p>"
        f"<div class=bars>{bars}</div></details>"
    )


def _figures(column: ColumnDrift) -> str:
    told = [
        f"{name}: {_text(value_text(column.before.get(key)))}, now {_text(value_text(column.now.get(key)))}"
        for key, name in (("median", "Median"), ("distinct", "Different values"))
        if column.before.get(key) is not None and column.now.get(key) is not None
    ]
    return "; ".join(told) + ("." if told else "")


def p_text(p: float) -> str:
    """Return a p-value as people read it."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>"


def _cell(value: str, kind: str = "") -> str:
    return f'<td class="{kind}">{_text(value)}</td>' if kind else f"<td>{_text(value)}</td>"


def _figure(value: str) -> str:
    return f"<td class=n>{_text(value)}</td>"


def _text(value: str) -> str:
    """Return a text as it is to be seen: escaped, and without what would turn the rest of a line around or hide it."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value))


def _at(now: datetime | None) -> str:
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def file_name(drift: RunDrift, suffix: str) -> str:
    """Return the name under which a report is downloaded."""
    other = f"_against_run{drift.against_run}" if drift.against_run is not None else ""
    return f"drift_run{drift.run}{other}.{suffix}"
