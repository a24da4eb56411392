"""What a release trades now: one word and one share of the capital, the same on every page.

A release keeps its state in the rollout while its model is killed or another release is rolling back. It trades nothing
then, and pages say so.
"""

from dataclasses import dataclass
from typing import Final

from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.flags import KILLED, Flags

OFF: Final = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """The word for what a release does, and the percentage of the model's capital that it trades."""

    word: str
    share_pct: int


def trading(release: Deployment, flags: Flags) -> Trading:
    """What a release trades by the flags of its version, which the desk reads too."""
    if release.state not in LIVE:
        return Trading(word=release.state.value, share_pct=0)
    of_version = flags.for_version(release.version)
    if of_version.state == KILLED:
        return Trading(word=KILLED, share_pct=0)
    if not of_version.enabled:
        return Trading(word=OFF, share_pct=0)
    is_own = of_version.state == release.state.value  # else another release of this version is further
    return Trading(word=release.state.value, share_pct=of_version.allocation_pct if is_own else 0)
