"""Checks that provoke errors do not fill the terminal with them."""

from __future__ import annotations

import logging

import structlog


def quiet() -> None:
    """Let the product's logs of this process go nowhere."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
