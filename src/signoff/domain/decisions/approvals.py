"""Who may sign what for a release: override, approval, rejection, and the clearing of a condition."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from signoff.domain import events as e
from signoff.domain.conflict_of_interest import objection
from signoff.domain.decisions.guards import Package, expired, in_state, unchanged
from signoff.domain.deployment import LIVE, SIGNED, Deployment, State
from signoff.domain.errors import GuardError
from signoff.domain.events import AnyEvent, Signature, Vote
from signoff.domain.look_alikes import are_alike
from signoff.domain.people import Person
from signoff.domain.policy import Policy, Role
from signoff.domain.rollback_drill import Rehearsal, objections


def sign_override(state: Deployment, signature: Signature, now: datetime) -> tuple[AnyEvent, ...]:
    """A person overrides the blocking gates by a signature over the validated package."""
    in_state(state, State.VALIDATED, action="override")
    if not state.blocking:
        raise GuardError("nothing_to_override", "no gate blocks this release; ask for approval instead.")
    _may_sign(state, signature, earlier=state.overrides_at(now), roles=state.policy.approvals.override_roles)
    if signature.subject != state.package:
        raise GuardError("subject", f"the override signs {signature.subject[:12]}…, expected {_short(state.package)}.")
    if not signature.reason.strip():
        raise GuardError("reason", "an override needs a reason; it is printed on page one of the memo.")
    return (e.OverrideSigned(signature=signature),)


def rehearsal_objections(state: Deployment, rehearsal: Rehearsal | None, now: datetime) -> tuple[str, ...]:
    """Why the last rehearsal does not count for this release at this time."""
    return objections(rehearsal, state.policy, state.previous_version, now.date())


def request_approval(
    state: Deployment, manifest: str, rehearsal: Rehearsal | None, now: datetime
) -> tuple[AnyEvent, ...]:
    """Issue the memo for signature; blocked gates need their override first, and the rollback its rehearsal.

    The memo prints the rehearsal's times and people sign them, so the rehearsal comes before the first signature.
    """
    in_state(state, State.VALIDATED, action="submit for approval")
    if not state.is_free_at(now):
        needed = state.policy.approvals.override_persons - len({s.person for s in state.overrides_at(now)})
        raise GuardError(
            "gates",
            f"blocked by {', '.join(state.blocking)}; {needed} more override signature(s) needed from the roles "
            f"{', '.join(state.policy.approvals.override_roles)}, or let the release be rejected.",
        )
    _rehearsed(state, rehearsal, now)
    return (e.ApprovalRequested(manifest=manifest),)


def approve(
    state: Deployment, signature: Signature, package: Package, rehearsal: Rehearsal | None, now: datetime
) -> tuple[AnyEvent, ...]:
    """A signature over the manifest; the last one needed approves the release."""
    in_state(state, State.AWAITING_APPROVAL, action="approve")
    unchanged(state, package)
    _rehearsed(state, rehearsal, now)
    if signature.subject != state.manifest:
        raise GuardError(
            "subject", f"the signature is over {signature.subject[:12]}…, expected {_short(state.manifest)}."
        )
    _may_sign(state, signature, earlier=state.approvals, roles=state.policy.approvals.required)
    if signature.verdict is Vote.CONDITIONAL and not signature.conditions:
        raise GuardError("conditions", "a conditional approval needs at least one condition.")
    if signature.expires_at <= now:
        raise GuardError("expiry", "the signature has expired already; sign again.")
    signed = e.ApprovalSigned(signature=signature)
    remaining = set(state.missing_roles) - {signature.role}
    if remaining:
        return (signed,)
    if stale := expired(state, now):
        raise GuardError("expiry", f"the approval of {stale} has expired; submit again.")
    return (signed, e.Approved(manifest=signature.subject))


def reject(state: Deployment, signature: Signature) -> tuple[AnyEvent, ...]:
    """One rejection by a required role ends the release."""
    if state.state not in {State.VALIDATED, State.AWAITING_APPROVAL, State.APPROVED}:
        raise GuardError("state", f"the release is {state.state.value}; only one before its rollout can be rejected.")
    if signature.role not in state.policy.approvals.required:
        raise GuardError("role", f"role {signature.role.value} is not asked to sign this release.")
    if not signature.reason.strip():
        raise GuardError("reason", "a rejection needs a reason.")
    return (e.ApprovalRejected(signature=signature),)


def meet_condition(state: Deployment, role: Role, condition: str, person: str, note: str) -> tuple[AnyEvent, ...]:
    """The person who set a condition clears it."""
    if state.state not in SIGNED | LIVE:
        raise GuardError(
            "state", f"the release is {state.state.value}; conditions are met of one that is signed, or live."
        )
    setter = next((s for s in state.approvals if s.role is role and condition in s.conditions), None)
    if setter is None or all(c.text != condition or c.role is not role for c in state.open_conditions):
        open_ones = "; ".join(f"{c.role.value}: {c.text}" for c in state.open_conditions) or "none"
        raise GuardError("conditions", f"no open condition {condition!r} of {role.value}; open are: {open_ones}.")
    if setter.person != person:
        raise GuardError("conditions", f"only {setter.person}, who set this condition, can say that it is met.")
    return (e.ConditionMet(role=role, condition=condition, person=person, note=note),)


def overriding_role(state: Deployment, role: Role) -> None:
    """Refuse a role that may not override."""
    if role not in (allowed := state.policy.approvals.override_roles):
        raise GuardError(
            "role",
            f"role {role.value} may not override; the policy leaves it to {', '.join(r.value for r in allowed)}.",
        )


def independent(state: Deployment, person: Person) -> None:
    """Refuse a person who is barred under any of their names, including names declared since."""
    if (against := objection(person.known_as, state.barred, state.grounds)) is not None:
        raise GuardError("independence", f"{person.name} {against}, and may not sign for this release.")


def stands(signature: Signature, earlier: Iterable[Signature]) -> bool:
    """Whether this person signed exactly this before, over the same bytes, and it has not expired."""
    words = attrgetter("person", "role", "verdict", "subject", "conditions", "reason")
    return any(other.expires_at > signature.signed_at and words(other) == words(signature) for other in earlier)


def too_weak(policy: Policy, signature: Signature) -> str | None:
    """Why the tier of a signature is too weak; None if it is not."""
    needed = policy.approvals.tier_for(signature.role)
    if signature.tier.reaches(needed):
        return None
    return (
        f"the policy takes signatures of tier {needed.value} in the role {signature.role.value}, and this one is of "
        f"tier {signature.tier.value}. Sign in the browser with an enrolled authenticator (/credentials enrols one)."
    )


def _rehearsed(state: Deployment, rehearsal: Rehearsal | None, now: datetime) -> None:
    if faults := rehearsal_objections(state, rehearsal, now):
        raise GuardError(
            "rehearsal",
            f"no rollback rehearsal counts for this release: {'; '.join(faults)}. Run "
            f"`signoff rehearse {state.model}`, then submit again.",
        )


def _may_sign(
    state: Deployment, signature: Signature, *, earlier: tuple[Signature, ...], roles: tuple[Role, ...]
) -> None:
    if signature.role not in roles:
        raise GuardError("role", f"role {signature.role.value} is not among {', '.join(r.value for r in roles)}.")
    if (weak := too_weak(state.policy, signature)) is not None:
        raise GuardError("tier", weak)
    if (against := objection((signature.person,), state.barred, state.grounds)) is not None:
        raise GuardError("independence", f"{signature.person} {against}, and may not sign for this release.")
    if (twice := next((s.person for s in earlier if are_alike((s.person,), (signature.person,))), None)) is not None:
        alike = "" if twice == signature.person else f", whose name looks like {signature.person},"
        raise GuardError("person_twice", f"{twice}{alike} has signed already; a person counts once over all roles.")
    if any(s.role is signature.role for s in earlier):
        raise GuardError("role_twice", f"role {signature.role.value} has signed already.")


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "nothing yet"
