"""What changed in the columns of a run, and what follows: told column by column from its alignment report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from detector.core.wording import AS_KIND, KNOWN_GAPS, value_text

#: What a person can do about a change: let the detector learn from the file, mend what delivers it, or nothing.
Action = Literal["update", "feed", "none"]

#: From this share (0-1) of a file's rows on, categories that were never seen are worth a line of their own.
UNSEEN_SHARE = 0.01

_GRAVEST_FIRST = (
    "missing", "retyped", "unfamiliar", "renamed", "rescaled", "partly missing", "unseen categories", "new",
)  # fmt: skip

#: How each status is said of a column.
STATUS_WORDS = {
    "missing": "missing",
    "retyped": "of another type",
    "unfamiliar": "full of other categories",
    "renamed": "under another name",
    "rescaled": "in another unit",
    "partly missing": "partly missing",
    "unseen categories": "full of unknown categories",
    "new": "new to the model",
}


@dataclass(frozen=True)
class SchemaChange:
    """One column that came otherwise than the model knows it.

    Parameters
    ----------
    column : as the model calls it
    status : a status of :class:`~detector.core.report.ColumnFinding`, or ``"unseen categories"``
    training, now : what it was and what came, in words
    done : what the detector did
    effect : what that means for the scores, in words
    advice : what to do about it, in words
    action : where that is done
    importance : share (0-1) of the model's importance that the column has
    rows : how many rows it concerns
    """

    column: str
    status: str
    training: str
    now: str
    done: str
    effect: str
    advice: str
    action: Action
    importance: float
    rows: int


def schema_changes(
    report: Mapping[str, Any], importance: Mapping[str, float], carried: Collection[str]
) -> tuple[SchemaChange, ...]:
    """Return what changed, gravest first, of equally grave changes what the scores rest on most.

    Parameters
    ----------
    report : an ``AlignmentReport.to_dict()``
    importance : share (0-1) of the importance of each learned column
    carried : the learned columns that took part in the scores
    """
    rows = int(report.get("rows", 0))
    found = [
        _change(column, rows, importance.get(str(column["name"]), 0.0), str(column["name"]) in carried)
        for column in report.get("columns", ())
        if column["status"] not in ("matched", "left out")
    ]
    told = {change.column for change in found}
    found += [
        _unseen(name, count, rows, importance.get(name, 0.0))
        for name, count in (report.get("unseen") or {}).items()
        if name not in told and rows and count / rows >= UNSEEN_SHARE
    ]
    return tuple(
        sorted(found, key=lambda change: (_GRAVEST_FIRST.index(change.status), -change.importance, change.column))
    )


def changed_columns(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of each column of an alignment report that is not as learned, nor expected by now."""
    return {
        str(column["name"]): str(column["status"])
        for column in report.get("columns", ())
        if column["status"] not in ("matched", "left out") and not column.get("expected") and not _usual_gaps(column)
    }


def status_sentences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[str]:
    """Return what changed between two runs in how their columns came, a sentence each."""
    for name in sorted({*before, *now}):
        was, found = before.get(name), now.get(name)
        if was == found:
            continue
        if found is None and was == "new":
            yield f"{name} is learned by now; it was new to the model."
        elif found is None:
            yield f"{name} comes as learned again; it was {STATUS_WORDS[str(was)]}."
        else:
            yield f"{name} is {STATUS_WORDS[found]}" + (f"; it was {STATUS_WORDS[was]}." if was else ".")


def _change(column: Mapping[str, Any], rows: int, importance: float, carried: bool) -> SchemaChange:
    status, affected = str(column["status"]), int(column.get("rows_affected") or 0)
    kind, kind_found = column.get("kind"), column.get("kind_found")
    was = "not known" if kind is None else AS_KIND[kind]
    came = AS_KIND[kind_found] if kind_found else "some values" if carried else "no values"
    rests = f"{importance:.1%} of what the scores rest on"
    without = f"{rests} is not used."
    kept = f"None: {rests} is used as before."
    update, feed = "Update with this file", "Ask whoever delivers the file"
    action: Action = "update"
    if status == "missing":
        nearest = column.get("nearest")
        now, effect, action = "nothing", without, "feed"
        advice = f"{feed}. If it is gone for good, updates let the model forget it."
        if nearest:
            advice = f"Is {nearest} its new name? Then rename it in the file. Else: {feed[0].lower()}{feed[1:]}."
    elif status == "retyped" and carried:
        now, effect, advice, action = came, kept, "Nothing has to be done.", "none"
    elif status == "retyped":
        now, effect = came, without
        advice = f"If the new type is here to stay: {_small(update)}, which learns it anew. Else: {_small(feed)}."
    elif status == "unfamiliar":
        now, effect, advice = "other categories", without, f"{update}: it learns how frequent they are."
    elif status == "renamed":
        now, effect, advice = f"{came}, under the name {column.get('came_as')}", kept, f"{update}: it learns the name."
    elif status == "rescaled":
        factor = float(column.get("factor") or 1.0)
        times = f"{value_text(factor)} times as large" if factor >= 1.0 else f"{value_text(1.0 / factor)} times smaller"
        now, effect = f"{came}, {times}" if factor != 1.0 else f"{came}, in the first unit again", kept
        advice = f"If the new unit is intended: {_small(update)}, which remembers it. Else: {_small(feed)}."
    elif status == "partly missing":
        share = affected / rows if rows else 0.0
        now, action = f"{came}, in {share:.1%} of the rows nothing", "feed"
        usual = _usual_gaps(column)
        effect = "None: training had such rows too." if usual else f"{affected:,} rows are scored without it."
        advice = "Nothing has to be done." if usual else f"If that is unusual: {_small(feed)}."
        action = "none" if usual else "feed"
    else:
        now, effect, advice = came, "None yet: scores do not use it.", f"{update}: it learns the column."
    if column.get("expected"):
        advice, action = "Nothing has to be done: an update has met this before.", "none"
    return SchemaChange(
        str(column["name"]), status, was, now, str(column.get("action") or ""), effect, advice, action, importance,
        affected,
    )  # fmt: skip


def _usual_gaps(column: Mapping[str, Any]) -> bool:
    """Whether rows lack a value, and training had such rows, so that the trees know what it means."""
    return column["status"] == "partly missing" and KNOWN_GAPS in str(column.get("action"))


def _unseen(name: str, count: int, rows: int, importance: float) -> SchemaChange:
    return SchemaChange(
        name,
        "unseen categories",
        AS_KIND["categorical"],
        f"text, {count / rows:.1%} of the rows with categories never seen",
        "Each of them is scored as the rarest category there is.",
        f"{count:,} rows look more unusual than they may be, by {importance:.1%} of what the scores rest on.",
        "Update with this file: it learns how frequent they are.",
        "update",
        importance,
        count,
    )


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
