"""What scikit-learn asks of an estimator, without its base classes: loading those takes longer than all else here."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from sklearn.utils import Tags


class OutlierEstimator:
    """Parameters that are read and set by name, and what scikit-learn's own tools want to know.

    A subclass keeps each argument of its constructor, as it was given, in an attribute of the same name
    (https://scikit-learn.org/stable/developers/develop.html).
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  # nothing is nested
        """Return the constructor's arguments by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Set some of the constructor's arguments; their values are checked by ``fit``.

        Raises
        ------
        ValueError
            When there is no such argument; none is set then.
        """
        known = self.get_params()
        for name in parameters:
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for {self}. Valid parameters are: {', '.join(known)}.")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        arguments = signature(type(self)).parameters.values()
        given = ((argument, getattr(self, argument.name)) for argument in arguments)
        told = (f"{argument.name}={value!r}" for argument, value in given if repr(value) != repr(argument.default))
        return f"{type(self).__name__}({', '.join(told)})"

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="outlier_detector",
            target_tags=TargetTags(required=False),
            input_tags=InputTags(allow_nan=True, string=True, categorical=True),
        )
