"""People: their enrolment, roles and duties, and how the first administrator signs in.

The owner of the installation acts alone, on its machine. Over the network, an administrator proposes a change that
gives power, and a second person confirms it. A change that takes power away takes effect at once.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from signoff.app.record import PEOPLE, Record, StreamChange
from signoff.domain import decisions
from signoff.domain.events import (
    AnyEvent,
    BootstrapIssued,
    BootstrapUsed,
    DutiesGranted,
    Enrolment,
    EnrolmentConfirmed,
    EnrolmentDeclined,
    EnrolmentProposed,
    PersonEnrolled,
    SubjectBound,
    SubjectUnbound,
)
from signoff.domain.people import People, Person, Proposal
from signoff.domain.permissions import AccessRole
from signoff.domain.policy import Role
from signoff.ledger.canonical import digest
from signoff.ledger.codec import encode_state
from signoff.ledger.envelope import key_id as identity_of

OPEN_FOR: Final = timedelta(days=7)
BOOTSTRAP_LASTS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The one-time secret with which the first administrator signs in; it is shown once."""

    name: str
    secret: str = field(repr=False)


def enrol(
    record: Record,
    *,
    name: str,
    roles: tuple[Role, ...],
    key_id: str,
    public_key: str,
    actor: str,
    note: str = "",
    logins: tuple[str, ...] = (),
    key_made_by: str = "",
    is_replacing: bool = False,
) -> None:
    """Enrol a person in these roles with this key; repeating it changes nothing.

    `key_made_by` is who made the private key, if not the person; a key keeps this mark. A key in use is replaced only
    with `is_replacing`; signatures of the new key are then marked.
    """
    people = record.people()
    person = people.by_name.get(name)
    event = PersonEnrolled(
        name=name,
        roles=roles,
        key_id=key_id,
        public_key=public_key,
        note=note,
        logins=logins,
        key_made_by=made_by(people, name, key_id) or key_made_by,
        replaces_key=is_replacing and decisions.people.takes_a_place(person, key_id),
        key_replaced=_replaced(record, person, key_id, actor),
    )
    if person is not None and (person.roles, person.key_id, person.logins, person.key_made_by) == (
        roles,
        key_id,
        logins or person.logins,
        event.key_made_by,
    ):
        return
    decisions.people.takes_effect(people, event)
    decisions.people.is_meant_to_replace(person, event, partial(_in_use_since, record))
    _commit(record, people, event, actor=actor, key=f"enrol:{name}:{key_id}:{people.revision}")


def _replaced(record: Record, person: Person | None, key_id: str, actor: str) -> str:
    """By whom and when a key in use was replaced; the mark stays with the key, and with a person who dropped theirs."""
    if person is None or person.key_id == key_id:
        return "" if person is None else person.key_replaced
    if not person.key_id and not person.key_replaced:
        return ""
    return f"on {record.now():%Y-%m-%d} by {actor}{record.proof.mark}"


def _in_use_since(record: Record, person: Person) -> datetime | None:
    """Since when the person's present key is enrolled."""
    since = None
    for recorded in record.history(PEOPLE):
        if isinstance(recorded.event, PersonEnrolled) and recorded.event.name == person.name:
            since = (since or recorded.at) if recorded.event.key_id == person.key_id else None
    return since


def made_by(people: People, name: str, key_id: str) -> str:
    """Who else made this person's key, as recorded; empty if no one did, or for another key."""
    person = people.by_name.get(name)
    return person.key_made_by if person is not None and person.key_id == key_id else ""


def grant(record: Record, name: str, duties: frozenset[AccessRole], *, actor: str) -> None:
    """Give a person duties beside those of their roles. Only the installation's owner may: it needs no confirmation."""
    people = record.people()
    duties_before = people.by_name[name].duties if name in people.by_name else frozenset[AccessRole]()
    granted = DutiesGranted(name=name, duties=tuple(sorted(duties - duties_before)))
    decisions.people.takes_effect(people, DutiesGranted(name=name, duties=tuple(sorted(duties))))
    if granted.duties:
        _commit(record, people, granted, actor=actor, key=f"grant:{name}:{people.revision}")


def bind(record: Record, name: str, *, issuer: str, subject: str, actor: str) -> None:
    """Bind an identity of the provider to a person, who then signs in with it."""
    people = record.people()
    event = SubjectBound(name=name, issuer=issuer, subject=subject)
    if people.bound_to(issuer, subject) == name:
        return
    decisions.people.takes_effect(people, event)
    _commit(record, people, event, actor=actor, key=f"bind:{issuer}:{subject}:{people.revision}")


def propose(record: Record, change: Enrolment, *, actor: str) -> Proposal:
    """Propose a change to a second person; proposing the same again returns the open proposal."""
    people, now = record.people(), record.now()
    if isinstance(change, PersonEnrolled):
        change = replace(
            change,
            key_made_by=made_by(people, change.name, change.key_id) or change.key_made_by,
            replaces_key=change.replaces_key
            and decisions.people.takes_a_place(people.by_name.get(change.name), change.key_id),
            key_replaced="",
        )
    for open_one in people.proposals.values():
        if open_one.change == change and open_one.expires_at > now:
            return open_one
    decisions.people.takes_effect(people, change)
    if isinstance(change, PersonEnrolled):
        decisions.people.is_meant_to_replace(people.by_name.get(change.name), change, partial(_in_use_since, record))
        decisions.people.is_a_key(change, _own_id(change.public_key))
    content = encode_state(change)
    proposal_id = digest(b"%s:%d:%s" % (actor.encode(), people.revision, content))[:16]
    event = EnrolmentProposed(proposal=proposal_id, change=change, expires_at=now + OPEN_FOR)
    _commit(record, people, event, actor=actor, key=f"propose:{proposal_id}")
    return record.people().proposals[proposal_id]


def confirm(record: Record, proposal_id: str, *, actor: str) -> Proposal:
    """Confirm a proposed change, which takes effect. Its proposer and its subject may not confirm it."""
    people = record.people()
    proposal = decisions.people.open_proposal(people, proposal_id, record.now())
    decisions.people.confirm(people, proposal, actor)
    change = proposal.event
    if isinstance(change, PersonEnrolled):
        person = people.by_name.get(change.name)
        decisions.people.is_meant_to_replace(person, change, partial(_in_use_since, record))
        change = replace(change, key_replaced=_replaced(record, person, change.key_id, actor))
    events = (EnrolmentConfirmed(proposal=proposal_id), change)
    _commit(record, people, *events, actor=actor, key=f"confirm:{proposal_id}")
    return proposal


def decline(record: Record, proposal_id: str, *, actor: str) -> Proposal:
    """Decline a proposed change; its proposer and all who may confirm it may decline."""
    people = record.people()
    proposal = decisions.people.open_proposal(people, proposal_id, record.now())
    _commit(record, people, EnrolmentDeclined(proposal=proposal_id), actor=actor, key=f"decline:{proposal_id}")
    return proposal


def withdraw(record: Record, name: str, powers: frozenset[AccessRole | Role], *, reason: str, actor: str) -> None:
    """Take duties and roles from a person at once; earlier signatures stay valid."""
    people = record.people()
    event = decisions.people.withdraw(people.named(name), powers, reason)
    _commit(record, people, event, actor=actor, key=f"withdraw:{name}:{people.revision}")


def unbind(record: Record, *, issuer: str, subject: str, actor: str) -> None:
    """Unbind an identity of the provider; its next request is refused."""
    people = record.people()
    decisions.people.unbind(people, issuer, subject)
    event = SubjectUnbound(issuer=issuer, subject=subject)
    _commit(record, people, event, actor=actor, key=f"unbind:{issuer}:{subject}:{people.revision}")


def invite(record: Record, name: str, *, actor: str) -> Invitation:
    """Invite the first administrator for an hour; refused once an administrator is bound to the provider."""
    people = record.people()
    decisions.people.invite(people, DutiesGranted(name=name, duties=(AccessRole.ADMINISTRATOR,)))
    secret = secrets.token_urlsafe(32)
    event = BootstrapIssued(name=name, digest=digest(secret.encode()), expires_at=record.now() + BOOTSTRAP_LASTS)
    _commit(record, people, event, actor=actor, key=f"bootstrap:{event.digest[:16]}")
    return Invitation(name=name, secret=secret)


def come_in(record: Record, secret_digest: str, *, issuer: str, subject: str) -> str:
    """Bind this identity to the invited administrator, once; returns their name.

    `secret_digest` is the SHA-256 of the invitation's secret, in hex.
    """
    people = record.people()
    invitations = (b for b in people.bootstraps.values() if hmac.compare_digest(b.digest, secret_digest))
    invited = decisions.people.invited(people, invitations, record.now())
    granted = DutiesGranted(name=invited.name, duties=(AccessRole.ADMINISTRATOR,))
    bound = decisions.people.come_in(people, SubjectBound(name=invited.name, issuer=issuer, subject=subject), granted)
    events: tuple[AnyEvent, ...] = (BootstrapUsed(name=invited.name), granted, *bound)
    _commit(record, people, *events, actor=invited.name, key=f"bootstrapped:{secret_digest[:16]}")
    return invited.name


def _own_id(public_key: str) -> str | None:
    """The id of a public key in hex; None if it is malformed."""
    try:
        return identity_of(bytes.fromhex(public_key))
    except ValueError:
        return None


def _commit(record: Record, people: People, *events: AnyEvent, actor: str, key: str) -> None:
    state = people if people.revision else None
    record.commit(StreamChange(stream=PEOPLE, state=state, events=events), actor=actor, key=key)
