"""Reads the files of private keys, and knows the usual form of one, without the library that signs."""

import re
from pathlib import Path
from typing import Final

from signoff.adapters.foreign_files import own_users, read_regular
from signoff.domain.errors import BadInputError, SignoffError

READABLE_BY_OTHERS: Final = 0o077
MAX_BYTES: Final = 1 << 20
# An unencrypted Ed25519 key as this Signoff writes it; any 32 bytes are a key, so such a file always loads.
USUAL: Final = re.compile(
    rb"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI[A-P][A-Za-z0-9+/]{42}\n-----END PRIVATE KEY-----\n"
)


def read_private(path: Path) -> bytes:
    """The content of a private key's file, if no other account can read it or own it."""
    content = read_regular(path, limit=MAX_BYTES, owners=own_users(path.parent))
    if path.stat().st_mode & READABLE_BY_OTHERS:
        message = f"The private key {path} can be read by others; make it its owner's alone: chmod 600 {path}"
        raise BadInputError(message)
    return content


def is_usual(path: Path) -> bool:
    """Whether a file certainly has a private key that loads. If not, loading it says what is wrong, if anything is."""
    try:
        return USUAL.fullmatch(read_private(path)) is not None
    except (SignoffError, OSError):
        return False
