"""The name of a case: which row of which run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from detector.errors import InputError

_is_case_id = re.compile(r"([0-9]{1,9})-([0-9]{1,12})", re.ASCII).fullmatch


@dataclass(frozen=True, order=True)
class CaseId:
    """A case: ``row`` (the data row, from 1) of ``run``; as text ``4-1523``."""

    run: int
    row: int

    def __str__(self) -> str:
        return f"{self.run}-{self.row}"

    @classmethod
    def parse(cls, text: str) -> CaseId:
        """Return the case that a text names.

        Raises
        ------
        InputError
            When it names none.
        """
        found = _is_case_id(text.strip())
        if found is None:
            raise InputError(f"A case is named by its run and its row, such as 4-1523, not {text[:40]!r}.")
        return cls(int(found[1]), int(found[2]))
