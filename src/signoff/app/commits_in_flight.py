"""The commits that a command tried, so that an interrupted command can say what is on record."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from signoff.domain.events import AnyEvent
from signoff.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInFlight:
    """One commit that was tried: its key, the digest of its content, and its events."""

    store: Store
    key: str
    request: str
    events: tuple[tuple[str, AnyEvent], ...]

    @property
    def stands(self) -> bool:
        """Whether exactly this commit is on record."""
        return self.store.request_of(self.key) == self.request


class CommitsInFlight(Protocol):
    """A list of commits, noted before they are tried."""

    def append(self, undertaking: CommitInFlight, /) -> None:
        """Note one."""


def standing(undertakings: Iterable[CommitInFlight]) -> tuple[tuple[str, AnyEvent], ...]:
    """The recorded events of these commits, each with its stream; a commit that was retried counts once."""
    by_key = {one.key: one for one in undertakings if one.stands}
    return tuple(event for one in by_key.values() for event in one.events)
