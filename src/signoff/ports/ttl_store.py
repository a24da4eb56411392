"""Small things that expire and whose loss harms no record: sessions, one-time challenges, stored answers, leases."""

from datetime import datetime
from typing import Protocol


class TtlStore(Protocol):
    """Every call may be repeated. What has expired reads as absent, whether or not it was swept."""

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value, None when there is none or it has expired."""

    def put(self, kind: str, name: str, value: bytes, expires_at: datetime) -> None:
        """Keep a value until then, in place of any that is there."""

    def add(self, kind: str, name: str, value: bytes, expires_at: datetime, now: datetime) -> bool:
        """Keep a value unless one that has not expired is there; whether it was kept. Of two at once, one wins."""

    def prolong(self, kind: str, name: str, expires_at: datetime, now: datetime) -> bool:
        """Put off the end of a value that is still there; whether it was. What was removed meanwhile stays away."""

    def take(self, kind: str, name: str, now: datetime) -> bytes | None:
        """Get and remove: of two at once, one gets it."""

    def drop(self, kind: str, name: str) -> None:
        """Remove a value; an absent one is no error."""

    def sweep(self, now: datetime) -> int:
        """Remove what has expired; how many there were."""
