"""The installation's policy: which one is in force, and how two people change it.

One person proposes a policy by signing it. A second person confirms it within a week by signing the same bytes. It then
applies to later submissions; open releases keep the policy that they were opened with.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from signoff.app.record import POLICY, Record, StreamChange, decided_again
from signoff.app.signing import SigningPerson, prepare, sign
from signoff.domain import decisions
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import SignoffError
from signoff.domain.events import (
    AnyEvent,
    PolicyConfirmed,
    PolicyDeclined,
    PolicyProposed,
    Recorded,
    Vote,
)
from signoff.domain.floor import BUILT_IN, Floor, InForce, Origin, subject_of
from signoff.domain.installation_policy import (
    ID_DIGITS,
    InstallationPolicy,
    PolicyProposal,
)
from signoff.domain.policy import Policy, Role
from signoff.domain.statement import Decision
from signoff.ledger.envelope import verify
from signoff.ledger.floor import built_in, content_of, read_content, unconfirmed
from signoff.ledger.manifest import parse
from signoff.ledger.webauthn import verify_decision

OPEN_FOR: Final = timedelta(days=7)
KEPT: Final = "inputs/policy.yaml"
# Releases in these states have no approval in force.
UNAPPROVED: Final = frozenset({State.VALIDATING, State.VALIDATED, State.AWAITING_APPROVAL, State.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """The policy in force, and the open proposals."""

    in_force: InForce
    proposals: tuple[PolicyProposal, ...]
    state: InstallationPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy of one installation. `read` parses the `policy.yaml` that a release was submitted with."""

    record: Record
    read: Callable[[bytes], Policy]

    def in_force(self) -> InForce:
        """The policy that a release submitted now is held to."""
        return self._in_force(self.record.policy())

    def standing(self) -> PolicyStatus:
        """The policy in force and the open proposals, read from one state."""
        state = self.record.policy()
        return PolicyStatus(in_force=self._in_force(state), proposals=state.open_at(self.record.now()), state=state)

    def versions(self) -> tuple[tuple[Recorded, PolicyProposal], ...]:
        """Every confirmed version, oldest first, with the event that confirmed it."""
        proposed: dict[str, PolicyProposal] = {}
        confirmed = []
        for recorded in self.record.history(POLICY):
            match recorded.event:
                case PolicyProposed() as event:
                    proposed[event.proposal] = PolicyProposal(
                        id=event.proposal,
                        content=event.content,
                        signature=event.signature,
                        expires_at=event.expires_at,
                    )
                case PolicyConfirmed() as event:
                    confirmed.append((recorded, proposed[event.proposal]))
                case _:
                    pass
        return tuple(confirmed)

    def propose(self, policy: Policy, signatory: SigningPerson) -> PolicyProposal:
        """Propose a policy by signing it; it stays open for a second person for a week."""

        def attempt() -> None:
            state = self.record.policy()
            self._may_propose(state, policy, signatory.role)
            content, now = content_of(policy), self.record.now()
            subject = subject_of(state.number + 1, state.digest, content)
            decisions.policy.is_new(state, subject[:ID_DIGITS], now)
            signature = sign(self.record, self._decision(state, policy, subject, Vote.PROPOSE_POLICY), signatory)
            event = PolicyProposed(
                proposal=subject[:ID_DIGITS],
                number=state.number + 1,
                replaces=state.digest,
                content=content,
                expires_at=min(now + OPEN_FOR, signature.expires_at),
                signature=signature,
            )
            self._commit(state, event, actor=signatory.person)

        if not self.record.was_carried_out():
            decided_again(attempt)
        state = self.record.policy()
        return self._open(state, subject_of(state.number + 1, state.digest, content_of(policy))[:ID_DIGITS])

    def confirm(self, proposal_id: str, signatory: SigningPerson) -> InForce:
        """Confirm a proposed policy by signing it as the second person; it is in force from now on."""

        def attempt() -> None:
            state = self.record.policy()
            proposal = self._open(state, proposal_id)
            subject = subject_of(state.number + 1, state.digest, proposal.content)
            self._may_confirm(proposal, subject, signatory.person, signatory.role)
            policy = read_content(proposal.content)
            signature = sign(self.record, self._decision(state, policy, subject, Vote.CONFIRM_POLICY), signatory)
            self._commit(state, PolicyConfirmed(proposal=proposal_id, signature=signature), actor=signatory.person)

        if not self.record.was_carried_out():
            decided_again(attempt)
        return self.in_force()

    def decline(self, proposal_id: str, *, actor: str) -> PolicyProposal:
        """Decline a proposed policy."""
        decisions.policy.decline(self.record.people().named(actor))
        state = self.record.policy()
        proposal = self._open(state, proposal_id)
        self._commit(state, PolicyDeclined(proposal=proposal_id), actor=actor)
        return proposal

    def proposal_statement(self, policy: Policy, *, person: str, role: Role) -> bytes:
        """The statement that this person has to sign to propose a policy."""
        state = self.record.policy()
        self._may_propose(state, policy, role)
        subject = subject_of(state.number + 1, state.digest, content_of(policy))
        decision = self._decision(state, policy, subject, Vote.PROPOSE_POLICY)
        return prepare(self.record, decision, person=person, role=role)

    def confirmation_statement(self, proposal_id: str, *, person: str, role: Role) -> bytes:
        """The statement that this person has to sign to confirm a proposed policy."""
        state = self.record.policy()
        proposal = self._open(state, proposal_id)
        subject = subject_of(state.number + 1, state.digest, proposal.content)
        self._may_confirm(proposal, subject, person, role)
        policy = read_content(proposal.content)
        decision = self._decision(state, policy, subject, Vote.CONFIRM_POLICY)
        return prepare(self.record, decision, person=person, role=role)

    def _decision(self, state: InstallationPolicy, policy: Policy, subject: str, verdict: Vote) -> Decision:
        return Decision(
            verdict=verdict,
            subject=subject,
            model=policy.name,
            version=policy.version,
            deployment=POLICY,
            policy=self._in_force(state).policy,
        )

    def _in_force(self, state: InstallationPolicy) -> InForce:
        if not state.number:
            return self._unconfirmed(state.revision)
        policy = read_content(state.content)
        floor = Floor(
            origin=Origin.CONFIRMED,
            name=policy.name,
            version=policy.version,
            digest=state.digest,
            number=state.number,
            confirmed_by=tuple(signature.person for signature in state.signatures),
        )
        return InForce(
            floor=floor,
            policy=policy,
            content=state.content,
            revision=state.revision,
            confirmed_at=state.confirmed_at,
        )

    def _unconfirmed(self, revision: int) -> InForce:
        """The policy of the last approved release, unconfirmed; without such a release, the built-in policy."""
        approved = [d for d in self.record.deployments() if _was_approved(d)]
        in_force = built_in()
        if approved and (policy := self._submitted_with(approved[-1])) != BUILT_IN:
            in_force = unconfirmed(policy, Origin.LAST_APPROVED, approved[-1].id)
        return replace(in_force, revision=revision)

    def _submitted_with(self, release: Deployment) -> Policy:
        """The policy file as submitted; where it is missing, the policy that the release was held to."""
        try:
            manifest = parse(self.record.store.blob(release.package or ""))
            sha256 = next(entry.sha256 for entry in manifest.entries if entry.path == KEPT)
            return self.read(self.record.store.blob(sha256))
        except (SignoffError, StopIteration):
            return release.policy

    def _may_propose(self, state: InstallationPolicy, policy: Policy, role: Role) -> None:
        decisions.policy.propose(state, read_content(state.content) if state.number else None, policy, role)

    def _may_confirm(self, proposal: PolicyProposal, subject: str, name: str, role: Role) -> None:
        first, credential = decisions.policy.confirm(self.record.people(), proposal, name, role)
        envelope = proposal.signature.envelope
        signed = verify(envelope, first.public_key) if credential is None else verify_decision(envelope, credential)
        if signed.subject != subject or not subject.startswith(proposal.id):
            decisions.policy.refuse_other_bytes(proposal)

    def _open(self, state: InstallationPolicy, proposal_id: str) -> PolicyProposal:
        return decisions.policy.open_proposal(state, proposal_id, self.record.now())

    def _commit(self, state: InstallationPolicy, event: AnyEvent, *, actor: str) -> None:
        change = StreamChange(stream=POLICY, state=state if state.revision else None, events=(event,))
        self.record.commit(change, actor=actor, key=self.record.key(f"policy:{event.kind}:{state.revision}"))


def _was_approved(release: Deployment) -> bool:
    is_signed = release.manifest is not None and not release.missing_roles
    return is_signed and not release.was_adopted and release.state not in UNAPPROVED
