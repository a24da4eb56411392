"""Telling people."""

from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """Whether a message can be read in the morning, or calls somebody now."""

    NOTICE = "notice"
    PAGE = "page"


class Notifier(Protocol):
    """`send` may be repeated with the same identity; people are told once."""

    def send(self, identity: str, channel: str, subject: str, text: str, severity: Severity) -> None:
        """Deliver one message. Raises UnavailableError when the channel cannot be reached."""
