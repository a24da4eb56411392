"""Changes of the installation's policy by two people: what may be proposed, and who may confirm it."""

from datetime import datetime
from typing import NoReturn

from signoff.domain.errors import NotFoundError, RefusedError, TamperedError
from signoff.domain.events import Credential
from signoff.domain.floor import differences
from signoff.domain.installation_policy import InstallationPolicy, PolicyProposal, may_sign
from signoff.domain.look_alikes import are_alike
from signoff.domain.people import People, Person
from signoff.domain.permissions import DUTY_OF, MATRIX, Permission, permitted
from signoff.domain.policy import Policy, Role


def signed_in_a_role_that(role: Role, verb: Permission) -> None:
    """Refuse a signature in a role that may not change the policy, even if the person has another role that may."""
    if not may_sign(role, verb):
        able = ", ".join(other.value for other in DUTY_OF if verb in MATRIX[DUTY_OF[other]])
        raise RefusedError(f"The policy is changed by two of {able}; found {role.value}. Sign in one of these roles.")


def propose(state: InstallationPolicy, present: Policy | None, policy: Policy, role: Role) -> None:
    """Refuse a proposal of the policy in force; `present` is the confirmed policy."""
    signed_in_a_role_that(role, Permission.PROPOSE_POLICY)
    if present is not None and not differences(present, policy):
        raise RefusedError(
            f"This policy is in force already, as version {state.number} (digest {state.digest[:12]}…). Propose "
            "one that differs."
        )


def is_new(state: InstallationPolicy, identity: str, now: datetime) -> None:
    """Refuse a proposal that is already open."""
    for waiting in state.open_at(now):
        if waiting.id == identity:
            raise RefusedError(
                f"{waiting.proposed_by} proposed this very policy already, as {identity}. Another person confirms "
                f"it: signoff policy confirm {identity}"
            )


def open_proposal(state: InstallationPolicy, identity: str, now: datetime) -> PolicyProposal:
    """The proposal of this id, which a second person may still confirm."""
    waiting = state.open_at(now)
    match = next((ids for ids in waiting if ids.id == identity), None)
    if match is not None:
        return match
    if (over := state.proposals.get(identity)) is not None:
        raise RefusedError(
            f"The policy proposal {identity} of {over.proposed_by} expired at {over.expires_at:%Y-%m-%d %H:%M}Z. "
            "Propose the policy again."
        )
    ids = ", ".join(proposal.id for proposal in waiting) or "none"
    raise NotFoundError(
        f"Expected a policy proposal that is open, found {identity!r}; open are: {ids}. A proposal ends when it "
        "is declined, and when any policy is confirmed. `signoff policy show` lists what is open."
    )


def confirm(people: People, proposal: PolicyProposal, name: str, role: Role) -> tuple[Person, Credential | None]:
    """The proposal's signature, if another person confirms it and the proposer still has role and key."""
    signed_in_a_role_that(role, Permission.CONFIRM_POLICY)
    person, first = people.named(name), people.by_name.get(proposal.proposed_by)
    known_as = first.known_as if first is not None else (proposal.proposed_by,)
    if are_alike(person.known_as, known_as):
        also = "" if person.name == proposal.proposed_by else f", who is known as {person.name}"
        raise RefusedError(
            f"{proposal.proposed_by}{also} proposed this policy, so another person has to confirm it. It waits "
            f"until {proposal.expires_at:%Y-%m-%d %H:%M}Z."
        )
    signed = proposal.signature
    if first is None or signed.role not in first.roles:
        raise RefusedError(
            f"{proposal.proposed_by} no longer holds the role {signed.role.value}, in which they proposed this "
            "policy. A person with that role has to propose it."
        )
    credential = first.credential(signed.key_id)
    if signed.key_id != first.key_id and credential is None:
        raise RefusedError(
            f"{proposal.proposed_by} no longer holds the key that this proposal was signed with. Let them propose "
            "it again."
        )
    return first, credential


def refuse_other_bytes(proposal: PolicyProposal) -> NoReturn:
    """Refuse to confirm a policy that is not, byte for byte, the one its proposer signed."""
    raise TamperedError(
        f"The policy that is stored as {proposal.id} is not the one that {proposal.proposed_by} signed; "
        "nothing was confirmed. `signoff verify` says what else was altered."
    )


def decline(person: Person) -> None:
    """Refuse a person who may not decline a policy."""
    if Permission.CONFIRM_POLICY not in permitted(person.duties):
        raise RefusedError(f"{person.name} may not decide on the policy; a person who may confirm it can decline it.")
