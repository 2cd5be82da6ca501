"""What a key of the API looks like: ``dak_<id>_<secret><checksum>``.

The prefix lets secret scanners and the filter of the logs recognise a key, and the checksum (CRC-32, six characters)
tells a key from what only looks like one. The id is public; the secret holds 256 random bits.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits
from zlib import crc32

PREFIX = "dak_"
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 43, 6
#: A key, as a pattern for scanners.
KEY = re.compile(rf"{PREFIX}[0-9a-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")

_ID_CHARACTERS = digits + ascii_lowercase
_CHARACTERS = digits + ascii_uppercase + ascii_lowercase
#: Where the id stands in a key.
ID_PLACE = slice(len(PREFIX), len(PREFIX) + ID_LENGTH)


def new_key() -> str:
    """Return a new random key."""
    public = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(_CHARACTERS) for _ in range(SECRET_LENGTH))
    body = f"{PREFIX}{public}_{secret}"
    return body + _checksum(body)


def id_of(key: str) -> str:
    """Return the public id of a key."""
    return key[ID_PLACE]


def well_formed(key: str) -> bool:
    """Whether ``key`` has the form of a key and its checksum fits; says nothing of whether it is one."""
    return KEY.fullmatch(key) is not None and _checksum(key[:-CHECKSUM_LENGTH]) == key[-CHECKSUM_LENGTH:]


def digest(key: bytes) -> bytes:
    """Return what is kept of a key.

    A plain SHA-256 is right here, where a password would need a slow hash: slowness makes guessing dear when people
    choose what is guessed. Of 2^256 equally likely secrets none is ever guessed, however fast the hash; and a slow one
    would cost every request more than scoring does.
    """
    return sha256(key).digest()


def _checksum(body: str) -> str:
    number, found = crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, rest = divmod(number, len(_CHARACTERS))
        found = _CHARACTERS[rest] + found
    return found
