"""The isolation of foreign code: what an installation demands, and which hazards were seen to be stopped.

Foreign code comes with a dossier or from a registry. Protection is never inferred from a version or a setting: the
process probes each hazard before it loads foreign code, and only a failed probe counts as stopped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Isolation(StrEnum):
    """What an installation demands before it runs foreign code."""

    FULL = "full"
    WEAK = "weak"
    TRUSTED = "trusted"


class Hazard(StrEnum):
    """A way in which foreign code could harm the installation."""

    NETWORK = "network"
    SECRETS = "secrets"
    WRITES = "writes"
    PROCESSES = "processes"
    SIGNALS = "signals"

    @property
    def words(self) -> str:
        """The hazard in words."""
        return _WORDS[self]


_WORDS: Final = {
    Hazard.NETWORK: "the network",
    Hazard.SECRETS: "files beside its inputs",
    Hazard.WRITES: "writing files",
    Hazard.PROCESSES: "starting processes",
    Hazard.SIGNALS: "other processes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The hazards that were stopped while foreign code ran, and the layers that stopped them.

    `is_apart` is false if the code ran in the command's own process.
    """

    layers: tuple[str, ...] = ()
    stopped: frozenset[Hazard] = frozenset()
    is_apart: bool = True

    @property
    def open_hazards(self) -> tuple[Hazard, ...]:
        """The hazards that were not seen to be stopped."""
        return tuple(hazard for hazard in Hazard if hazard not in self.stopped)

    @property
    def is_full(self) -> bool:
        """Whether every hazard was stopped."""
        return self.is_apart and not self.open_hazards

    @property
    def words(self) -> str:
        """One clause, to follow "the code ran"."""
        if not self.is_apart:
            return "in the command's own process, as trusted code: nothing was out of its reach (--trusted)"
        by = f" ({', '.join(self.layers)})" if self.layers else ""
        if self.is_full:
            return f"in a child process, out of reach of {_listed(Hazard)}{by}"
        return f"in a child process in weak mode, with {_listed(self.open_hazards)} within its reach{by}"


IN_PLACE: Final = Protection(is_apart=False)


def _listed(hazards: Iterable[Hazard]) -> str:
    *before, last = (hazard.words for hazard in hazards)
    return f"{', '.join(before)} and {last}" if before else last
