"""What most systems do: one forest, trained once; what is missing is filled with the median, what is new is dropped."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from sklearn.ensemble import IsolationForest

#: A text with more values than this identifies rows rather than describing them, and is left out.
MOST_CATEGORIES = 50


class PlainForest:
    """scikit-learn's ``IsolationForest``, trained on its first file and never again.

    Numbers go in as they are, categories as their share of the first file's rows. A column that later files lack, or a
    value that cannot be read, becomes the first file's median.

    Parameters
    ----------
    frame
        The rows it is trained on.
    label
        The column that is not shown to it.
    contamination
        The share (0-0.5) of ``frame`` that it flags.
    """

    def __init__(self, frame: pd.DataFrame, *, label: str, contamination: float, random_state: int = 42) -> None:
        inputs = frame.drop(columns=label)
        self._shares = {
            name: column.value_counts(normalize=True)
            for name, column in inputs.items()
            if not types.is_numeric_dtype(column.dtype) and column.nunique() <= MOST_CATEGORIES
        }
        self._columns = [name for name in inputs if types.is_numeric_dtype(inputs[name].dtype) or name in self._shares]
        matrix = self._matrix(frame)
        self._medians = matrix.median()
        self._forest = IsolationForest(contamination=contamination, random_state=random_state)
        self._forest.fit(matrix.fillna(self._medians))

    def flags(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Return, for each row, whether the forest flags it; shape (n,)."""
        flagged: NDArray[np.bool_] = self._forest.predict(self._matrix(frame).fillna(self._medians)) == -1
        return flagged

    def _matrix(self, frame: pd.DataFrame) -> pd.DataFrame:
        known = frame.reindex(columns=self._columns)
        for name in self._columns:
            if name in self._shares:
                known[name] = known[name].map(self._shares[name])
            else:
                known[name] = pd.to_numeric(known[name], errors="coerce")
        return known.astype(float)
