"""How much two columns' names are alike: case, punctuation and usual abbreviations do not count; numbers do."""

from __future__ import annotations

from difflib import SequenceMatcher

from detector.core.names import Name

#: The same name but for case, punctuation, abbreviations and the order of words; a name that is near.
SAME_NAME, NEAR_NAME = 2, 1
#: Words of fewer letters are no beginning of a longer word, and say nothing by themselves.
SHORTEST_WORD = 3
#: How alike (0-1) the letters of near names must be.
NEAR_LETTERS = 0.85

_SHORT = {
    "amount": "amt", "quantity": "qty", "number": "num no nr", "count": "cnt ct", "date": "dt", "timestamp": "ts",
    "transaction": "tx txn trx", "customer": "cust", "account": "acct acc", "merchant": "merch mcht", "message": "msg",
    "address": "addr", "country": "ctry cntry", "currency": "ccy curr cur", "category": "cat", "type": "typ",
    "average": "avg", "maximum": "max", "minimum": "min", "temperature": "temp", "pressure": "press", "voltage": "volt",
    "description": "desc", "previous": "prev", "difference": "diff", "percent": "pct", "latitude": "lat",
    "longitude": "lon lng long", "distance": "dist", "identifier": "id", "destination": "dest dst", "source": "src",
    "value": "val", "duration": "dur", "code": "cd", "year": "yr", "month": "mon mth", "second": "sec", "minute": "min",
    "hour": "hr", "index": "idx", "reference": "ref", "balance": "bal", "payment": "pmt", "device": "dev",
    "received": "recv rcvd", "standard": "std", "password": "pwd", "server": "srv",
}  # fmt: skip
#: Words that a name may gain or lose and still be near: they say little.
_FILLERS = frozenset({
    "tx", "txn", "trx", "transaction", "transactions", "value", "val", "field", "fld", "col", "column", "feature",
    "feat", "data", "new", "raw", "the", "in", "of", "code", "cd", "name", "usd", "eur", "gbp", "chf",
})  # fmt: skip
_SHORT_OF = {word: frozenset(short.split()) for word, short in _SHORT.items()}


def likeness(one: str, other: str) -> int | None:
    """Return :data:`SAME_NAME`, :data:`NEAR_NAME`, 0 for names that are not alike, or ``None`` where they tell apart.

    Names that differ in a number only, like ``V1`` and ``V2``, name different things on purpose: ``None``.

    Examples
    --------
    >>> likeness("amount_usd", "AmtUSD"), likeness("max_temp", "min_temp"), likeness("V1", "V2")
    (2, 0, None)
    """
    mine, theirs = Name(one).words, Name(other).words
    numbers, their_numbers = _numbers(mine), _numbers(theirs)
    letters, their_letters = "".join(_words(mine)), "".join(_words(theirs))
    if numbers != their_numbers:
        return None if letters == their_letters else 0
    if not letters or not their_letters:
        return 0
    if letters == their_letters or _same_words(_words(mine), _words(theirs)):
        return SAME_NAME
    return NEAR_NAME if _near(_words(mine), _words(theirs)) else 0


def _numbers(words: tuple[str, ...]) -> list[int]:
    return [int(word[:18]) for word in words if word.isdecimal()]


def _words(words: tuple[str, ...]) -> list[str]:
    return [word for word in words if not word.isdecimal()]


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if short in _SHORT_OF.get(long, ()) or short + "s" == long:
        return True
    # A beginning that is a word of its own says nothing: a count is no country.
    return len(short) > SHORTEST_WORD and short not in _SHORT_OF and long.startswith(short)


def _same_words(mine: list[str], theirs: list[str]) -> bool:
    if len(mine) != len(theirs):
        return False
    left = list(theirs)
    for word in mine:
        fitting = next((other for other in left if _same_word(word, other)), None)
        if fitting is None:
            return False
        left.remove(fitting)
    return True


def _near(mine: list[str], theirs: list[str]) -> bool:
    fewer, more = sorted((mine, theirs), key=len)
    if len(fewer) < len(more):
        gained = [other for other in more if not any(_same_word(word, other) for word in fewer)]
        return len(fewer) + len(gained) == len(more) and _FILLERS.issuperset(gained)
    one, other = "".join(mine), "".join(theirs)
    if min(len(one), len(other)) <= 2 * SHORTEST_WORD:
        return False
    # Words that are opposites differ in few letters: each must be alike, not only the whole.
    return all(
        _same_word(word, theirs[place]) or SequenceMatcher(None, word, theirs[place]).ratio() >= NEAR_LETTERS
        for place, word in enumerate(mine)
    )
