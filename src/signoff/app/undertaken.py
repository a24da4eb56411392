"""What a command set out to put on record, so that one that is stopped half-way can say what stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from signoff.domain.events import AnyEvent
from signoff.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInFlight:
    """One commit that was tried: its key, the digest of what it asks, and what it would record."""

    store: Store
    key: str
    request: str
    events: tuple[tuple[str, AnyEvent], ...]

    @property
    def stands(self) -> bool:
        """Whether exactly this is on record now."""
        return self.store.request_of(self.key) == self.request


class CommitsInFlight(Protocol):
    """Where commits are noted before they are tried."""

    def append(self, undertaking: CommitInFlight, /) -> None:
        """Note one."""


def standing(undertakings: Iterable[CommitInFlight]) -> tuple[tuple[str, AnyEvent], ...]:
    """The events on record, each with its stream, of what was undertaken; a retry that came to nothing counts once."""
    kept = {one.key: one for one in undertakings if one.stands}
    return tuple(event for one in kept.values() for event in one.events)
