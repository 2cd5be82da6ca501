"""All promises, found by their modules: ``trust/p01_swaps.py`` and so on, each with a ``PROMISE``."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from trust.promise import Promise


def all_promises() -> tuple[Promise, ...]:
    """Return the promises in the order of their modules' names."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("*.py") if re.fullmatch(r"[pt]\d\d_\w+", path.stem))
    return tuple(import_module(f"trust.{name}").PROMISE for name in names)
