"""Who people are: whom they are enrolled as, what they may do, and how they become known.

Whoever owns the installation acts alone, at the machine itself. Over the network a change that gives power is proposed
by an administrator and takes effect when a second person confirms it; one that takes power away takes effect at once.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from signoff.app.record import PEOPLE, Change, Record
from signoff.domain.access import DUTY_OF, Duty, compatible
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import (
    AnyEvent,
    BootstrapIssued,
    BootstrapUsed,
    DutiesGranted,
    DutiesWithdrawn,
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
Enrolment = PersonEnrolled | DutiesGranted | SubjectBound


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
        replaces_key=is_replacing and _takes_a_place(known, key_id),
        key_replaced=_replaced(record, known, key_id, actor),
    )
    if known is not None and (known.roles, known.key_id, known.logins, known.key_made_by) == (
        roles,
        key_id,
        logins or known.logins,
        event.key_made_by,
    ):
        return
    _check(people, event)
    _must_mean_to_replace(record, known, event)
    _commit(record, people, event, actor=actor, key=f"enrol:{name}:{key_id}:{people.revision}")


def _takes_a_place(known: Person | None, key_id: str) -> bool:
    """Whether this person has another key in use."""
    return known is not None and bool(known.key_id) and known.key_id != key_id


def _replaced(record: Record, known: Person | None, key_id: str, actor: str) -> str:
    """When a key took the place of one in use and by whom; a key keeps this mark, and so does who dropped theirs."""
    if known is None or known.key_id == key_id:
        return "" if known is None else known.key_replaced
    if not known.key_id and not known.key_replaced:
        return ""
    return f"on {record.now():%Y-%m-%d} by {actor}{record.proof.mark}"


def _in_use_since(record: Record, name: str, key_id: str) -> str:
    """When a person's key was enrolled, as a message says it."""
    since = None
    for recorded in record.history(PEOPLE):
        if isinstance(recorded.event, PersonEnrolled) and recorded.event.name == name:
            since = (since or recorded.at) if recorded.event.key_id == key_id else None
    return "" if since is None else f" since {since:%Y-%m-%d %H:%M} UTC"


def made_by(people: People, name: str, key_id: str) -> str:
    """Who else made this key of a person, as far as it is on record; empty where nobody did, or it is another key."""
    known = people.by_name.get(name)
    return known.key_made_by if known is not None and known.key_id == key_id else ""


def grant(record: Record, name: str, duties: frozenset[Duty], *, actor: str) -> None:
    """Give a person duties beside those of their roles. Only for who owns the installation: nobody confirms it."""
    people = record.people()
    held = people.by_name[name].duties if name in people.by_name else frozenset[Duty]()
    granted = DutiesGranted(name=name, duties=tuple(sorted(duties - held)))
    _check(people, DutiesGranted(name=name, duties=tuple(sorted(duties))))
    if granted.duties:
        _commit(record, people, granted, actor=actor, key=f"grant:{name}:{people.revision}")


def bind(record: Record, name: str, *, issuer: str, subject: str, actor: str) -> None:
    """Let the person whom the provider calls this come in as a person known here."""
    people = record.people()
    event = SubjectBound(name=name, issuer=issuer, subject=subject)
    if people.bound_to(issuer, subject) == name:
        return
    _check(people, event)
    _commit(record, people, event, actor=actor, key=f"bind:{issuer}:{subject}:{people.revision}")


def propose(record: Record, change: Enrolment, *, actor: str) -> Proposal:
    """Put a change before a second person; proposing the same again finds the open proposal."""
    people, now = record.people(), record.now()
    if isinstance(change, PersonEnrolled):
        change = replace(
            change,
            key_made_by=made_by(people, change.name, change.key_id) or change.key_made_by,
            replaces_key=change.replaces_key and _takes_a_place(people.by_name.get(change.name), change.key_id),
            key_replaced="",
        )
    for open_one in people.proposals.values():
        if open_one.change == change and open_one.expires_at > now:
            return open_one
    _check(people, change)
    if isinstance(change, PersonEnrolled):
        _must_mean_to_replace(record, people.by_name.get(change.name), change)
        _check_key(change)
    said = encode_state(change)
    identity = digest(b"%s:%d:%s" % (actor.encode(), people.revision, said))[:16]
    event = EnrolmentProposed(proposal=identity, change=change, expires_at=now + OPEN_FOR)
    _commit(record, people, event, actor=actor, key=f"propose:{identity}")
    return record.people().proposals[identity]


def confirm(record: Record, identity: str, *, actor: str) -> Proposal:
    """Let a proposed change take effect. The one who proposed it and the one it is about do not confirm it."""
    people = record.people()
    proposal = _open(people, identity, record)
    if actor == proposal.proposed_by:
        raise RefusedError(f"{actor} proposed this; it takes a second person to confirm it.")
    if actor == proposal.change.name:
        raise RefusedError(f"This is about {actor}; it takes another person to confirm it.")
    change = proposal.change
    _check(people, change)
    if isinstance(change, PersonEnrolled):
        known = people.by_name.get(change.name)
        _must_mean_to_replace(record, known, change)
        change = replace(change, key_replaced=_replaced(record, known, change.key_id, actor))
    events = (EnrolmentConfirmed(proposal=identity), change)
    _commit(record, people, *events, actor=actor, key=f"confirm:{identity}")
    return proposal


def decline(record: Record, identity: str, *, actor: str) -> Proposal:
    """Put a proposed change away; whoever may confirm, and whoever proposed it, may decline."""
    people = record.people()
    proposal = _open(people, identity, record)
    _commit(record, people, EnrolmentDeclined(proposal=identity), actor=actor, key=f"decline:{identity}")
    return proposal


def withdraw(record: Record, name: str, powers: frozenset[Duty | Role], *, reason: str, actor: str) -> None:
    """Take duties and roles from a person at once; what they signed before keeps its force and its name."""
    people = record.people()
    person = people.named(name)
    roles = tuple(role for role in person.roles if role in powers)
    duties = tuple(duty for duty in person.granted if duty in powers)
    if not roles and not duties:
        held = ", ".join([*(r.value for r in person.roles), *(d.value for d in person.granted)]) or "nothing"
        raise NotFoundError(f"{name} holds none of these; they hold: {held}.")
    event = DutiesWithdrawn(name=name, duties=duties, roles=roles, reason=reason)
    _commit(record, people, event, actor=actor, key=f"withdraw:{name}:{people.revision}")


def unbind(record: Record, *, issuer: str, subject: str, actor: str) -> None:
    """Let an identity of the provider come in no more, from the next request on."""
    people = record.people()
    if people.bound_to(issuer, subject) is None:
        raise NotFoundError(f"Nobody is bound to {subject} at {issuer}; `signoff accounts list` shows who is.")
    event = SubjectUnbound(issuer=issuer, subject=subject)
    _commit(record, people, event, actor=actor, key=f"unbind:{issuer}:{subject}:{people.revision}")


def invite(record: Record, name: str, *, actor: str) -> Invitation:
    """A one-time way in for the first administrator, for an hour; none once the provider knows an administrator."""
    people = record.people()
    if people.has_bound_administrator:
        raise RefusedError(
            "An administrator can sign in already, so there is no bootstrap; they enrol the next one, and a second "
            "person confirms."
        )
    _check(people, DutiesGranted(name=name, duties=(Duty.ADMINISTRATOR,)))
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
    invited = next((b for b in known if not b.is_used and b.expires_at > record.now()), None)
    if invited is None or people.has_bound_administrator:
        raise RefusedError(
            "This bootstrap link was used, is over, or is not needed any more. The owner of the installation makes "
            "another with `signoff accounts bootstrap NAME`."
        )
    bound = SubjectBound(name=invited.name, issuer=issuer, subject=subject)
    granted = DutiesGranted(name=invited.name, duties=(Duty.ADMINISTRATOR,))
    _check(people, granted)
    events: list[AnyEvent] = [BootstrapUsed(name=invited.name), granted]
    if people.bound_to(issuer, subject) is None:
        events.append(bound)
    elif people.bound_to(issuer, subject) != invited.name:
        raise RefusedError(f"{subject} at {issuer} is bound to another person; sign in as {invited.name}.")
    _commit(record, people, *events, actor=invited.name, key=f"bootstrapped:{given[:16]}")
    return invited.name


def _open(people: People, identity: str, record: Record) -> Proposal:
    proposal = people.proposals.get(identity)
    if proposal is None or proposal.expires_at <= record.now():
        raise NotFoundError(f"Expected an open proposal, found {identity!r}; `signoff accounts proposals` lists them.")
    return proposal


def _check(people: People, change: Enrolment) -> None:
    """Refuse what no second person could make right."""
    held = people.by_name[change.name].duties if change.name in people.by_name else frozenset[Duty]()
    match change:
        case PersonEnrolled():
            granted = people.by_name[change.name].granted if change.name in people.by_name else ()
            compatible({*granted, *(DUTY_OF[role] for role in change.roles)})
            for other in people.by_name.values():
                if other.key_id and other.key_id == change.key_id and other.name != change.name:
                    raise RefusedError(
                        f"This key is {other.name}'s; one person signs with it under one name. Give {change.name} a "
                        "key of their own."
                    )
                if shared := sorted({*change.logins} & {*other.logins} if other.name != change.name else ()):
                    raise RefusedError(
                        f"{', '.join(shared)} is what {other.name} is known as; a login is one person's. Enrol "
                        f"{other.name} again without it first, or correct it."
                    )
        case DutiesGranted():
            compatible(held | set(change.duties))
        case SubjectBound():
            people.named(change.name)
            bound = people.bound_to(change.issuer, change.subject)
            if bound is not None and bound != change.name:
                raise RefusedError(
                    f"{change.subject} at {change.issuer} is bound to {bound}; one identity is one person's."
                )


def _must_mean_to_replace(record: Record, known: Person | None, change: PersonEnrolled) -> None:
    if known is None or change.replaces_key or not _takes_a_place(known, change.key_id):
        return
    since = _in_use_since(record, known.name, known.key_id)
    found = f"the key {change.key_id[:16]}…" if change.key_id else "no key"
    raise RefusedError(
        f"Expected the key {known.key_id[:16]}… of {change.name}, which is in use{since}, found {found}. "
        "`signoff people add` without a key keeps it. With --replace-key it replaces it, and every signature made with "
        "the new key is then marked."
    )


def _check_key(change: PersonEnrolled) -> None:
    if not change.key_id and not change.public_key:
        return  # they sign with an authenticator alone
    try:
        is_its_own = identity_of(bytes.fromhex(change.public_key)) == change.key_id
    except ValueError:
        is_its_own = False
    if not is_its_own or len(change.public_key) != 64:
        raise BadInputError(
            f"Expected the public half of an Ed25519 key in hex with its own id, found {change.public_key[:16]!r}… "
            f"with {change.key_id[:16]!r}…. Let `signoff people add` send it."
        )


def _commit(record: Record, people: People, *events: AnyEvent, actor: str, key: str) -> None:
    state = people if people.revision else None
    record.commit(Change(stream=PEOPLE, state=state, events=events), actor=actor, key=key)
