"""A rehearsal of the rollback, and whether it shows that a release could be taken back.

It is compared with the policy and the fallback of the release: a rehearsal that was recent enough for another release,
or that loaded another version, shows nothing for this one.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from signoff.domain.events import Rehearsed, Step
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit
from signoff.domain.venue import NOT_REHEARSED, VenueKind, VenueReport

RECOVERY_TIME: Final = "rollback.recovery_time"
HALTING: Final = (Step.FENCE, Step.CANCEL, Step.VERIFY_FLAT)
RESTORING: Final = (*HALTING, Step.REVERT, Step.VERIFY_REVERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The latest rollback rehearsal of a model."""

    at: datetime
    result: Rehearsed


def objections(rehearsal: Rehearsal | None, policy: Policy, previous: str | None, day: date) -> tuple[str, ...]:
    """Why a rehearsal does not show, on this day, that the rollback works; empty if it does."""
    if rehearsal is None:
        return ("no rehearsal is recorded",)
    result, limit = rehearsal.result, policy.rollback.rehearsal_max_age_days
    age = (day - rehearsal.at.date()).days
    missing = sorted(step.value for step in set(RESTORING) - {step for step, _ in result.seconds})
    lost, needed = result.events_lost, policy.rollback.rehearsal_venue
    left, because = result.residual_orders, result.left_because
    faults = {
        f"rehearsed on {rehearsal.at.date()}, after {day}": age < 0,
        f"rehearsed {age} days before {day}, at most {limit} are allowed": age > limit,
        "the rehearsal exceeded its budget": not (result.within_budget and within_budget(result.seconds, policy)),
        f"the rehearsal left {left} orders open": left is not None and left > 0,
        f"which orders the rehearsal left open is unknown{f' ({because})' if because else ''}": (
            left is None and result.venue is not VenueKind.NONE
        ),
        f"rehearsed with {result.venue.words}, and the policy takes {needed.words} at least": not (
            result.venue.reaches(needed)
        ),
        f"the rehearsal did not run {', '.join(missing)}": bool(missing),
        f"the rehearsal restored {_version(result.restored_version)}, and this release falls back to "
        f"{_version(previous)}": result.restored_version != previous,
        f"the rehearsal lost {lost} acknowledged events of the record": lost is not None and lost > 0,
    }
    return tuple(text for text, holds in faults.items() if holds)


def recovery_time(result: Rehearsed | None) -> Quantity:
    """RTO: from the decision until the previous version trades again, as rehearsed and without the later review.

    Without a venue it is unknown when orders were gone, so no time was measured.
    """
    measured = {} if result is None or result.venue is VenueKind.NONE else dict(result.seconds)
    if any(step not in measured for step in RESTORING):
        return Quantity(name=RECOVERY_TIME, value=None, unit=Unit.SECONDS)
    seconds = sum(measured[step] for step in RESTORING)
    return Quantity(name=RECOVERY_TIME, value=seconds, unit=Unit.SECONDS, digits=0 if seconds >= 10 else None)


def recovery_time_in_words(result: Rehearsed) -> str:
    """The RTO in words."""
    if result.venue is VenueKind.NONE:
        return f"{NOT_REHEARSED}: not measured"
    return f"{recovery_time(result).text}{_simulated(result)}"


def step_in_words(result: Rehearsed, step: Step) -> str:
    """The time of a step; a step that needs a venue was not rehearsed without one."""
    if result.venue is VenueKind.NONE and step in HALTING:
        return NOT_REHEARSED
    seconds = Quantity(name=step.value, value=dict(result.seconds).get(step), unit=Unit.SECONDS).text
    return f"{seconds}{_simulated(result)}" if step in HALTING else seconds


def budget_in_words(result: Rehearsed) -> str:
    """Whether the budgets held; without a venue, those of the other steps alone."""
    verdict = "within budget" if result.within_budget else "NOT within budget"
    return f"{verdict} as far as it ran, {NOT_REHEARSED}" if result.venue is VenueKind.NONE else verdict


def left_in_words(result: Rehearsed) -> str:
    """Which orders the rehearsal left open."""
    if result.venue is VenueKind.NONE or result.residual_orders is None:
        return VenueReport(kind=result.venue, cause=result.left_because).words
    return f"{result.residual_orders} orders left open{result.venue.place}"


def _simulated(result: Rehearsed) -> str:
    return ", simulated" if result.venue is VenueKind.SIMULATED else ""


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
