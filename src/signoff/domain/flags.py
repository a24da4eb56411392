"""The flags that trading processes read: a pure function of the records, never edited by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from signoff.domain.deployment import CANDIDATE, Deployment, State, age
from signoff.domain.latch import Latch

KILLED: Final = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What a desk must know of one model; `models.<name>.control` carries all of it at once.

    `version` is the champion that trades the rest of the capital, `candidate` the release under rollout. `reason` says
    why capital was cut by silence; desks are not told it.
    """

    model: str
    revision: int
    state: str
    version: str | None
    candidate: str | None
    enabled: bool
    allocation_pct: int
    shadow_mode: bool
    epoch: int
    reason: str = ""

    def as_keys(self) -> tuple[tuple[str, bool | int], ...]:
        """The three flat flags of the memo's section 7.2."""
        prefix = f"models.{self.model}"
        return (
            (f"{prefix}.enabled", self.enabled),
            (f"{prefix}.allocation_pct", self.allocation_pct),
            (f"{prefix}.shadow_mode", self.shadow_mode),
        )


def off(model: str) -> Flags:
    """The flags of a model of which nothing is known, or that was killed where nothing can be asked."""
    return Flags(
        model=model,
        revision=0,
        state="off",
        version=None,
        candidate=None,
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
        epoch=0,
    )


def killed(known: Flags, kills: int) -> Flags:
    """The flags once so many kills that the ledger does not hold yet are in force on top of what is known."""
    return replace(
        known,
        revision=known.revision + kills,
        epoch=known.epoch + kills,
        state=KILLED,
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
    )


def flags(model: str, deployments: Sequence[Deployment], latch: Latch | None) -> Flags:
    """The flags of a model from all of its deployments, in whatever order they come, and its latch.

    Latched, rolling back or stuck: off. Otherwise the candidate's phase decides, of two candidates the older one's;
    without a candidate, the champion's. While silence has cut the champion's capital there is no candidate: its share
    would not say that the champion may trade less than the rest. A share that silence cut to zero is off.
    """
    mine = sorted((d for d in deployments if d.model == model), key=age)
    revision = sum(d.revision for d in mine) + (latch.revision if latch else 0)
    champion = next((d for d in mine if d.state is State.FULL), None)
    candidate = next((d for d in mine if d.state in CANDIDATE), None)
    leaving = next((d for d in mine if d.state in {State.ROLLING_BACK, State.ROLLBACK_STUCK}), None)
    is_latched = latch is not None and latch.is_latched
    is_champion_cut = champion is not None and champion.is_cut
    candidate = None if is_champion_cut else candidate
    leader = leaving or candidate or champion
    is_silent = leader is not None and leader.is_cut and leader.allocation_pct == 0 and leader.state is not State.SHADOW
    is_off = is_latched or leaving is not None or leader is None or is_silent
    return Flags(
        model=model,
        revision=revision,
        state=KILLED if is_latched else (leader.state.value if leader else "off"),
        version=champion.version if champion else None,
        candidate=candidate.version if candidate else None,
        enabled=not is_off,
        allocation_pct=0 if is_off or leader is None else leader.allocation_pct,
        shadow_mode=not is_off and leader is not None and leader.state is State.SHADOW,
        epoch=latch.epoch if latch else 0,
        reason=leader.cut if leader is not None and leader.is_cut and not is_latched else "",
    )
