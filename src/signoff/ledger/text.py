"""Base64, strictly: only the canonical encoding of bytes is accepted."""

import base64
from binascii import Error as Base64Error


def encoded(content: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(content).decode()


def decoded(text: str) -> bytes:
    """The bytes of canonical base64; ValueError for any other text."""
    try:
        content = base64.b64decode(text, validate=True)
    except Base64Error as error:
        raise ValueError(str(error)) from error
    if encoded(content) != text:
        raise ValueError("base64 is not in its canonical form")
    return content


def url_encoded(content: bytes) -> str:
    """Base64url without padding, as WebAuthn writes it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def url_decoded(text: str) -> bytes:
    """The bytes of canonical base64url; ValueError for any other text."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except Base64Error as error:
        raise ValueError(str(error)) from error
    if url_encoded(content) != text:
        raise ValueError("base64url is not in its canonical form")
    return content
