"""Enrolment, access roles, identities and invitations: changes that a second person's consent could not make valid."""

from collections.abc import Callable, Iterable
from datetime import datetime

from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import DutiesGranted, DutiesWithdrawn, Enrolment, PersonEnrolled, SubjectBound
from signoff.domain.people import Bootstrap, People, Person, Proposal
from signoff.domain.permissions import DUTY_OF, AccessRole, compatible
from signoff.domain.policy import Role


def takes_effect(people: People, change: Enrolment) -> None:
    """Refuse a change that a second person's consent could not make valid."""
    person = people.by_name.get(change.name)
    match change:
        case PersonEnrolled():
            compatible({*(person.granted if person else ()), *(DUTY_OF[role] for role in change.roles)})
            for other in people.by_name.values():
                if other.name != change.name:
                    _is_not(other, change)
        case DutiesGranted():
            compatible((person.duties if person else frozenset()) | set(change.duties))
        case SubjectBound():
            people.named(change.name)
            bound = people.bound_to(change.issuer, change.subject)
            if bound is not None and bound != change.name:
                raise RefusedError(
                    f"{change.subject} at {change.issuer} is bound to {bound}; one identity is one person's."
                )


def _is_not(other: Person, change: PersonEnrolled) -> None:
    if other.key_id and other.key_id == change.key_id:
        raise RefusedError(
            f"This key is {other.name}'s; one person signs with it under one name. Give {change.name} a key of their "
            "own."
        )
    if shared := sorted({*change.logins} & {*other.logins}):
        raise RefusedError(
            f"{', '.join(shared)} is what {other.name} is known as; a login is one person's. Enrol {other.name} again "
            "without it first, or correct it."
        )


def takes_a_place(person: Person | None, key_id: str) -> bool:
    """Whether this person has another key in use."""
    return person is not None and bool(person.key_id) and person.key_id != key_id


def is_meant_to_replace(
    person: Person | None, change: PersonEnrolled, in_use_since: Callable[[Person], datetime | None]
) -> None:
    """Refuse another key than the one in use, unless the change says that it replaces it."""
    if person is None or change.replaces_key or not takes_a_place(person, change.key_id):
        return
    since = in_use_since(person)
    in_use = "" if since is None else f" since {since:%Y-%m-%d %H:%M} UTC"
    new_key = f"the key {change.key_id[:16]}…" if change.key_id else "no key"
    raise RefusedError(
        f"Expected the key {person.key_id[:16]}… of {change.name}, which is in use{in_use}, found {new_key}. "
        "`signoff people add` without a key keeps it. With --replace-key it replaces it, and every signature made with "
        "the new key is then marked."
    )


def is_a_key(change: PersonEnrolled, own_id: str | None) -> None:
    """Refuse an invalid public key, or one with another id; a person with an authenticator has no key."""
    if not change.key_id and not change.public_key:
        return
    if own_id != change.key_id or len(change.public_key) != 64:
        raise BadInputError(
            f"Expected the public half of an Ed25519 key in hex with its own id, found {change.public_key[:16]!r}… "
            f"with {change.key_id[:16]!r}…. Let `signoff people add` send it."
        )


def open_proposal(people: People, identity: str, now: datetime) -> Proposal:
    """The proposal of this id, which a second person may still confirm."""
    proposal = people.proposals.get(identity)
    if proposal is None or proposal.expires_at <= now:
        raise NotFoundError(f"Expected an open proposal, found {identity!r}; `signoff accounts proposals` lists them.")
    return proposal


def confirm(people: People, proposal: Proposal, actor: str) -> None:
    """Refuse a confirmation by the proposer, or by the person whom the change is about."""
    if actor == proposal.proposed_by:
        raise RefusedError(f"{actor} proposed this; it takes a second person to confirm it.")
    if actor == proposal.change.name:
        raise RefusedError(f"This is about {actor}; it takes another person to confirm it.")
    takes_effect(people, proposal.change)


def withdraw(person: Person, powers: frozenset[AccessRole | Role], reason: str) -> DutiesWithdrawn:
    """Withdraw from a person those of these access roles and roles that they have."""
    roles = tuple(role for role in person.roles if role in powers)
    duties = tuple(duty for duty in person.granted if duty in powers)
    if not roles and not duties:
        powers_held = ", ".join([*(r.value for r in person.roles), *(d.value for d in person.granted)]) or "nothing"
        raise NotFoundError(f"{person.name} holds none of these; they hold: {powers_held}.")
    return DutiesWithdrawn(name=person.name, duties=duties, roles=roles, reason=reason)


def unbind(people: People, issuer: str, subject: str) -> None:
    """Refuse to unbind an identity that is not bound."""
    if people.bound_to(issuer, subject) is None:
        raise NotFoundError(f"No person is bound to {subject} at {issuer}; `signoff accounts list` shows who is.")


def invite(people: People, granted: DutiesGranted) -> None:
    """Refuse a bootstrap once an administrator can sign in."""
    if people.has_bound_administrator:
        raise RefusedError(
            "An administrator can sign in already, so there is no bootstrap; they enrol the next one, and a second "
            "person confirms."
        )
    takes_effect(people, granted)


def invited(people: People, bootstraps: Iterable[Bootstrap], now: datetime) -> Bootstrap:
    """The valid invitation: unused, not expired, and needed."""
    invitation = next((b for b in bootstraps if not b.is_used and b.expires_at > now), None)
    if invitation is None or people.has_bound_administrator:
        raise RefusedError(
            "This bootstrap link was used, is over, or is not needed any more. The owner of the installation makes "
            "another with `signoff accounts bootstrap NAME`."
        )
    return invitation


def come_in(people: People, bound: SubjectBound, granted: DutiesGranted) -> tuple[SubjectBound, ...]:
    """The event that binds the invited administrator, if they are not bound yet."""
    takes_effect(people, granted)
    holder = people.bound_to(bound.issuer, bound.subject)
    if holder is not None and holder != bound.name:
        raise RefusedError(f"{bound.subject} at {bound.issuer} is bound to another person; sign in as {bound.name}.")
    return (bound,) if holder is None else ()
