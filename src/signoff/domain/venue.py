"""Which venue an installation can ask about orders and positions, and what the venue said of a model.

A venue that nobody connected, or that did not answer, leaves orders and positions unknown. Unknown is never flat. What
the simulated venue says is always called simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NO_VENUE: Final = "no venue connected: open orders and positions are unknown"
NOBODY_ASKED: Final = "open orders and positions are unknown: no venue was asked"
NOT_REHEARSED: Final = "not rehearsed with a venue"


class VenueKind(StrEnum):
    """What stands where orders go, from nothing to a real broker or exchange."""

    NONE = "none"
    SIMULATED = "simulated"
    CONNECTED = "connected"

    def reaches(self, needed: "VenueKind") -> bool:
        """Whether this kind is the one needed or one that shows more."""
        order = tuple(VenueKind)
        return order.index(self) >= order.index(needed)

    @property
    def words(self) -> str:
        """The venue in a sentence."""
        return {"none": "no venue", "simulated": "the simulated venue", "connected": "the venue"}[self.value]

    @property
    def look(self) -> str:
        """What people are told to do about orders and positions after a kill."""
        if self is VenueKind.NONE:
            return f"{NO_VENUE}; look at the broker yourself"
        return f"look at {self.words} for open orders and positions"

    @property
    def place(self) -> str:
        """What follows a fact that this venue reported; a fact of the simulated venue names it."""
        return " at the simulated venue" if self is VenueKind.SIMULATED else ""


class PositionsAfter(StrEnum):
    """What a policy wants of a model's positions once it is taken back."""

    CLOSED = "closed"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReport:
    """What a venue said of a model: open orders and positions, each None where it did not say, and why it did not."""

    kind: VenueKind
    orders: int | None = None
    positions: int | None = None
    cause: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether a venue said that no order and no position is open."""
        return self.kind is not VenueKind.NONE and self.orders == 0 and self.positions == 0

    @property
    def words(self) -> str:
        """The report as every face prints it."""
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
    """What a venue said of several models, in one clause; a model that it did not speak of makes no zero."""
    silent = [report for report in reports if report.orders is None or report.positions is None]
    said = [report for report in reports if report not in silent]
    if not reports:
        return NOBODY_ASKED
    causes = "; ".join(dict.fromkeys(report.cause for report in silent if report.cause))
    why = f" ({causes})" if causes else ""
    if not said:
        if len({report.words for report in silent}) == 1:
            return silent[0].words
        return f"open orders and positions are unknown{why}"
    summed = VenueReport(
        kind=said[0].kind,
        orders=sum(report.orders or 0 for report in said),
        positions=sum(report.positions or 0 for report in said),
    )
    if not silent:
        return summed.words
    unknown = f"unknown for {len(silent)} of {len(reports)}{why}"
    return f"open orders and positions are {unknown}; of the others {summed.words}"


def counted(number: int | None, thing: str) -> str:
    """A number of things in words."""
    return {None: f"unknown {thing}s", 0: f"no {thing}", 1: f"1 {thing}"}.get(number, f"{number} {thing}s")
