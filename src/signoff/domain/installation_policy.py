"""The installation's policy as a state: the version in force, and the open proposals.

Folded from the stream `policy`. A proposal is open until it expires, it is declined, or any proposal is confirmed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from signoff.domain import events as e
from signoff.domain.conflict_of_interest import read_alike
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.floor import content_digest, subject_of
from signoff.domain.permissions import DUTY_OF, MATRIX, Permission
from signoff.domain.policy import Role

ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposal:
    """A policy that one person signed. Its id is the start of the digest that both people sign."""

    id: str
    content: str
    signature: e.Signature
    expires_at: datetime

    @property
    def proposed_by(self) -> str:
        """The person who signed first."""
        return self.signature.person


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationPolicy:
    """`number` is 0 and `content` empty until two people have confirmed a policy."""

    revision: int = 0
    number: int = 0
    content: str = ""
    signatures: tuple[e.Signature, ...] = ()
    confirmed_at: datetime | None = None
    proposals: Mapping[str, PolicyProposal] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of the policy in force; empty until one is confirmed."""
        return content_digest(self.content) if self.content else ""

    def open_at(self, now: datetime) -> tuple[PolicyProposal, ...]:
        """The proposals that a second person may still confirm, oldest first."""
        unexpired = (proposal for proposal in self.proposals.values() if proposal.expires_at > now)
        return tuple(sorted(unexpired, key=lambda proposal: (proposal.signature.signed_at, proposal.id)))


def evolve_policy(state: InstallationPolicy | None, recorded: e.Recorded) -> InstallationPolicy:
    """The state after one more event of the stream; IllegalHistoryError for a version by one person alone."""
    policy = state or InstallationPolicy()
    if recorded.revision != policy.revision + 1:
        message = f"revision {recorded.revision} of {recorded.stream} follows {policy.revision}"
        raise IllegalHistoryError(message)
    policy = replace(policy, revision=recorded.revision)
    match recorded.event:
        case e.PolicyProposed() as event:
            return _proposed(policy, event, recorded.at)
        case e.PolicyConfirmed() as event:
            return _confirmed(policy, event, recorded.at)
        case e.PolicyDeclined() as event:
            _must(event.proposal in policy.proposals, "a proposal was declined that was not open")
            return replace(policy, proposals={k: p for k, p in policy.proposals.items() if k != event.proposal})
        case other:
            message = f"{other.kind!r} does not belong to {recorded.stream}"
            raise IllegalHistoryError(message)


def is_same_person(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two people share a name or login and so are one person."""
    return read_alike(one, other)


def may_sign(role: Role, verb: Permission) -> bool:
    """Whether a signature in this role counts for proposing or confirming a policy."""
    return verb in MATRIX[DUTY_OF[role]]


def _proposed(policy: InstallationPolicy, event: e.PolicyProposed, at: datetime) -> InstallationPolicy:
    subject = subject_of(event.number, event.replaces, event.content)
    _must((event.number, event.replaces) == (policy.number + 1, policy.digest), "a proposal follows another policy")
    _must(event.signature.subject == subject, "a proposal was signed for other bytes")
    _must(event.proposal == subject[:ID_DIGITS], "a proposal has another id than its bytes give")
    proposal = PolicyProposal(
        id=event.proposal, content=event.content, signature=event.signature, expires_at=event.expires_at
    )
    unexpired = {name: waiting for name, waiting in policy.proposals.items() if waiting.expires_at > at}
    return replace(policy, proposals={**unexpired, proposal.id: proposal})


def _confirmed(policy: InstallationPolicy, event: e.PolicyConfirmed, at: datetime) -> InstallationPolicy:
    proposal = policy.proposals.get(event.proposal)
    _must(proposal is not None and proposal.expires_at > at, "a policy was confirmed whose proposal was not open")
    assert proposal is not None
    first, second = proposal.signature, event.signature
    _must(second.subject == first.subject, "a policy was confirmed for other bytes than were proposed")
    is_by_two = not is_same_person((first.person,), (second.person,)) and first.key_id != second.key_id
    _must(is_by_two, "a policy was confirmed by the person who proposed it")
    return replace(
        policy,
        number=policy.number + 1,
        content=proposal.content,
        signatures=(first, second),
        confirmed_at=at,
        proposals={},
    )


def _must(holds: bool, what: str) -> None:
    """Raise IllegalHistoryError if a guard does not hold."""
    if not holds:
        message = f"in the stream policy, {what}"
        raise IllegalHistoryError(message)
