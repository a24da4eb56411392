"""A rehearsal of the rollback, and whether it shows that a release could be taken back.

It is held against the policy and the fallback of the release at hand: a rehearsal that was fresh enough for another
release, or that loaded another version, shows nothing for this one.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from signoff.domain.events import Rehearsed, Step
from signoff.domain.policy import Policy

RESTORING: Final = (Step.FENCE, Step.CANCEL, Step.VERIFY_FLAT, Step.REVERT, Step.VERIFY_REVERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The latest rollback rehearsal of a model."""

    at: datetime
    result: Rehearsed


def objections(rehearsal: Rehearsal | None, policy: Policy, previous: str | None, day: date) -> tuple[str, ...]:
    """What keeps a rehearsal from showing, on this day, that the rollback works; empty when nothing does."""
    if rehearsal is None:
        return ("no rehearsal is recorded",)
    result, limit = rehearsal.result, policy.rollback.rehearsal_max_age_days
    age = (day - rehearsal.at.date()).days
    missing = sorted(step.value for step in set(RESTORING) - {step for step, _ in result.seconds})
    lost = result.events_lost
    found = {
        f"rehearsed on {rehearsal.at.date()}, after {day}": age < 0,
        f"rehearsed {age} days before {day}, at most {limit} are allowed": age > limit,
        "the rehearsal exceeded its budget": not (result.within_budget and within_budget(result.seconds, policy)),
        f"the rehearsal left {result.residual_orders} orders open": result.residual_orders > 0,
        f"the rehearsal did not run {', '.join(missing)}": bool(missing),
        f"the rehearsal restored {_version(result.restored_version)}, and this release falls back to "
        f"{_version(previous)}": result.restored_version != previous,
        "the rehearsal did not measure what a killed process loses of the record": lost is None,
        f"the rehearsal lost {lost} acknowledged events of the record": lost is not None and lost > 0,
    }
    return tuple(text for text, holds in found.items() if holds)


def is_complete(seconds: tuple[tuple[Step, float], ...]) -> bool:
    """Whether every step was done, in order."""
    return [step for step, _ in seconds] == list(Step)


def within_budget(seconds: tuple[tuple[Step, float], ...], policy: Policy) -> bool:
    """Whether the times since the start meet the 5 minutes, 15 minutes and 2 hours of section 5.1."""
    elapsed = dict(seconds)
    steps = list(Step)
    budgets = (
        (Step.VERIFY_FLAT, policy.rollback.immediate_minutes),
        (Step.VERIFY_REVERT, policy.rollback.revert_minutes),
        (Step.REVIEW, policy.rollback.review_minutes),
    )
    return all(
        sum(elapsed.get(step, 0.0) for step in steps[: steps.index(last) + 1]) <= 60.0 * minutes
        for last, minutes in budgets
    )


def _version(version: str | None) -> str:
    return f"v{version}" if version else "no version"
