"""Who may sign in which role with which key, access roles, tokens and identities: folded from `people`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from signoff.domain import events as e
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.permissions import DUTY_OF, AccessRole, Permission, Principal
from signoff.domain.policy import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person with all roles; a person who never signs has no key.

    `key_made_by` names another person who made the private key. `key_replaced` says when and by whom the key replaced
    one in use.
    """

    name: str
    roles: tuple[Role, ...]
    key_id: str
    public_key: str
    granted: tuple[AccessRole, ...] = ()
    credentials: tuple[e.Credential, ...] = ()
    logins: tuple[str, ...] = ()
    key_made_by: str = ""
    key_replaced: str = ""

    @property
    def known_as(self) -> tuple[str, ...]:
        """Their name and every declared login."""
        return (self.name, *self.logins)

    def credential(self, key_id: str) -> e.Credential | None:
        """Their credential with this key, or None."""
        return next((one for one in self.credentials if one.key_id == key_id), None)

    @property
    def duties(self) -> frozenset[AccessRole]:
        """The duties granted and those that the roles bring."""
        return frozenset(self.granted) | {DUTY_OF[role] for role in self.roles}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The token of a program; `digest` is the SHA-256 of a secret that is not stored."""

    id: str
    digest: str
    person: str
    scopes: tuple[Permission, ...]
    expires_at: datetime
    is_machine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change that waits for a second person."""

    id: str
    change: e.Enrolment
    proposed_by: str
    expires_at: datetime

    @property
    def event(self) -> e.EnrolmentEvent:
        """The event that a second person's confirmation records."""
        assert isinstance(self.change, e.EnrolmentEvent)
        return self.change


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """A link for one sign-in of an administrator, before the identity provider knows one."""

    name: str
    digest: str
    expires_at: datetime
    is_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderIdentity:
    """An identity at the provider, bound to a person."""

    issuer: str
    subject: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    revision: int = 0
    by_name: Mapping[str, Person] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    subjects: tuple[ProviderIdentity, ...] = ()
    bootstraps: Mapping[str, Bootstrap] = field(default_factory=dict)

    def named(self, name: str) -> Person:
        """The person of this name; NotFoundError lists the enrolled people."""
        try:
            return self.by_name[name]
        except KeyError:
            names = ", ".join(sorted(self.by_name)) or "none yet"
            message = (
                f"Expected an enrolled person, found {name!r}; enrolled are: {names}. "
                f"Enrol with `signoff people add NAME --role ROLE --public-key FILE`."
            )
            raise NotFoundError(message) from None

    def holding(self, name: str, role: Role) -> Person:
        """The person of this name, if they hold the role."""
        person = self.named(name)
        if role not in person.roles:
            roles = ", ".join(r.value for r in person.roles)
            message = (
                f"{name} does not hold the role {role.value}; they hold: {roles}. A signature counts only in a role."
            )
            raise RefusedError(message)
        return person

    def bound_to(self, issuer: str, subject: str) -> str | None:
        """The name of the person bound to this subject, or None."""
        return next((s.name for s in self.subjects if (s.issuer, s.subject) == (issuer, subject)), None)

    @property
    def has_bound_administrator(self) -> bool:
        """Whether the identity provider knows an administrator, so that no bootstrap is needed."""
        bound = {s.name for s in self.subjects}
        return any(p.name in bound and AccessRole.ADMINISTRATOR in p.duties for p in self.by_name.values())

    def principal(self, name: str, *, signed_in_at: datetime | None = None) -> Principal:
        """A person with their present access roles; a person who is not enrolled has none."""
        person = self.by_name.get(name)
        return Principal(
            name=name,
            duties=person.duties if person else frozenset(),
            roles=person.roles if person else (),
            signed_in_at=signed_in_at,
        )

    def bearer(self, token: Token) -> Principal:
        """The principal of a token: its person with present access roles, or a machine."""
        scopes = frozenset(token.scopes)
        if token.is_machine:
            return Principal(name=token.person, duties=frozenset({AccessRole.MACHINE}), scopes=scopes, is_machine=True)
        return replace(self.principal(token.person), scopes=scopes)


def evolve_people(state: People | None, recorded: e.Recorded) -> People:
    """The people after one more event; a later enrolment of the same name replaces key and roles."""
    people, event = state or People(), recorded.event
    step = _STEPS.get(type(event))
    if recorded.revision != people.revision + 1 or step is None:
        message = f"{event.kind!r} as revision {recorded.revision} does not follow revision {people.revision} of people"
        raise IllegalHistoryError(message)
    return replace(step(people, event, recorded), revision=recorded.revision)


def _with(people: People, person: Person) -> People:
    return replace(people, by_name={**people.by_name, person.name: person})


def _or_new(people: People, name: str) -> Person:
    return people.by_name.get(name) or Person(name=name, roles=(), key_id="", public_key="")


def _enrolled(people: People, event: e.PersonEnrolled, _recorded: e.Recorded) -> People:
    person = _or_new(people, event.name)
    enrolled = replace(
        person,
        roles=event.roles,
        key_id=event.key_id,
        public_key=event.public_key,
        key_made_by=event.key_made_by,
        key_replaced=event.key_replaced,
    )
    return _with(people, replace(enrolled, logins=event.logins or person.logins))


def _granted(people: People, event: e.DutiesGranted, _recorded: e.Recorded) -> People:
    person = _or_new(people, event.name)
    return _with(people, replace(person, granted=tuple(sorted({*person.granted, *event.duties}))))


def _withdrawn(people: People, event: e.DutiesWithdrawn, _recorded: e.Recorded) -> People:
    person = people.named(event.name)
    granted = tuple(duty for duty in person.granted if duty not in event.duties)
    return _with(people, replace(person, granted=granted, roles=tuple(r for r in person.roles if r not in event.roles)))


def _bound(people: People, event: e.SubjectBound, _recorded: e.Recorded) -> People:
    subject = ProviderIdentity(issuer=event.issuer, subject=event.subject, name=event.name)
    return replace(people, subjects=(*people.subjects, subject))


def _unbound(people: People, event: e.SubjectUnbound, _recorded: e.Recorded) -> People:
    gone = (event.issuer, event.subject)
    return replace(people, subjects=tuple(s for s in people.subjects if (s.issuer, s.subject) != gone))


def _token_issued(people: People, event: e.TokenIssued, recorded: e.Recorded) -> People:
    """The tokens with one more and without expired ones, which stay in the ledger."""
    token = Token(
        id=event.token,
        digest=event.digest,
        person=event.person,
        scopes=event.scopes,
        expires_at=event.expires_at,
        is_machine=event.is_machine,
    )
    alive = {name: other for name, other in people.tokens.items() if other.expires_at > recorded.at}
    return replace(people, tokens={**alive, token.id: token})


def _token_revoked(people: People, event: e.TokenRevoked, _recorded: e.Recorded) -> People:
    return replace(people, tokens={name: token for name, token in people.tokens.items() if name != event.token})


def _proposed(people: People, event: e.EnrolmentProposed, recorded: e.Recorded) -> People:
    proposal = Proposal(id=event.proposal, change=event.change, proposed_by=recorded.actor, expires_at=event.expires_at)
    alive = {name: other for name, other in people.proposals.items() if other.expires_at > recorded.at}
    return replace(people, proposals={**alive, proposal.id: proposal})


def _decided(people: People, event: e.EnrolmentConfirmed | e.EnrolmentDeclined, _recorded: e.Recorded) -> People:
    return replace(people, proposals={k: other for k, other in people.proposals.items() if k != event.proposal})


def _bootstrap_issued(people: People, event: e.BootstrapIssued, _recorded: e.Recorded) -> People:
    bootstrap = Bootstrap(name=event.name, digest=event.digest, expires_at=event.expires_at)
    return replace(people, bootstraps={**people.bootstraps, event.name: bootstrap})


def _bootstrap_used(people: People, event: e.BootstrapUsed, _recorded: e.Recorded) -> People:
    used = replace(people.bootstraps[event.name], is_used=True)
    return replace(people, bootstraps={**people.bootstraps, event.name: used})


def _credential_enrolled(people: People, event: e.CredentialEnrolled, _recorded: e.Recorded) -> People:
    person = people.named(event.name)
    return _with(people, replace(person, credentials=(*person.credentials, event.credential)))


def _credential_withdrawn(people: People, event: e.CredentialWithdrawn, _recorded: e.Recorded) -> People:
    person = people.named(event.name)
    return _with(people, replace(person, credentials=tuple(c for c in person.credentials if c.id != event.credential)))


_STEPS: Mapping[type[e.Event], Callable[[People, Any, e.Recorded], People]] = {
    e.PersonEnrolled: _enrolled,
    e.DutiesGranted: _granted,
    e.DutiesWithdrawn: _withdrawn,
    e.SubjectBound: _bound,
    e.SubjectUnbound: _unbound,
    e.TokenIssued: _token_issued,
    e.TokenRevoked: _token_revoked,
    e.EnrolmentProposed: _proposed,
    e.EnrolmentConfirmed: _decided,
    e.EnrolmentDeclined: _decided,
    e.BootstrapIssued: _bootstrap_issued,
    e.BootstrapUsed: _bootstrap_used,
    e.CredentialEnrolled: _credential_enrolled,
    e.CredentialWithdrawn: _credential_withdrawn,
}
