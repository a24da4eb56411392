"""The venue of an installation, and its report on a model's orders and positions.

Without a venue, or without its answer, orders and positions are unknown. Unknown is never flat. Reports of the
simulated venue are always called simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NO_VENUE: Final = "no venue connected: open orders and positions are unknown"
NOBODY_ASKED: Final = "open orders and positions are unknown: no venue was asked"
NOT_REHEARSED: Final = "not rehearsed with a venue"


class VenueKind(StrEnum):
    """Where orders go, from no venue to a real broker or exchange."""

    NONE = "none"
    SIMULATED = "simulated"
    CONNECTED = "connected"

    def reaches(self, needed: "VenueKind") -> bool:
        """Whether this kind is the needed one or a stronger one."""
        order = tuple(VenueKind)
        return order.index(self) >= order.index(needed)

    @property
    def words(self) -> str:
        """The venue in a sentence."""
        return {"none": "no venue", "simulated": "the simulated venue", "connected": "the venue"}[self.value]

    @property
    def look(self) -> str:
        """What to do about orders and positions after a kill."""
        if self is VenueKind.NONE:
            return f"{NO_VENUE}; look at the broker yourself"
        return f"look at {self.words} for open orders and positions"

    @property
    def place(self) -> str:
        """The suffix of a fact that this venue reported; it names the simulated venue."""
        return " at the simulated venue" if self is VenueKind.SIMULATED else ""


class PositionsAfter(StrEnum):
    """What a policy demands of a model's positions after a rollback."""

    CLOSED = "closed"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReport:
    """A venue's report on a model: open orders and positions, each None if not reported, and why."""

    kind: VenueKind
    orders: int | None = None
    positions: int | None = None
    cause: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether a venue reported no open order and no position."""
        return self.kind is not VenueKind.NONE and self.orders == 0 and self.positions == 0

    @property
    def words(self) -> str:
        """The report in words."""
        if self.kind is VenueKind.NONE:
            return NO_VENUE
        silent = f"{self.kind.words} failed ({self.cause})" if self.cause else f"{self.kind.words} did not say"
        if self.orders is None and self.positions is None:
            return f"open orders and positions are unknown: {silent}"
        if self.orders is None:
            return f"{counted(self.positions, 'position')}{self.kind.place}; open orders are unknown: {silent}"
        if self.positions is None:
            return f"{counted(self.orders, 'open order')}{self.kind.place}; positions are unknown: {silent}"
        both = f"{counted(self.orders, 'open order')} and {counted(self.positions, 'position')}"
        return f"{both}{self.kind.place}"


def total(reports: Sequence[VenueReport]) -> str:
    """A venue's reports on several models in one clause; a model without a report does not count as zero."""
    silent = [report for report in reports if report.orders is None or report.positions is None]
    known_of = [report for report in reports if report not in silent]
    if not reports:
        return NOBODY_ASKED
    causes = "; ".join(dict.fromkeys(report.cause for report in silent if report.cause))
    why = f" ({causes})" if causes else ""
    if not known_of:
        if len({report.words for report in silent}) == 1:
            return silent[0].words
        return f"open orders and positions are unknown{why}"
    summed = VenueReport(
        kind=known_of[0].kind,
        orders=sum(report.orders or 0 for report in known_of),
        positions=sum(report.positions or 0 for report in known_of),
    )
    if not silent:
        return summed.words
    unknown = f"unknown for {len(silent)} of {len(reports)}{why}"
    return f"open orders and positions are {unknown}; of the others {summed.words}"


def counted(number: int | None, thing: str) -> str:
    """A number of things in words."""
    return {None: f"unknown {thing}s", 0: f"no {thing}", 1: f"1 {thing}"}.get(number, f"{number} {thing}s")
