"""The flags of a model as a pure function of its releases and its kill switch."""

from collections.abc import Iterable, Sequence
from typing import Final

from signoff.domain.deployment import CANDIDATE, LIVE, RETREATING, Deployment, State, age
from signoff.domain.flags import NO_KILL, WHOLE_PCT, Flags, FlagsRevision, FlagState, Share, alone, held_off, killed
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import ChampionShare

# Of several releases of one version, the one that is furthest in its rollout decides.
_FURTHEST: Final = (State.FULL, State.LIMITED, State.SHADOW)


def flags(model: str, deployments: Sequence[Deployment], latch: KillSwitchState | None) -> Flags:
    """The flags of a model from all of its deployments, in any order, and its kill switch.

    After a kill, and while a rollback runs or is stuck, every version is off. Otherwise the state and the allocation of
    each version's release decide. A version that silence cut to zero is off and keeps its state.
    """
    mine = sorted((d for d in deployments if d.model == model), key=age)
    champion = next((d for d in mine if d.state is State.FULL), None)
    candidate = next((d for d in mine if d.state in CANDIDATE), None)
    leaving = next((d for d in mine if d.state in RETREATING), None)
    leader = leaving or candidate or champion
    is_latched = latch is not None and latch.is_latched
    derived = Flags(
        model=model,
        revision=FlagsRevision(sum(d.revision for d in mine) + (latch.revision if latch else 0)),
        state=FlagState(leader.state) if leader else FlagState.OFF,
        version=champion.version if champion else None,
        candidate=candidate.version if candidate else None,
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
        kill_count=latch.kill_count if latch else NO_KILL,
        versions=_shares(mine, leaving),
    )
    if is_latched:
        return killed(derived, 0)
    return derived if leaving else alone(derived)


def champion_pct(candidates: Iterable[Deployment]) -> int:
    """The most, in percent, that a champion may trade beside these candidates."""
    taken = (
        d.allocation_pct
        for d in candidates
        if d.state is State.LIMITED and d.policy.phases.champion_share_while_limited is ChampionShare.REST
    )
    return max(0, WHOLE_PCT - sum(taken))


def _shares(mine: Sequence[Deployment], leaving: Deployment | None) -> tuple[Share, ...]:
    """The share of each version, the oldest release first; all are off while one is rolling back."""
    deciding: dict[str, Deployment] = {}
    for release in mine:
        other = deciding.get(release.version)
        if other is None or _rank(release) <= _rank(other):
            deciding[release.version] = release
    most = champion_pct(mine)
    shares = (_share(release, most) for release in deciding.values())
    if leaving is None:
        return tuple(shares)
    state = FlagState(leaving.state)
    return tuple(
        share
        if share.version == leaving.version
        else held_off(share, state if State(share.state) in LIVE else share.state)
        for share in shares
    )


def _rank(release: Deployment) -> int:
    """The sort rank: live releases first, then the latest of the others."""
    if release.state in RETREATING:
        return -1
    return _FURTHEST.index(release.state) if release.state in LIVE else len(_FURTHEST)


def _share(release: Deployment, most: int) -> Share:
    """The share of a release by its state and allocation; a champion has at most `most`."""
    is_shadow = release.state is State.SHADOW
    granted = release.allocation_pct if release.state in LIVE and not is_shadow else 0
    percent = min(granted, most) if release.state is State.FULL else granted
    return Share(
        version=release.version,
        state=FlagState(release.state),
        enabled=is_shadow or percent > 0,
        allocation_pct=percent,
        shadow_mode=is_shadow,
        reason=_cut_of(release) if release.state in LIVE else "",
    )


def _cut_of(release: Deployment) -> str:
    """Why silence cut the capital of a release, or ""."""
    return release.cut if release.is_cut else ""
