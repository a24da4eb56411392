"""Who re-arms a killed model, and when. A kill asks nothing of this module."""

from collections.abc import Iterable
from datetime import datetime
from typing import NoReturn

from signoff.domain.deployment import LIVE, RETREATING, Deployment
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.events import Signature
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.look_alikes import are_alike
from signoff.domain.people import People
from signoff.domain.permissions import DUTY_OF, MATRIX, Permission
from signoff.domain.policy import Role


def standing(latch: KillSwitchState, people: People, now: datetime) -> tuple[Signature, ...]:
    """The signatures for arming that still count: not expired, by people who still have their role and key."""
    return tuple(
        s
        for s in latch.rearm_signatures
        if now < s.expires_at
        and (holder := people.by_name.get(s.person)) is not None
        and s.role in holder.roles
        and (s.key_id == holder.key_id or holder.credential(s.key_id) is not None)
    )


def rearm(
    model: str, latch: KillSwitchState | None, *, person: str, people: People, now: datetime, is_ordered: bool
) -> KillSwitchState:
    """The kill switch that this person signs to re-arm; `is_ordered` if a kill is not in the ledger yet."""
    if is_ordered:
        raise RefusedError(f"A kill of {model} is not in the ledger yet; arm it again once it is.")
    if latch is None or not latch.is_latched:
        raise RefusedError(f"{model} is not killed; there is nothing to arm.")
    signed = next((s.person for s in standing(latch, people, now) if are_alike((s.person,), (person,))), None)
    if signed is not None:
        alike = "" if signed == person else f", whose name looks like {person},"
        raise RefusedError(
            f"{signed}{alike} has signed already, and that signature stands; arming takes two different people."
        )
    return latch


def reentering(model: str, released: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Live releases that re-enter shadow. A running rollback must finish first."""
    releases = tuple(released)
    if (leaving := next((d for d in releases if d.state in RETREATING), None)) is not None:
        raise RefusedError(
            f"{leaving.id} is {leaving.state.value}; what it brings back would trade and never re-enter at shadow. "
            f"Finish it with `signoff rollout rollback {leaving.id}`, then arm {model} again."
        )
    return tuple(d for d in releases if d.state in LIVE)


def refuse_unknown_desk(desk: str, desks: Iterable[str]) -> NoReturn:
    """Report that a kill of a desk stopped no model, since no release names the desk."""
    raise NotFoundError(
        f"Expected a desk that a release names in its dossier, found {desk!r}; nothing was stopped. Known are "
        f"{', '.join(sorted(desks)) or 'none yet'}. `signoff kill --all` stops every model."
    )


def signed_in_a_role_that_arms(role: Role) -> None:
    """Refuse a signature in a role whose access role does not arm, even if the person has such an access role."""
    if Permission.REARM not in MATRIX[DUTY_OF[role]]:
        armed = ", ".join(able.value for able in DUTY_OF if Permission.REARM in MATRIX[DUTY_OF[able]])
        raise RefusedError(f"To arm a model again takes a signature as one of {armed}; found {role.value}.")
