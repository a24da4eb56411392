"""The installation's policy: which one is in force, and how two people change it.

One person proposes a policy by signing it. A second person confirms it within a week by signing the same bytes. It then
applies to later submissions; open releases keep the policy that they were opened with.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from signoff.app.record import POLICY, Change, Record, decided_again
from signoff.app.signing import Signatory, prepare, sign
from signoff.domain.access import DUTY_OF, MATRIX, Verb, permitted
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import NotFoundError, RefusedError, SignoffError, TamperedError
from signoff.domain.events import (
    AnyEvent,
    PolicyConfirmed,
    PolicyDeclined,
    PolicyProposed,
    Recorded,
    Verdict,
)
from signoff.domain.floor import BUILT_IN, Floor, InForce, Origin, differences, subject_of
from signoff.domain.installation_policy import (
    ID_DIGITS,
    InstallationPolicy,
    PolicyProposal,
    may_sign,
)
from signoff.domain.look_alikes import are_alike
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
class Standing:
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

    def standing(self) -> Standing:
        """The policy in force and the open proposals, read from one state."""
        state = self.record.policy()
        return Standing(in_force=self._in_force(state), proposals=state.open_at(self.record.now()), state=state)

    def versions(self) -> tuple[tuple[Recorded, PolicyProposal], ...]:
        """Every confirmed version, oldest first, with the event that confirmed it."""
        proposed: dict[str, PolicyProposal] = {}
        found = []
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
                    found.append((recorded, proposed[event.proposal]))
                case _:
                    pass
        return tuple(found)

    def propose(self, policy: Policy, signatory: Signatory) -> PolicyProposal:
        """Propose a policy by signing it; it stays open for a second person for a week."""

        def attempt() -> None:
            state = self.record.policy()
            self._may_propose(state, policy, signatory.role)
            content, now = content_of(policy), self.record.now()
            subject = subject_of(state.number + 1, state.digest, content)
            self._is_new(state, subject[:ID_DIGITS])
            signature = sign(self.record, self._decision(state, policy, subject, Verdict.PROPOSE_POLICY), signatory)
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

    def confirm(self, identity: str, signatory: Signatory) -> InForce:
        """Confirm a proposed policy by signing it as the second person; it is in force from now on."""

        def attempt() -> None:
            state = self.record.policy()
            proposal = self._open(state, identity)
            subject = subject_of(state.number + 1, state.digest, proposal.content)
            self._may_confirm(proposal, subject, signatory.person, signatory.role)
            policy = read_content(proposal.content)
            signature = sign(self.record, self._decision(state, policy, subject, Verdict.CONFIRM_POLICY), signatory)
            self._commit(state, PolicyConfirmed(proposal=identity, signature=signature), actor=signatory.person)

        if not self.record.was_carried_out():
            decided_again(attempt)
        return self.in_force()

    def decline(self, identity: str, *, actor: str) -> PolicyProposal:
        """Decline a proposed policy."""
        if Verb.CONFIRM_POLICY not in permitted(self.record.people().named(actor).duties):
            raise RefusedError(f"{actor} has no say in the policy; let somebody who may confirm it decline it.")
        state = self.record.policy()
        proposal = self._open(state, identity)
        self._commit(state, PolicyDeclined(proposal=identity), actor=actor)
        return proposal

    def proposal_statement(self, policy: Policy, *, person: str, role: Role) -> bytes:
        """The statement that this person has to sign to propose a policy."""
        state = self.record.policy()
        self._may_propose(state, policy, role)
        subject = subject_of(state.number + 1, state.digest, content_of(policy))
        decision = self._decision(state, policy, subject, Verdict.PROPOSE_POLICY)
        return prepare(self.record, decision, person=person, role=role)

    def confirmation_statement(self, identity: str, *, person: str, role: Role) -> bytes:
        """The statement that this person has to sign to confirm a proposed policy."""
        state = self.record.policy()
        proposal = self._open(state, identity)
        subject = subject_of(state.number + 1, state.digest, proposal.content)
        self._may_confirm(proposal, subject, person, role)
        policy = read_content(proposal.content)
        decision = self._decision(state, policy, subject, Verdict.CONFIRM_POLICY)
        return prepare(self.record, decision, person=person, role=role)

    def _decision(self, state: InstallationPolicy, policy: Policy, subject: str, verdict: Verdict) -> Decision:
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
        found = built_in()
        if approved and (policy := self._submitted_with(approved[-1])) != BUILT_IN:
            found = unconfirmed(policy, Origin.LAST_APPROVED, approved[-1].id)
        return replace(found, revision=revision)

    def _submitted_with(self, release: Deployment) -> Policy:
        """The policy file as submitted; where it is missing, the policy that the release was held to."""
        try:
            manifest = parse(self.record.store.blob(release.package or ""))
            kept = next(entry.sha256 for entry in manifest.entries if entry.path == KEPT)
            return self.read(self.record.store.blob(kept))
        except (SignoffError, StopIteration):
            return release.policy

    def _may_propose(self, state: InstallationPolicy, policy: Policy, role: Role) -> None:
        _may(role, Verb.PROPOSE_POLICY)
        if state.number and not differences(read_content(state.content), policy):
            raise RefusedError(
                f"This policy is in force already, as version {state.number} (digest {state.digest[:12]}…). Propose "
                "one that differs."
            )

    def _may_confirm(self, proposal: PolicyProposal, subject: str, name: str, role: Role) -> None:
        _may(role, Verb.CONFIRM_POLICY)
        people = self.record.people()
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
                "policy. Let somebody who does propose it."
            )
        credential = first.credential(signed.key_id)
        if signed.key_id != first.key_id and credential is None:
            raise RefusedError(
                f"{proposal.proposed_by} no longer holds the key that this proposal was signed with. Let them propose "
                "it again."
            )
        said = (
            verify(signed.envelope, first.public_key)
            if credential is None
            else verify_decision(signed.envelope, credential)
        )
        if said.subject != subject or not subject.startswith(proposal.id):
            raise TamperedError(
                f"The policy that is stored as {proposal.id} is not the one that {proposal.proposed_by} signed; "
                "nothing was confirmed. `signoff verify` says what else was altered."
            )

    def _is_new(self, state: InstallationPolicy, identity: str) -> None:
        for known in state.open_at(self.record.now()):
            if known.id == identity:
                raise RefusedError(
                    f"{known.proposed_by} proposed this very policy already, as {identity}. Another person confirms "
                    f"it: signoff policy confirm {identity}"
                )

    def _open(self, state: InstallationPolicy, identity: str) -> PolicyProposal:
        waiting = state.open_at(self.record.now())
        found = next((known for known in waiting if known.id == identity), None)
        if found is not None:
            return found
        if (over := state.proposals.get(identity)) is not None:
            raise RefusedError(
                f"The policy proposal {identity} of {over.proposed_by} expired at {over.expires_at:%Y-%m-%d %H:%M}Z. "
                "Let somebody propose the policy again."
            )
        known = ", ".join(proposal.id for proposal in waiting) or "none"
        raise NotFoundError(
            f"Expected a policy proposal that is open, found {identity!r}; open are: {known}. A proposal ends when it "
            "is declined, and when any policy is confirmed. `signoff policy show` lists what is open."
        )

    def _commit(self, state: InstallationPolicy, event: AnyEvent, *, actor: str) -> None:
        change = Change(stream=POLICY, state=state if state.revision else None, events=(event,))
        self.record.commit(change, actor=actor, key=self.record.key(f"policy:{event.kind}:{state.revision}"))


def _may(role: Role, verb: Verb) -> None:
    """Refuse a signature in a role that may not change the policy; the same person may hold another role that may."""
    if not may_sign(role, verb):
        able = ", ".join(known.value for known in DUTY_OF if verb in MATRIX[DUTY_OF[known]])
        raise RefusedError(f"The policy is changed by two of {able}; found {role.value}. Sign in one of these roles.")


def _was_approved(release: Deployment) -> bool:
    is_signed = release.manifest is not None and not release.missing_roles
    return is_signed and not release.was_adopted and release.state not in UNAPPROVED
