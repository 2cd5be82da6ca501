"""What an entry of the log says, as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: Details that are told of an action without a sentence of its own, at most, and their length.
_TOLD, _LENGTH = 5, 60


def in_words(action: str, subject: str, details: Mapping[str, Any]) -> str:
    """Return an entry as a sentence; an action that has none of its own is told with its short details."""
    words = _WORDS.get(action)
    if words is not None:
        return words(action, subject, details)
    told = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in details.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and 0 < len(str(value)) <= _LENGTH
    ]
    beside = f" ({', '.join(told[:_TOLD])})" if told else ""
    return f"{_begun(action)}: {subject}{beside}"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _because(details: Mapping[str, Any]) -> str:
    return f" Reason: {details['reason']}." if details.get("reason") else ""


def _champion(_: str, subject: str, told: Mapping[str, Any]) -> str:
    before = f" in place of version {told['before']}" if told.get("before") else ""
    return f"{_begun(subject)} became champion{before}.{_because(told)}"


def _cutoff(_: str, __: str, told: Mapping[str, Any]) -> str:
    before = f" from {told['before']:g}" if told.get("before") is not None else ""
    after = "what each model implies" if told.get("cutoff") is None else f"{told['cutoff']:g}"
    return f"The cutoff moved{before} to {after}.{_because(told)}"


def _capacity(_: str, __: str, told: Mapping[str, Any]) -> str:
    return (
        "The team's capacity was forgotten."
        if told.get("value") is None
        else f"The team can review {told['value']:g} cases a day."
    )


def _version(action: str, subject: str, told: Mapping[str, Any]) -> str:
    parent = f" from version {told['parent']}" if told.get("parent") else ""
    how = action.removeprefix("version ")
    return f"{_begun(subject)} was {how}{parent}; {told.get('rows', 0):,} rows in all."


def _scored(_: str, subject: str, told: Mapping[str, Any]) -> str:
    return (
        f"A file of {told.get('rows', 0):,} rows was scored with version {told.get('version')} as {subject}; "
        f"{told.get('flagged', 0):,} flagged."
    )


def _exported(_: str, subject: str, told: Mapping[str, Any]) -> str:
    return f"{_begun(subject)} was taken away as {told.get('format')}, {told.get('rows', 0):,} rows."


def _trial(_: str, subject: str, told: Mapping[str, Any]) -> str:
    if told.get("mode") == "shadow":
        return f"{_begun(subject)} sees live requests in shadow."
    share, field = float(told.get("share", 0.0)), told.get("field") or "what they hold"
    return f"{_begun(subject)} answers {share:.1%} of the live requests, by {field}."


def _held(_: str, subject: str, told: Mapping[str, Any]) -> str:
    return f"{_begun(subject)} was held back and waits for a person. {' '.join(told.get('reasons', ()))}"


def _cases(action: str, subject: str, told: Mapping[str, Any]) -> str:
    did = action.removeprefix("cases ")
    outcome = f" as {told['outcome']} ({str(told.get('reason', '')).replace('_', ' ')})" if told.get("outcome") else ""
    to = f" to {told['to']}" if told.get("to") else ""
    until = f" until {str(told['until'])[:16].replace('T', ' ')} UTC" if told.get("until") else ""
    amount = f"; {told['amount']:,.2f} in total" if told.get("amount") is not None and told.get("count", 1) > 1 else ""
    return f"{_begun(subject)}: {did}{outcome}{to}{until}{amount}."


def _rule(_: str, subject: str, told: Mapping[str, Any]) -> str:
    after, before = told.get("thresholds") or {}, (told.get("before") or {}).get("thresholds") or {}
    moved = [
        f"{name.replace('_', ' ')} from {before.get(name):g} to {value:g}"
        for name, value in after.items()
        if name in before and before[name] != value
    ]
    switched = "" if told.get("enabled", True) else " and is off"
    return f"The alert {subject.replace('_', ' ')} was changed: {', '.join(moved) or 'no threshold'}{switched}."


_WORDS: dict[str, Callable[[str, str, Mapping[str, Any]], str]] = {
    "champion moved": _champion,
    "challenger moved": lambda _, subject, __: f"{_begun(subject)} challenges the champion.",
    "challenger dropped": lambda _, subject, told: (
        f"{_begun(subject)} challenges no more" + (": it was promoted." if told.get("reason") == "promoted" else ".")
    ),
    "trial started": _trial,
    "update held back": _held,
    "update dismissed": lambda _, subject, told: f"{_begun(subject)} is not wanted as champion.{_because(told)}",
    "cutoff set": _cutoff,
    "capacity set": _capacity,
    "version trained": _version,
    "version updated": _version,
    "version imported": _version,
    "update previewed": lambda _, __, told: f"An update of version {told.get('base_version')} was previewed.",
    "update accepted": lambda _, __, ___: "A previewed update was accepted.",
    "update rejected": lambda _, __, ___: "A previewed update was rejected.",
    "file received": lambda _, __, told: f"A file of {told.get('size', 0):,} bytes was received.",
    "file scored": _scored,
    "run exported": _exported,
    "evidence taken": lambda _, subject, __: f"The evidence on {subject} was taken away.",
    "log exported": lambda _, __, told: f"This log was taken away as {told.get('format')}.",
    **dict.fromkeys(
        ("cases decided", "cases escalated", "cases snoozed", "cases assigned", "cases opened again"), _cases
    ),
    "cases noted on": lambda _, subject, __: f"A note was added to {subject}.",
    "cases taken back": lambda _, subject, __: f"A change to {subject} was taken back.",
    "case taken over": lambda _, subject, told: f"{_begun(subject)} was taken over from {told.get('held_by')}.",
    "sent to the queue": lambda _, subject, told: f"{told.get('rows', 0):,} rows of {subject} went to the queue.",
    "queue closed": lambda _, subject, __: f"The cases of {subject} left the queue.",
    "learning switched on": lambda _, __, ___: "The queue learns from decisions again.",
    "learning switched off": lambda _, __, ___: "The queue learns from decisions no more.",
    "version taught": lambda _, subject, told: (
        f"{_begun(subject)} learned the decisions; it comes from version {told.get('parent')}."
    ),
    "key made": lambda _, subject, told: (
        "The dashboard made a key for its own requests."
        if told.get("own")
        else f"A key was made for {told.get('name')} ({subject.removeprefix('key ')}), role {told.get('role')}."
    ),
    "key revoked": lambda _, subject, told: (
        f"The key of {told.get('name')} ({subject.removeprefix('key ')}) was revoked.{_because(told)}"
    ),
    "job taken up": lambda _, __, told: (
        f"Work that a process left was taken up again: {str(told.get('kind', '')).replace('_', ' ')}."
    ),
    "alert acknowledged": lambda _, subject, __: f"{_begun(subject)} was acknowledged.",
    "alert snoozed": lambda _, subject, told: (
        f"{_begun(subject)} was put to sleep until {str(told.get('until'))[:16].replace('T', ' ')} UTC."
    ),
    "alert woken": lambda _, subject, __: f"{_begun(subject)} was woken.",
    "alert closed": lambda _, subject, __: f"{_begun(subject)} was closed by hand.",
    "alert rule set": _rule,
    "webhook added": lambda _, subject, told: f"{_begun(subject)} was added, at {told.get('address')}.",
    "webhook removed": lambda _, subject, __: f"{_begun(subject)} was removed.",
    "webhook tested": lambda _, subject, __: f"A test message to {subject} was asked for.",
    "message sent again": lambda _, subject, __: f"{_begun(subject)} is sent again.",
    "job submitted": lambda _, __, told: f"Work was asked for: {str(told.get('kind', '')).replace('_', ' ')}.",
    "job cancelled": lambda _, __, ___: "Work was stopped.",
}
