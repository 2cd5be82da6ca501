"""Addresses of stores, and what of them may be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

HIDDEN_PASSWORD = "[password]"  # noqa: S105 - what stands in its place
#: What the environment holds of the credentials of an object store.
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

# Up to the last @ before the path: what a person forgot to escape belongs to the password as well.
_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^\s/:@?#]*:)([^\s/?#]*)(?=@)", re.IGNORECASE)


def without_password(text: str) -> str:
    """Return ``text`` with the passwords of the addresses in it hidden."""
    return _PASSWORD.sub(rf"\g<1>{HIDDEN_PASSWORD}", text)


def without_secrets(text: str) -> str:
    """Return what a store's library said, without passwords and without the secrets of the environment."""
    for name in _SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, HIDDEN_PASSWORD)
    return without_password(text)


def folder_of(address: str) -> Path | None:
    """Return the folder that an address names, ``None`` when it is one of another kind: ``s3://bucket/prefix``."""
    parts = urlsplit(address)
    if "://" not in address:
        return Path(address).expanduser()
    return Path(url2pathname(parts.netloc + parts.path)) if parts.scheme == "file" else None
