"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit


def compiled(*signatures: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function on import, to code that is kept on disk and lets other threads run."""
    compiler = njit(list(signatures), nogil=True, cache=True, boundscheck=False)
    return cast("Callable[[Callable[..., Any]], Callable[..., Any]]", compiler)
