"""The flags of a model as a pure function of its releases and its kill latch; nobody edits them."""

from collections.abc import Iterable, Sequence
from typing import Final

from signoff.domain.deployment import CANDIDATE, LIVE, RETREATING, Deployment, State, age
from signoff.domain.flags import NO_KILL, WHOLE_PCT, Flags, FlagsRevision, FlagState, Share, alone, held_off, killed
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import ChampionShare

# Of several releases of one version, the one that is furthest in its rollout decides.
_FURTHEST: Final = (State.FULL, State.LIMITED, State.SHADOW)


def flags(model: str, deployments: Sequence[Deployment], latch: KillSwitchState | None) -> Flags:
    """The flags of a model from all of its deployments, in whatever order they come, and its latch.

    Latched, rolling back or stuck: every version is off. Otherwise the state of each version's release decides, and its
    own allocation, which silence may have cut. A version that silence cut to nothing is off and keeps its state.
    """
    mine = sorted((d for d in deployments if d.model == model), key=age)
    champion = next((d for d in mine if d.state is State.FULL), None)
    candidate = next((d for d in mine if d.state in CANDIDATE), None)
    leaving = next((d for d in mine if d.state in RETREATING), None)
    leader = leaving or candidate or champion
    is_latched = latch is not None and latch.is_latched
    told = Flags(
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
        return killed(told, 0)
    return told if leaving else alone(told)


def champion_pct(candidates: Iterable[Deployment]) -> int:
    """The most, in percent, that a champion may trade beside these candidates."""
    taken = (
        d.allocation_pct
        for d in candidates
        if d.state is State.LIMITED and d.policy.phases.champion_share_while_limited is ChampionShare.REST
    )
    return max(0, WHOLE_PCT - sum(taken))


def _shares(mine: Sequence[Deployment], leaving: Deployment | None) -> tuple[Share, ...]:
    """What each version may do, the oldest release first; none anything while one is on its way back."""
    deciding: dict[str, Deployment] = {}
    for release in mine:
        known = deciding.get(release.version)
        if known is None or _rank(release) <= _rank(known):
            deciding[release.version] = release
    most = champion_pct(mine)
    shares = (_share(release, most) for release in deciding.values())
    if leaving is None:
        return tuple(shares)
    held = FlagState(leaving.state)
    return tuple(
        share
        if share.version == leaving.version
        else held_off(share, held if State(share.state) in LIVE else share.state)
        for share in shares
    )


def _rank(release: Deployment) -> int:
    """A live release before one that is not, and of those that are not the latest, which comes last by age."""
    if release.state in RETREATING:
        return -1
    return _FURTHEST.index(release.state) if release.state in LIVE else len(_FURTHEST)


def _share(release: Deployment, most: int) -> Share:
    """What a release may do by its state and its own allocation, of which a champion has at most so much."""
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
    """Why silence cut the capital of a release, where it did."""
    return release.cut if release.is_cut else ""
