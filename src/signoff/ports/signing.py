"""Signing with a person's own key, which never leaves its holder."""

from typing import Protocol


class Signer(Protocol):
    @property
    def key_id(self) -> str:
        """The public identity of the key."""

    def sign_statement(self, statement: bytes) -> str:
        """The DSSE envelope, as JSON, over an in-toto statement."""
