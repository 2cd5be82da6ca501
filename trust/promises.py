"""All promises, found by their modules, each with a ``PROMISE``.

``p01_swaps.py`` and so on are promises, ``i01_fault_places.py`` what holds whatever comes in, ``t01_doors.py`` threats.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from trust.promise import Promise


def all_promises() -> tuple[Promise, ...]:
    """Return the promises, then what holds for inputs, then the threats, each in the order of their numbers."""
    here = Path(__file__).parent
    names = sorted(
        (path.stem for path in here.glob("*.py") if re.fullmatch(r"[pit]\d\d_\w+", path.stem)),
        key=lambda name: ("pit".index(name[0]), name),
    )
    return tuple(import_module(f"trust.{name}").PROMISE for name in names)
