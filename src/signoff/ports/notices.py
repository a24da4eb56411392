"""Telling people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signoff.domain.events import Delivery


class Severity(StrEnum):
    """Whether a message can be read in the morning, or calls somebody now."""

    NOTICE = "notice"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a message went out, and who took it."""

    delivery: Delivery
    receiver: str


class Notifier(Protocol):
    """`send` may be repeated with the same identity; people are told once."""

    def send(self, identity: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt | None:
        """Deliver one message; who took it, where that is known.

        Raises UnavailableError when the channel cannot be reached.
        """


class Receiver(Notifier, Protocol):
    """A notifier of one place. Back-off is counted by that place."""

    @property
    def place(self) -> str:
        """Who takes the messages: an address or a file, without a secret."""
