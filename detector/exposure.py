"""Where the servers may listen: on this machine only, until it is settled who may come in.

The API needs a key that a person set, the dashboard a provider that people sign in with.
``DETECTOR_TRUSTED_NETWORK`` says that something in front of the ports sees to it, such as a container's port that is
published on loopback; the API still answers nobody but its own machine until a key is set.
"""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path

from detector.errors import DetectorError
from detector.settings import Settings

#: The folder of the dashboard's script, whose ``.streamlit`` holds its configuration.
PROJECT = Path(__file__).resolve().parent.parent


class ExposureError(DetectorError):
    """A server would listen beyond this machine before anybody has settled who may come in."""

    code = "exposed"


def is_loopback(host: str | None) -> bool:
    """Whether an address to listen on is reached from this machine only; ``None`` and empty mean every address."""
    if host is None or host == "":
        return False
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_closed_api(host: str | None, settings: Settings, *, keys_are_set: bool) -> None:
    """Refuse an address of the API that others reach while no key is set; raises :class:`ExposureError`."""
    if is_loopback(host) or keys_are_set or settings.trusted_network:
        return
    raise ExposureError(
        f"The API would listen on {host or 'every address'}, beyond this machine, and no key has been set. Make one "
        "first: python -m detector keys create NAME --role service. Or listen on 127.0.0.1, for this machine only.",
        host=host,
    )


def require_closed_dashboard(host: str | None, settings: Settings) -> None:
    """Refuse an address of the dashboard that others reach while nobody signs in; raises :class:`ExposureError`."""
    if is_loopback(host) or settings.trusted_network or sign_in_configured(settings):
        return
    raise ExposureError(
        f"The dashboard would listen on {host or 'every address'}, beyond this machine, where anybody who comes may "
        "do everything. Configure sign-in first (docs/security.md), or set DETECTOR_TRUSTED_NETWORK=true when "
        "something in front of it lets only trusted people in.",
        host=host,
    )


def sign_in_configured(settings: Settings) -> bool:
    """Whether a file of Streamlit's names a provider that people sign in with.

    Raises
    ------
    ExposureError
        When such a file cannot be read: it may have been meant to keep people out.
    """
    for path in sign_in_files(settings):
        try:
            if path.is_file() and tomllib.loads(path.read_text("utf-8")).get("auth"):
                return True
        except (OSError, ValueError) as error:
            raise ExposureError(f"{path.name}, which says who signs in, cannot be read: {error}.") from error
    if settings.sign_in_file is not None:
        raise ExposureError("DETECTOR_SIGN_IN_FILE names a file without an [auth] section, or none at all.")
    return False


def sign_in_files(settings: Settings) -> tuple[Path, ...]:
    """Return where Streamlit is told to look for ``[auth]``."""
    if settings.sign_in_file is not None:
        return (settings.sign_in_file,)
    return Path.home() / ".streamlit" / "secrets.toml", PROJECT / ".streamlit" / "secrets.toml"
