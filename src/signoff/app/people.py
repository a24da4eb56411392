"""Who people are: whom they are enrolled as, what they may do, and how they become known.

Whoever owns the installation acts alone, at the machine itself. Over the network a change that gives power is proposed
by an administrator and takes effect when a second person confirms it; one that takes power away takes effect at once.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from signoff.app.record import PEOPLE, Record, StreamChange
from signoff.domain import decisions
from signoff.domain.access import AccessRole
from signoff.domain.decisions.people import Enrolment
from signoff.domain.events import (
    AnyEvent,
    BootstrapIssued,
    BootstrapUsed,
    DutiesGranted,
    EnrolmentConfirmed,
    EnrolmentDeclined,
    EnrolmentProposed,
    PersonEnrolled,
    SubjectBound,
    SubjectUnbound,
)
from signoff.domain.people import People, Person, Proposal
from signoff.domain.policy import Role
from signoff.ledger.canonical import digest
from signoff.ledger.codec import encode_state
from signoff.ledger.envelope import key_id as identity_of

OPEN_FOR: Final = timedelta(days=7)
BOOTSTRAP_LASTS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The one-time secret by which the first administrator comes in; it is shown once."""

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
    """Let a person sign in these roles with this key; enrolling the same again changes nothing.

    `key_made_by` is who made the private key, where it was not the person. A key keeps this mark for good.
    A key in use is replaced only where `is_replacing` says that this is meant; what the other one signs is then marked.
    """
    people = record.people()
    known = people.by_name.get(name)
    event = PersonEnrolled(
        name=name,
        roles=roles,
        key_id=key_id,
        public_key=public_key,
        note=note,
        logins=logins,
        key_made_by=made_by(people, name, key_id) or key_made_by,
        replaces_key=is_replacing and decisions.people.takes_a_place(known, key_id),
        key_replaced=_replaced(record, known, key_id, actor),
    )
    if known is not None and (known.roles, known.key_id, known.logins, known.key_made_by) == (
        roles,
        key_id,
        logins or known.logins,
        event.key_made_by,
    ):
        return
    decisions.people.takes_effect(people, event)
    decisions.people.is_meant_to_replace(known, event, partial(_in_use_since, record))
    _commit(record, people, event, actor=actor, key=f"enrol:{name}:{key_id}:{people.revision}")


def _replaced(record: Record, known: Person | None, key_id: str, actor: str) -> str:
    """When a key took the place of one in use and by whom; a key keeps this mark, and so does who dropped theirs."""
    if known is None or known.key_id == key_id:
        return "" if known is None else known.key_replaced
    if not known.key_id and not known.key_replaced:
        return ""
    return f"on {record.now():%Y-%m-%d} by {actor}{record.proof.mark}"


def _in_use_since(record: Record, known: Person) -> datetime | None:
    """When the key of a person was enrolled."""
    since = None
    for recorded in record.history(PEOPLE):
        if isinstance(recorded.event, PersonEnrolled) and recorded.event.name == known.name:
            since = (since or recorded.at) if recorded.event.key_id == known.key_id else None
    return since


def made_by(people: People, name: str, key_id: str) -> str:
    """Who else made this key of a person, as far as it is on record; empty where nobody did, or it is another key."""
    known = people.by_name.get(name)
    return known.key_made_by if known is not None and known.key_id == key_id else ""


def grant(record: Record, name: str, duties: frozenset[AccessRole], *, actor: str) -> None:
    """Give a person duties beside those of their roles. Only for who owns the installation: nobody confirms it."""
    people = record.people()
    held = people.by_name[name].duties if name in people.by_name else frozenset[AccessRole]()
    granted = DutiesGranted(name=name, duties=tuple(sorted(duties - held)))
    decisions.people.takes_effect(people, DutiesGranted(name=name, duties=tuple(sorted(duties))))
    if granted.duties:
        _commit(record, people, granted, actor=actor, key=f"grant:{name}:{people.revision}")


def bind(record: Record, name: str, *, issuer: str, subject: str, actor: str) -> None:
    """Let the person whom the provider calls this come in as a person known here."""
    people = record.people()
    event = SubjectBound(name=name, issuer=issuer, subject=subject)
    if people.bound_to(issuer, subject) == name:
        return
    decisions.people.takes_effect(people, event)
    _commit(record, people, event, actor=actor, key=f"bind:{issuer}:{subject}:{people.revision}")


def propose(record: Record, change: Enrolment, *, actor: str) -> Proposal:
    """Put a change before a second person; proposing the same again finds the open proposal."""
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
    said = encode_state(change)
    identity = digest(b"%s:%d:%s" % (actor.encode(), people.revision, said))[:16]
    event = EnrolmentProposed(proposal=identity, change=change, expires_at=now + OPEN_FOR)
    _commit(record, people, event, actor=actor, key=f"propose:{identity}")
    return record.people().proposals[identity]


def confirm(record: Record, identity: str, *, actor: str) -> Proposal:
    """Let a proposed change take effect. The one who proposed it and the one it is about do not confirm it."""
    people = record.people()
    proposal = decisions.people.open_proposal(people, identity, record.now())
    decisions.people.confirm(people, proposal, actor)
    change = proposal.change
    if isinstance(change, PersonEnrolled):
        known = people.by_name.get(change.name)
        decisions.people.is_meant_to_replace(known, change, partial(_in_use_since, record))
        change = replace(change, key_replaced=_replaced(record, known, change.key_id, actor))
    events = (EnrolmentConfirmed(proposal=identity), change)
    _commit(record, people, *events, actor=actor, key=f"confirm:{identity}")
    return proposal


def decline(record: Record, identity: str, *, actor: str) -> Proposal:
    """Put a proposed change away; whoever may confirm, and whoever proposed it, may decline."""
    people = record.people()
    proposal = decisions.people.open_proposal(people, identity, record.now())
    _commit(record, people, EnrolmentDeclined(proposal=identity), actor=actor, key=f"decline:{identity}")
    return proposal


def withdraw(record: Record, name: str, powers: frozenset[AccessRole | Role], *, reason: str, actor: str) -> None:
    """Take duties and roles from a person at once; what they signed before keeps its force and its name."""
    people = record.people()
    event = decisions.people.withdraw(people.named(name), powers, reason)
    _commit(record, people, event, actor=actor, key=f"withdraw:{name}:{people.revision}")


def unbind(record: Record, *, issuer: str, subject: str, actor: str) -> None:
    """Let an identity of the provider come in no more, from the next request on."""
    people = record.people()
    decisions.people.unbind(people, issuer, subject)
    event = SubjectUnbound(issuer=issuer, subject=subject)
    _commit(record, people, event, actor=actor, key=f"unbind:{issuer}:{subject}:{people.revision}")


def invite(record: Record, name: str, *, actor: str) -> Invitation:
    """A one-time way in for the first administrator, for an hour; none once the provider knows an administrator."""
    people = record.people()
    decisions.people.invite(people, DutiesGranted(name=name, duties=(AccessRole.ADMINISTRATOR,)))
    secret = secrets.token_urlsafe(32)
    event = BootstrapIssued(name=name, digest=digest(secret.encode()), expires_at=record.now() + BOOTSTRAP_LASTS)
    _commit(record, people, event, actor=actor, key=f"bootstrap:{event.digest[:16]}")
    return Invitation(name=name, secret=secret)


def come_in(record: Record, given: str, *, issuer: str, subject: str) -> str:
    """The name of the invited administrator, bound to this identity from now on; works once.

    `given` is the SHA-256 of the invitation's secret, in hex.
    """
    people = record.people()
    known = (b for b in people.bootstraps.values() if hmac.compare_digest(b.digest, given))
    invited = decisions.people.invited(people, known, record.now())
    granted = DutiesGranted(name=invited.name, duties=(AccessRole.ADMINISTRATOR,))
    bound = decisions.people.come_in(people, SubjectBound(name=invited.name, issuer=issuer, subject=subject), granted)
    events: tuple[AnyEvent, ...] = (BootstrapUsed(name=invited.name), granted, *bound)
    _commit(record, people, *events, actor=invited.name, key=f"bootstrapped:{given[:16]}")
    return invited.name


def _own_id(public_key: str) -> str | None:
    """The id that a public key in hex has; None where it is no such key."""
    try:
        return identity_of(bytes.fromhex(public_key))
    except ValueError:
        return None


def _commit(record: Record, people: People, *events: AnyEvent, actor: str, key: str) -> None:
    state = people if people.revision else None
    record.commit(StreamChange(stream=PEOPLE, state=state, events=events), actor=actor, key=key)
