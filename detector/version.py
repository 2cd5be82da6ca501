"""The version of this package, as installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("dynamic-anomaly-detection")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0.1.0"
