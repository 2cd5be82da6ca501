"""A detector as bytes and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from detector.core import archive, stored_model
from detector.core.holding import FittedEstimator
from detector.core.parameters import plain_parameters
from detector.durable import write_durably
from detector.errors import ModelFileError


class Kept(FittedEstimator):
    """The part of the detector that is written, read and pickled."""

    def to_bytes(self, *, histories: bool = True) -> bytes:
        """Return the model as the bytes of a model file; equal models give equal bytes.

        Without ``histories`` what is remembered of entities stays out, some 180 bytes each; see
        :meth:`histories_to_bytes`.
        """
        self._flush()
        parameters = plain_parameters(self.get_params(deep=False), self._seed)
        return archive.to_bytes(
            stored_model.to_content(self._fitted(), parameters, self._training(), histories=histories)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the model that :meth:`to_bytes` wrote.

        Raises
        ------
        ModelFileError
            When the bytes are damaged, foreign or of a newer format.
        """
        parameters, training, known = stored_model.from_content(archive.from_bytes(data))
        try:
            model = cls(**parameters)
            model._checked_parameters()
        except ValueError as error:
            raise ModelFileError("The model file holds a parameter that is out of range.") from error
        model._become(known)
        model._seed = training["seed"]
        model.n_features_in_ = training["n_features_in"]
        if training["feature_names_in"]:
            model.feature_names_in_ = np.asarray(training["feature_names_in"], object)
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to a file, whole or not at all."""
        write_durably(Path(path), self.to_bytes())

    def load(self, path: str | Path) -> Self:
        """Become the model in a file; returns self.

        Raises
        ------
        ModelFileError
            When there is no such file, or when it is damaged, foreign or of a newer format.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ModelFileError(f"The model file {Path(path).name!r} cannot be read.") from error
        self.__dict__ = self.from_bytes(data).__dict__
        return self

    def __getstate__(self) -> dict[str, Any]:
        if not self.is_fitted:
            return dict(self.__dict__)
        return {"model": self.to_bytes(), "parameters": self.get_params(deep=False)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model" in state:
            self.__dict__ = self.from_bytes(state["model"]).__dict__ | state["parameters"]
        else:
            self.__dict__.update(state)

    def _training(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", ())
        return {
            "seed": self._seed,
            "n_features_in": self.n_features_in_,
            "feature_names_in": [str(name) for name in names],
        }
