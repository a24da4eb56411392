"""What the contract suites try: Signoff's own parts, and each that an installed package brings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from signoff.adapters.folders import NoticeFile
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.config.extensions import EntryPointGroup
from signoff.domain.flags import FlagsRevision
from signoff.ports.notices import Receiver
from signoff.ports.venue import OpenOrder, OpenPosition, OrderHalt

Place = Callable[[OpenOrder, FlagsRevision], None]
Hold = Callable[[OpenPosition], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRig:
    """A venue that the suite may trade at, and how: `place` sends an order, which raises where the venue refuses it.

    `hold` gives the venue a position. A package puts a function of an empty folder that makes a rig on its venue's
    function, as the attribute `rig`: a sandbox account, a simulator, a server that it starts.
    """

    venue: OrderHalt
    place: Place
    hold: Hold


def venue_rigs() -> Iterator[tuple[str, Callable[[Path], VenueRig] | None]]:
    """Each venue by its name, with what makes its rig; None where its package brings no rig."""
    yield "simulated", _simulated
    for point in entry_points(group=EntryPointGroup.VENUES):
        yield point.name, getattr(point.load(), "rig", None)


def notifiers() -> Iterator[tuple[str, Callable[[Path], Receiver] | None]]:
    """Each notifier by its name, with what makes one for the suite from an empty folder, the attribute `rig`."""
    yield "file", lambda folder: NoticeFile(folder / "notices.jsonl")
    for point in entry_points(group=EntryPointGroup.NOTIFIERS):
        yield point.name, getattr(point.load(), "rig", None)


def gates() -> Iterator[tuple[str, Any]]:
    """Each gate that a package brings, by its name."""
    for point in entry_points(group=EntryPointGroup.GATES):
        yield point.name, point.load()


def _simulated(folder: Path) -> VenueRig:
    broker = SimulatedBroker(folder / "book.json")
    return VenueRig(
        venue=broker,
        place=lambda order, revision: broker.place([order], revision),
        hold=lambda position: broker.hold([position]),
    )
