"""The TTL store in memory, for one process and for unit tests. It passes the same contract as the SQL store."""

from datetime import datetime
from threading import Lock


class MemoryTtlStore:
    """Everything in a dictionary; nothing survives the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[tuple[str, str], tuple[bytes, datetime]] = {}

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value; None if it is missing or expired."""
        with self._lock:
            return self._unexpired(kind, name, now)

    def put(self, kind: str, name: str, value: bytes, expires_at: datetime) -> None:
        """Keep a value until then."""
        with self._lock:
            self._kept[kind, name] = (value, expires_at)

    def add(self, kind: str, name: str, value: bytes, expires_at: datetime, now: datetime) -> bool:
        """Keep a value unless an unexpired one exists."""
        with self._lock:
            if self._unexpired(kind, name, now) is not None:
                return False
            self._kept[kind, name] = (value, expires_at)
            return True

    def prolong(self, kind: str, name: str, expires_at: datetime, now: datetime) -> bool:
        """Extend an unexpired value."""
        with self._lock:
            if (value := self._unexpired(kind, name, now)) is None:
                return False
            self._kept[kind, name] = (value, expires_at)
            return True

    def take(self, kind: str, name: str, now: datetime) -> bytes | None:
        """Get and remove."""
        with self._lock:
            value = self._unexpired(kind, name, now)
            self._kept.pop((kind, name), None)
            return value

    def drop(self, kind: str, name: str) -> None:
        """Remove a value."""
        with self._lock:
            self._kept.pop((kind, name), None)

    def sweep(self, now: datetime) -> int:
        """Remove what has expired."""
        with self._lock:
            gone = [key for key, (_, expires_at) in self._kept.items() if expires_at <= now]
            for key in gone:
                del self._kept[key]
            return len(gone)

    def _unexpired(self, kind: str, name: str, now: datetime) -> bytes | None:
        value, expires_at = self._kept.get((kind, name), (None, now))
        return value if expires_at > now else None
