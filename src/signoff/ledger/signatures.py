"""Check each person's signature in the order of the history: key, role and signed bytes as of its event."""

from dataclasses import dataclass, field, replace

from signoff.domain.conflict_of_interest import objection, read_alike
from signoff.domain.errors import TamperedError
from signoff.domain.events import (
    Adopted,
    AnyEvent,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    DeployerSigned,
    DutiesWithdrawn,
    Opened,
    OverrideSigned,
    PersonEnrolled,
    PolicyConfirmed,
    PolicyProposed,
    RearmSigned,
    Recorded,
    Signature,
    Validated,
    Vote,
)
from signoff.domain.floor import content_digest, falls_short
from signoff.domain.installation_policy import is_same_person, may_sign
from signoff.domain.permissions import Permission
from signoff.domain.policy import Policy, Tier
from signoff.domain.statement import Statement
from signoff.ledger.codec import decode_state
from signoff.ledger.envelope import deployer_statement, opened, verify
from signoff.ledger.holders import Holders
from signoff.ledger.webauthn import verify_decision


@dataclass(slots=True)
class Signatories:
    """The people and keys enrolled so far, and the digests that each release asks to be signed."""

    people: dict[str, PersonEnrolled] = field(default_factory=dict)
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    opened: dict[str, Opened] = field(default_factory=dict)
    holders: Holders = field(default_factory=Holders)
    proposed: dict[str, PolicyProposed] = field(default_factory=dict)
    policy: PolicyProposed | None = None
    replaced: PolicyProposed | None = None
    uncounted: str | None = None

    def learn(self, recorded: Recorded) -> None:
        """Take an event into account."""
        match recorded.event:
            case PersonEnrolled():
                person = self.people.get(recorded.event.name)
                logins = recorded.event.logins or (person.logins if person else ())
                self.people[recorded.event.name] = replace(recorded.event, logins=logins)
            case Opened():
                self.opened[recorded.stream] = recorded.event
            case PolicyProposed():
                self.proposed[recorded.event.proposal] = recorded.event
            case PolicyConfirmed():
                self.replaced = self.policy
                self.policy = self.proposed.get(recorded.event.proposal)
            case DutiesWithdrawn() if (person := self.people.get(recorded.event.name)) is not None:
                roles = tuple(role for role in person.roles if role not in recorded.event.roles)
                self.people[person.name] = replace(person, roles=roles)
            case _:
                pass
        self.uncounted = self.holders.take(recorded.event)
        if (asked := _asked(recorded.event, self.asked.get(recorded.stream, ()))) is not None:
            self.asked[recorded.stream] = asked

    def problems(self, recorded: Recorded) -> tuple[str, ...]:
        """The faults of the last event's signatures, or of the credential that it enrols."""
        own = (
            _problem(signature, self.people.get(signature.person), self.holders, recorded.stream)
            or _misplaced(recorded.event, self.asked.get(recorded.stream, ()))
            or self._not_independent(recorded, signature)
            or self._not_of_two(recorded.event, signature)
            for signature in signatures_of(recorded.event)
        )
        others = (self.uncounted, self._not_held(recorded.event), self._not_deployed(recorded))
        return tuple(problem for problem in (*own, *others) if problem)

    def _not_deployed(self, recorded: Recorded) -> str | None:
        """Why the deployer's signature is invalid."""
        event, opened_by = recorded.event, self.opened.get(recorded.stream)
        if not isinstance(event, DeployerSigned):
            return None
        person = self.people.get(event.person)
        if person is None or person.key_id != event.key_id or opened_by is None:
            return f"{event.person} signed section 12 with another key than the one enrolled by then"
        if event.manifest not in self.asked.get(recorded.stream, ())[-1:]:
            return f"{event.person} signed section 12 over {event.manifest[:12]}…, which was not put to signature here"
        expected = deployer_statement(
            manifest=event.manifest,
            deployment=opened_by.deployment,
            model=opened_by.model,
            version=opened_by.version,
            person=event.person,
            signed_at=event.signed_at,
        )
        try:
            is_of_start = opened(event.envelope, person.public_key) == expected
        except TamperedError as error:
            return f"the signature of {event.person} under section 12 does not hold: {error}"
        return None if is_of_start else f"the envelope of {event.person} was signed for another start than this one"

    def _not_of_two(self, event: AnyEvent, signature: Signature) -> str | None:
        """Why a policy was not confirmed by two people who may."""
        match event:
            case PolicyProposed():
                verb, verdict = Permission.PROPOSE_POLICY, Vote.PROPOSE_POLICY
            case PolicyConfirmed():
                verb, verdict = Permission.CONFIRM_POLICY, Vote.CONFIRM_POLICY
            case _:
                return None
        if not may_sign(signature.role, verb) or signature.verdict is not verdict:
            return f"{signature.person} signed as {signature.role} to {signature.verdict}, which changes no policy"
        in_force = self.replaced if isinstance(event, PolicyConfirmed) else self.policy
        if in_force is not None and not _is_strong(signature, in_force):
            return f"the signature of {signature.person} is weaker than the policy that was in force asks for"
        first = self.proposed.get(event.proposal)
        if isinstance(event, PolicyConfirmed) and first is not None:
            mine, other = self._known_as(signature.person), self._known_as(first.signature.person)
            if is_same_person(mine, other):
                return f"{signature.person} confirmed a policy that they proposed themselves"
        return None

    def _known_as(self, name: str) -> tuple[str, ...]:
        person = self.people.get(name)
        return (name,) if person is None else (name, *person.logins)

    def _not_held(self, event: AnyEvent) -> str | None:
        """Why a release was not opened under the policy in force at that time."""
        if not isinstance(event, Opened) or self.policy is None:
            return None
        policy, content = self.policy, self.policy.content
        if event.floor is None or (event.floor.number, event.floor.digest) != (policy.number, content_digest(content)):
            return f"it was opened under another policy than version {policy.number}, which was in force"
        lax = falls_short(decode_state(Policy, content.encode()), event.deployment_type, event.policy)
        return None if lax is None else f"it is held to less than version {policy.number} of the policy in {lax}"

    def _not_independent(self, recorded: Recorded, signature: Signature) -> str | None:
        """Why the signer has a conflict of interest; a rejection is still valid."""
        opened, person = self.opened.get(recorded.stream), self.people.get(signature.person)
        if opened is None or person is None or not isinstance(recorded.event, ApprovalSigned | OverrideSigned):
            return None
        against = objection((person.name, *person.logins), opened.barred, opened.grounds, are_same=read_alike)
        return None if against is None else f"{signature.person} signed, and may not: {signature.person} {against}"


def _is_strong(signature: Signature, in_force: PolicyProposed) -> bool:
    """Whether the signature is as strong as the policy in force requires of its role."""
    needed = decode_state(Policy, in_force.content.encode()).approvals.tier_for(signature.role)
    return signature.tier.reaches(needed)


def signatures_of(event: AnyEvent) -> tuple[Signature, ...]:
    """The signatures that an event carries."""
    match event:
        case OverrideSigned() | ApprovalSigned() | ApprovalRejected() | RearmSigned():
            return (event.signature,)
        case PolicyProposed() | PolicyConfirmed():
            return (event.signature,)
        case Adopted():
            return event.signatures
        case _:
            return ()


def _asked(event: AnyEvent, before: tuple[str, ...]) -> tuple[str, ...] | None:
    """The digests that a release asked to be signed, the present one last; None if the event changes none."""
    match event:
        case Validated():
            return (event.package,)
        case ApprovalRequested():
            return (*before, event.manifest)
        case _:
            return None


def _misplaced(event: AnyEvent, asked: tuple[str, ...]) -> str | None:
    """Why a valid signature does not belong here: it was given for other bytes."""
    match event:
        case ApprovalSigned():
            fitting = asked[-1:]
        case OverrideSigned():
            fitting = asked[:1]
        case ApprovalRejected():
            fitting = asked
        case _:
            return None
    signature = event.signature
    if signature.subject in fitting:
        return None
    return f"the signature of {signature.person} is over {signature.subject[:12]}…, which was not put to signature here"


def _problem(signature: Signature, person: PersonEnrolled | None, holders: Holders, stream: str) -> str | None:
    if person is None:
        return f"{signature.person} signed before being enrolled"
    if signature.role not in person.roles:
        return f"{signature.person} signed as {signature.role}, a role not held"
    try:
        statement = _signed_statement(signature, person, holders)
    except TamperedError as error:
        return f"the signature of {signature.person} does not hold: {error}"
    if statement.deployment not in {stream, stream.removeprefix("deployment/")}:
        return f"the signature of {signature.person} was given for {statement.deployment}"
    claims = ("subject", "person", "role", "verdict", "conditions", "reason", "signed_at", "expires_at")
    differing = [claim for claim in claims if getattr(statement, claim) != getattr(signature, claim)]
    return f"the envelope of {signature.person} says another {', '.join(differing)}" if differing else None


def _signed_statement(signature: Signature, person: PersonEnrolled, holders: Holders) -> Statement:
    """The signed statement, verified with the key or authenticator that counted then; else TamperedError."""
    if signature.tier is Tier.WEBAUTHN:
        credential = holders.credential(person.name, signature.key_id)
        if credential is None:
            raise TamperedError("It was made with an authenticator that did not count for them by then.")
        return verify_decision(signature.envelope, credential)
    if signature.key_id != person.key_id:
        raise TamperedError("It names another key than the one enrolled.")
    return verify(signature.envelope, person.public_key)
