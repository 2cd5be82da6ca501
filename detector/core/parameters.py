"""The estimator's parameters: which values they may have, and what learning needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, get_args

import numpy as np

from detector.core.fading import HalfLife, half_life_of, plain_half_life
from detector.core.fitted import Settings
from detector.core.schema import ROLES
from detector.core.statistics import ScalerType

#: What ``max_samples="auto"`` stands for, as in Liu et al. 2008.
AUTO_SAMPLES = 256
#: A tree of more rows would be deeper than isolation needs.
MOST_SAMPLES = 16_384


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that are out of range.

    Parameters
    ----------
    parameters : the constructor's arguments by name, all but ``random_state``.

    Raises
    ------
    ValueError
        Names the parameter and says what it may be.
    """
    contamination, half_life, roles = parameters["contamination"], parameters["half_life"], parameters["roles"]
    _check(_is_real(contamination) and 0.0 < contamination <= 0.5, "contamination", "a number in (0, 0.5]")
    trees = parameters["n_estimators"]
    _check(_is_whole(trees) and trees >= 1, "n_estimators", "a whole number of at least 1")
    samples_fit = f"'auto', a whole number from 2 to {MOST_SAMPLES:,}, or a share in (0, 1]"
    _check(_are_samples(parameters["max_samples"]), "max_samples", samples_fit)
    scalers = (*get_args(ScalerType), None)
    scaler = parameters["scaler_type"]
    _check(scaler is None or (isinstance(scaler, str) and scaler in scalers), "scaler_type", f"one of {scalers}")
    half_lives = "a number of rows above 0, or a time above 0 such as '7d' or '12h'"
    _check(half_life_of(half_life) is not None, "half_life", half_lives)
    _check(roles is None or isinstance(roles, Mapping), "roles", "a dictionary from columns to roles, or None")
    for name, role in (roles or {}).items():
        fits = isinstance(role, str) and role in ROLES
        _check(fits, "roles", f"a dictionary from columns to {', '.join(ROLES)}; {name!r} has {role!r}")


def settings_for(parameters: Mapping[str, Any], rows: int, seed: int) -> Settings:
    """Return what learning from ``rows`` rows needs of checked parameters."""
    half_life = half_life_of(parameters["half_life"]) or HalfLife()
    return Settings(
        n_estimators=int(parameters["n_estimators"]),
        max_samples=_samples(parameters["max_samples"], rows),
        scaler_type=parameters["scaler_type"],
        half_life=half_life.rows,
        half_life_seconds=half_life.seconds,
        seed=seed,
    )


def seed_from(random_state: Any) -> int:
    """Return a seed drawn from an int, a ``RandomState`` or ``None`` (numpy's own), as scikit-learn takes them.

    Raises
    ------
    ValueError
        When it is none of these.
    """
    if isinstance(random_state, Integral):
        random_state = np.random.RandomState(int(random_state))
    draw = np.random if random_state is None else random_state
    if not (draw is np.random or isinstance(draw, np.random.RandomState)):
        raise ValueError(f"random_state must be a whole number, a RandomState or None, not {random_state!r}.")
    return int(draw.randint(0, 2**31 - 1))


def plain_parameters(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return parameters as a model file holds them; a random state is told by the seed that was drawn from it."""
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in parameters.items()}
    plain["half_life"] = plain_half_life(parameters["half_life"])
    roles = parameters["roles"]
    plain["roles"] = None if roles is None else {str(name): str(role) for name, role in roles.items()}
    if not isinstance(plain["random_state"], int):
        plain["random_state"] = seed
    return plain


def _samples(max_samples: Any, rows: int) -> int:
    if isinstance(max_samples, str):
        return AUTO_SAMPLES
    if isinstance(max_samples, Integral):
        return int(max_samples)
    return max(2, min(MOST_SAMPLES, int(max_samples * rows)))


def _are_samples(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    if _is_whole(value):
        return bool(2 <= value <= MOST_SAMPLES)
    return _is_real(value) and bool(0.0 < value <= 1.0)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check(fits: bool, name: str, wanted: str) -> None:
    if not fits:
        raise ValueError(f"{name} must be {wanted}.")
