"""The channels of notices and pages."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signoff.domain.events import Delivery


class Severity(StrEnum):
    """Whether a message can wait until the morning, or pages people now."""

    NOTICE = "notice"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a message was delivered, and who received it."""

    delivery: Delivery
    receiver: str


class Notifier(Protocol):
    """`send` may be repeated with the same id; people get the message once."""

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt | None:
        """Deliver one message; returns who received it, if that is known.

        Raises UnavailableError if the channel is unreachable.
        """


class Receiver(Notifier, Protocol):
    """A notifier with one receiver. Back-off is counted by receiver."""

    @property
    def place(self) -> str:
        """The receiver: a URL or a file, without a secret."""
