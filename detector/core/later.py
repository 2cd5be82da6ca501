"""pandas, loaded with the first table: a single record is scored without it, and loading it takes a second or so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["pd", "types"]

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api import types
else:
    from importlib import import_module

    class _Later:
        """Stands for a module until something of it is asked for."""

        def __init__(self, module: str) -> None:
            self._module = module

        def __getattr__(self, name: str) -> Any:
            found = getattr(import_module(self._module), name)
            # Kept, so that the next time is as quick as if the module stood here.
            self.__dict__[name] = found
            return found

    pd, types = _Later("pandas"), _Later("pandas.api.types")
