"""Small values that expire and may be lost: sessions, one-time challenges, stored answers, leases."""

from datetime import datetime
from typing import Protocol


class TtlStore(Protocol):
    """Every call may be repeated. An expired value reads as absent, swept or not."""

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value, None if it is absent or expired."""

    def put(self, kind: str, name: str, value: bytes, expires_at: datetime) -> None:
        """Store a value until this time, and replace an earlier one."""

    def add(self, kind: str, name: str, value: bytes, expires_at: datetime, now: datetime) -> bool:
        """Store a value unless a valid one exists; returns whether it was stored. Of two concurrent calls, one wins."""

    def prolong(self, kind: str, name: str, expires_at: datetime, now: datetime) -> bool:
        """Extend the life of an existing value; returns whether it exists. A removed value stays removed."""

    def take(self, kind: str, name: str, now: datetime) -> bytes | None:
        """Get and remove a value; of two concurrent calls, one gets it."""

    def drop(self, kind: str, name: str) -> None:
        """Remove a value, if it exists."""

    def sweep(self, now: datetime) -> int:
        """Remove expired values; returns how many."""
