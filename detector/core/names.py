"""What the words of a column's name say about it; the rules of :mod:`detector.core.inference` ask here."""

from __future__ import annotations

import re

_OUTCOME = {"fraud", "isfraud", "fraudulent", "chargeback", "anomaly", "outlier", "flagged"}
# A name with one of these tells of a figure about outcomes: a fraud score, the count of earlier chargebacks.
_MEASURE = {
    "score", "prob", "probability", "risk", "rate", "ratio", "count", "counts", "number", "num", "n", "days", "hours",
    "age", "amount", "amt", "history", "prev", "previous", "prior", "past", "last",
}  # fmt: skip
_ID = {"id", "uuid", "guid", "key", "hash", "token", "number", "num", "no", "nr", "ref", "reference", "index"}
_NUMBERING = {"id", "uuid", "guid", "hash", "number", "num", "no", "nr"}
_CODE = {"id", "code", "cd", "no", "nr", "zip", "zipcode", "postcode", "postal", "mcc", "bin"}
_WHOM = {
    "customer", "cust", "card", "account", "acct", "user", "client", "member", "cardholder", "holder", "iban", "pan",
    "phone", "email", "device", "ssn", "imei", "sender", "receiver", "payer", "payee",
}  # fmt: skip
_SIDE = {"orig", "origin", "dest", "destination"}
_AMOUNT = {"amount", "amt", "price", "total", "sum"}
_TRADE = {"purchase", "transaction", "order", "payment", "sale"}
_CLOCK = {"unix", "epoch", "timestamp"}
_COUNTER = _CLOCK | {"step", "time", "seconds", "days", "seq", "sequence", "index", "row"}
_BIRTH = {"dob", "birth", "birthday", "birthdate", "born"}
_TOLD_BY_VALUES = _OUTCOME | _ID | _CODE | _WHOM | {"class", "target", "label", "labels", "ip"}


class Name:
    """The words of a column's name: ``"TX_cardId"`` has tx, card and id.

    Attributes
    ----------
    words : tuple of str, in lower case.
    """

    def __init__(self, name: str) -> None:
        self.words = tuple(word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name))
        self._set = frozenset(self.words)
        self._last = self.words[-1] if self.words else ""

    @property
    def asks_for_values(self) -> bool:
        """Whether a rule about this name looks at how many different values there are."""
        return not self._set.isdisjoint(_TOLD_BY_VALUES)

    @property
    def most_outcomes(self) -> int:
        """How many different values an outcome of this name can have; 0 when it names none."""
        if self.words in (("class",), ("target",)):
            return 2
        named = not self._set.isdisjoint(_OUTCOME) or self._last in ("label", "labels")
        return 10 if named and self._set.isdisjoint(_MEASURE) else 0

    @property
    def whom(self) -> bool:
        """Whether it names a person, an account or a machine: customer, card1, nameOrig, ip_address."""
        numbered = len(self.words) > 1 and self._last.isdecimal()
        last = self.words[-2] if numbered else self._last
        return last in _WHOM or self.address or ("name" in self._set and not self._set.isdisjoint(_SIDE))

    @property
    def address(self) -> bool:
        """Whether it names a network address."""
        return "ip" in self.words[-2:]

    @property
    def identifier(self) -> bool:
        """Whether it names something that tells rows, people or things apart."""
        return self.whom or self._last in _ID

    @property
    def numbering(self) -> bool:
        """Whether it names a number under which something is kept: an id, a card number; not an index or a key."""
        return self.whom or self._last in _NUMBERING

    @property
    def code(self) -> bool:
        """Whether it names numbers that are not quantities: an id, a postcode, a merchant category code."""
        return self.whom or self._last in _CODE

    @property
    def amount(self) -> bool:
        """Whether it names what was paid."""
        return not self._set.isdisjoint(_AMOUNT) or (self._last == "value" and not self._set.isdisjoint(_TRADE))

    @property
    def clock(self) -> bool:
        """Whether it names the seconds of a clock."""
        return not self._set.isdisjoint(_CLOCK)

    @property
    def counter(self) -> bool:
        """Whether it names what only grows: a step, a sequence, the time since a start."""
        return not self._set.isdisjoint(_COUNTER)

    @property
    def birth(self) -> bool:
        """Whether it names a date of birth."""
        return not self._set.isdisjoint(_BIRTH)
