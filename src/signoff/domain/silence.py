"""Silence: what follows from sessions without conclusive data.

A session is conclusive once data came and every reading is known. Everything else is silence, whatever the reason, with
one exception: a reading that waits for more lived sessions blocks an advance and is not silence.
After as many sessions in a row as the policy says, capital is cut to the limited share, and then to zero. Only a person
restores capital.
"""

from typing import Final

from signoff.domain.deployment import Deployment, State
from signoff.domain.events import CapitalCut, Observed
from signoff.domain.policy import Policy

NO_DATA: Final = "no data"
TOLD: Final = frozenset({"critical", "unknown"})


def concerns_of(observed: Observed) -> tuple[str, ...]:
    """Every critical or unknown reading of a day, or "no data"."""
    if not observed.counts:
        return (NO_DATA,)
    concerns = tuple(sorted(f"{reading.key}: {reading.word}" for reading in observed.readings if reading.level in TOLD))
    return concerns if concerns or observed.is_conclusive else ("inconclusive",)


def share_after(policy: Policy, sessions: int, present: int) -> int:
    """The share of capital, in percent, after so many silent sessions; never more than the present one."""
    if sessions >= policy.silence.zero_after_sessions:
        return 0
    if sessions >= policy.silence.limited_after_sessions:
        return min(present, policy.phases.limited_allocation_pct)
    return present


def cut_by(state: Deployment) -> tuple[CapitalCut, ...]:
    """The cut that is due after this state's silent sessions."""
    sessions = state.silent_sessions
    share = share_after(state.policy, sessions, state.allocation_pct)
    if share >= state.allocation_pct:
        return ()
    reason = f"capital cut to {share}% after {in_sessions(sessions)} without conclusive data"
    return (CapitalCut(allocation_pct=share, sessions=sessions, reason=reason),)


def outlook(state: Deployment) -> str:
    """The effect of further silence, in a sentence."""
    if state.state is State.SHADOW:
        return "The release is in shadow and has no capital to cut; it does not advance meanwhile."
    if state.allocation_pct == 0:
        return "No capital is left to cut; only a person brings it back."
    silent, present, steps = state.silent_sessions, state.allocation_pct, list[str]()
    for after in sorted({state.policy.silence.limited_after_sessions, state.policy.silence.zero_after_sessions}):
        share = share_after(state.policy, after, present)
        if after > silent and share < present:
            steps.append(
                f"after {after - silent} more such session{'' if after - silent == 1 else 's'} "
                f"{'capital falls ' if not steps else ''}to {share}%"
            )
            present = share
    return f"{'; '.join(steps).capitalize()}." if steps else ""


def rule(policy: Policy) -> str:
    """The rule in words, for the memo."""
    silence, share = policy.silence, policy.phases.limited_allocation_pct
    zero = in_sessions(silence.zero_after_sessions)
    falls = (
        f"After {in_sessions(silence.limited_after_sessions)} in a row without conclusive data (none at all, or an "
        f"unknown reading) capital falls to {share}%, after {zero} to zero"
        if silence.limited_after_sessions < silence.zero_after_sessions
        else f"After {zero} in a row without conclusive data (none at all, or an unknown reading) capital falls to zero"
    )
    return (
        f"{falls}, in every phase; it comes back only by a person. A session that the venue did not hold, declared by "
        "a person with a reason, does not count."
    )


def in_sessions(count: int) -> str:
    """A number of sessions in words."""
    return f"{count} session{'' if count == 1 else 's'}"
