"""The errors of this package.

Every error carries a stable ``code`` for programs, a sentence for people, and ``details`` that hold only plain values.

::

    DetectorError
    ├── NotTrainedError        no model yet; also scikit-learn's NotFittedError where that is loaded
    ├── InputError             a file, a frame or a record cannot be used; names row and column
    │   ├── UnusableFileError  the file as a whole: empty, unreadable, of another format
    │   └── NoKnownColumnsError none of the model's columns is in the rows
    ├── ModelFileError         a model file is not what it says it is
    │   └── ModelStoreError    where the model files are cannot be reached or used
    ├── NotFoundError          a version, run, job or upload that does not exist
    ├── ConflictError          somebody else was first
    ├── ForbiddenError         the role of who asks does not include this
    └── Cancelled              a person stopped the work
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

#: How many single problems an error lists; the total is always told.
PROBLEMS_SHOWN = 100
#: How many characters of a user's value an error repeats.
EXCERPT_LENGTH = 64
#: Among more names than this none is looked for by likeness.
NAMES_COMPARED = 200


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the input.

    ``row`` counts data rows from 1, ``line`` counts lines of the file from 1 (``None`` where a format has none),
    ``excerpt`` is the offending value, shortened and with control characters escaped.
    """

    code: str
    message: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    excerpt: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as plain values."""
        return asdict(self)


class DetectorError(Exception):
    """Base of all errors that this package raises on purpose."""

    code = "detector_error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details

    def to_dict(self) -> dict[str, Any]:
        """Return code, message and details as plain values."""
        return {"code": self.code, "message": self.message, "details": self.details}


class NotTrainedError(DetectorError, ValueError, AttributeError):
    """No model has been trained yet; also scikit-learn's ``NotFittedError`` in a process that has loaded that."""

    code = "not_trained"

    def __new__(cls, *arguments: Any, **details: Any) -> NotTrainedError:  # noqa: D102  # what the class says
        # Who is to catch scikit-learn's error has loaded it; loading it here would cost everybody a second.
        kind = _also_scikit_learns() if "sklearn.exceptions" in sys.modules else cls
        return super().__new__(kind, *arguments, **details)

    def __reduce__(self) -> tuple[Any, ...]:
        return NotTrainedError, self.args, self.__dict__


@cache
def _also_scikit_learns() -> type[NotTrainedError]:
    from sklearn.exceptions import NotFittedError

    return type("NotTrainedError", (NotTrainedError, NotFittedError), {"__module__": __name__})


class InputError(DetectorError, ValueError):
    """The input cannot be used; ``problems`` says where (the first 100), ``total`` how many there are."""

    code = "bad_input"

    def __init__(
        self,
        message: str,
        problems: Iterable[Problem] = (),
        total: int | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        found = tuple(problems)
        self.problems = found[:PROBLEMS_SHOWN]
        self.total = len(found) if total is None else total

    def to_dict(self) -> dict[str, Any]:
        """Return code, message, details and problems as plain values."""
        return super().to_dict() | {
            "problems": [problem.to_dict() for problem in self.problems],
            "total": self.total,
        }


class UnusableFileError(InputError):
    """The file as a whole cannot be read."""

    code = "unusable_file"


class NoKnownColumnsError(InputError):
    """The rows carry none of the columns that the model has learned."""

    code = "no_known_columns"


class ModelFileError(DetectorError, ValueError):
    """A model file is damaged, foreign or of a newer format."""

    code = "bad_model_file"


class ModelStoreError(ModelFileError):
    """The model store does not answer, refuses, or cannot be used as it is set; trying again may help."""

    code = "model_store"


class NotFoundError(DetectorError, LookupError):
    """The thing asked for does not exist."""

    code = "not_found"


class ConflictError(DetectorError):
    """The state has changed since it was read; nothing was written."""

    code = "conflict"


class ForbiddenError(DetectorError):
    """Who asks may not do this; nothing was changed."""

    code = "forbidden"


class Cancelled(DetectorError):  # noqa: N818  # not a fault: somebody asked for it
    """The work was stopped because a person asked for it."""

    code = "cancelled"


def excerpt(value: object) -> str:
    """Return ``value`` as at most 64 characters of printable text."""
    # Python refuses to write more than 4,300 digits.
    text = hex(value) if isinstance(value, int) and value.bit_length() > 8_192 else str(value)
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: EXCERPT_LENGTH + 1]
    )
    return shown if len(shown) <= EXCERPT_LENGTH else shown[: EXCERPT_LENGTH - 1] + "…"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the name in ``known`` that is most like ``name``, or ``None`` when nothing is near.

    Among more than 200 names only one that differs in nothing but case and punctuation counts as near: comparing
    thousands of names with each other would take minutes.
    """
    folded: Mapping[str, str] = {_fold(other): other for other in known}
    wanted = _fold(name)
    if not wanted or wanted in folded or len(folded) > NAMES_COMPARED:
        return folded.get(wanted) if wanted else None
    matches = get_close_matches(wanted, folded, n=1, cutoff=0.75)
    return folded[matches[0]] if matches else None


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
