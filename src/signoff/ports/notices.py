"""Telling people."""

from typing import Protocol


class Notifier(Protocol):
    """`send` may be repeated with the same identity; people are told once."""

    def send(self, identity: str, channel: str, subject: str, text: str) -> None:
        """Deliver one message. Raises UnavailableError when the channel cannot be reached."""
