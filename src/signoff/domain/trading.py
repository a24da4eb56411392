"""What a release trades now: one word and one share of the capital, which every face of Signoff shows.

A release keeps its place in the rollout while its model is killed or another release of it is on its way back. What it
trades then is nothing, and that is what people are told.
"""

from dataclasses import dataclass
from typing import Final

from signoff.domain.deployment import LIVE, Deployment, State
from signoff.domain.flags import KILLED, Flags

OFF: Final = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """The word for what a release does, and the percentage of the model's capital that it trades."""

    word: str
    share_pct: int


def trading(release: Deployment, told: Flags) -> Trading:
    """What a release trades by the flags of its model."""
    if release.state not in LIVE:
        return Trading(word=release.state.value, share_pct=0)
    if told.state == KILLED:
        return Trading(word=KILLED, share_pct=0)
    if not told.enabled:
        return Trading(word=OFF, share_pct=0)
    return Trading(word=release.state.value, share_pct=_share(release, told))


def _share(release: Deployment, told: Flags) -> int:
    """A champion beside a candidate trades what the candidate leaves."""
    if release.state is State.FULL and told.candidate is not None:
        return max(0, release.allocation_pct - told.allocation_pct)
    return release.allocation_pct
