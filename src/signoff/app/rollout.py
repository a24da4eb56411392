"""The phases: start, advance, pause and resume. The domain has the guards; the files are read again each time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from signoff.app.approvals import APPROVED, ApprovalRound
from signoff.app.bound import look, refuse_other_bytes
from signoff.app.champion import ALIAS, naming
from signoff.app.notices import at_deployment, tell_of
from signoff.app.record import Record, StreamChange, decided_again, deployment_stream, model_stream
from signoff.app.signing import sign_start
from signoff.domain import decisions
from signoff.domain.deployment import CANDIDATE, Deployment, State
from signoff.domain.events import AnyEvent, ApprovalsVoided, PauseReason, Phase, PhaseEntered, Superseded
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.profiles import Pinned
from signoff.ports.signing import Signer
from signoff.ports.store import Effect

MOVING: Final = CANDIDATE | {State.APPROVED}


def _no_reference(_model: str) -> Pinned | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Moves an approved release through shadow, limited and full; `reference` gives the baseline of its data."""

    record: Record
    approvals: ApprovalRound
    reference: Callable[[str], Pinned | None] = _no_reference

    def start(self, deployment_id: str, *, actor: str, signer: Signer | None = None) -> Deployment:
        """Enter shadow. If files changed since the signatures, void the signatures and refuse the start.

        The `signer` signs section 12. Unsent notices of T-24h go out if they are due. The approved edition is written
        first if a crash after the last signature prevented it.
        """
        if self.record.was_carried_out():
            return self.record.deployment(deployment_id)
        state = self._bound(self.record.deployment(deployment_id), actor=actor)
        package = self.approvals.package(state)
        if state.state is State.APPROVED and not package.changed and APPROVED not in dict(state.editions):
            self.approvals.publish_approved(state, actor=actor)
            state = self.record.deployment(deployment_id)
        latch = self.record.latch(state.model)
        tell_of(self.record, state, self.record.now(), actor=actor)
        deployer = None
        if signer is not None and state.state is State.APPROVED and not package.changed:
            deployer = sign_start(self.record, signer, state, actor)
        unrehearsed = self.approvals.unrehearsed(state) if state.state is State.APPROVED else ()
        events = decisions.rollout.start(
            state,
            package,
            latch,
            self.record.now(),
            deployer=deployer,
            unrehearsed=unrehearsed,
            reference=self.reference(state.model),
        )
        self._commit(state, events, actor=actor, verb="start", effects=at_deployment(state), latch=_seen(state, latch))
        if any(isinstance(event, ApprovalsVoided) for event in events):
            decisions.guards.refuse_changed(package)
        return self.record.deployment(deployment_id)

    def advance(self, deployment_id: str, *, actor: str) -> Deployment:
        """Enter the next phase; entering full supersedes the previous version in the same commit."""
        if self.record.was_carried_out():
            return self.record.deployment(deployment_id)
        state = self._bound(self.record.deployment(deployment_id), actor=actor)
        latch = self.record.latch(state.model)
        events = self._advanced(state, latch)
        self._commit(state, events, actor=actor, verb="advance", latch=_seen(state, latch))
        return self.record.deployment(deployment_id)

    def refuse_unready(self, deployment_id: str) -> None:
        """Refuse a release that may not advance by the record alone; the slower registry is checked afterwards."""
        state = self.record.deployment(deployment_id)
        self._advanced(state, self.record.latch(state.model))

    def _advanced(self, state: Deployment, latch: KillSwitchState | None) -> tuple[AnyEvent, ...]:
        candidates = [d for d in self.record.deployments(state.model) if d.state in CANDIDATE]
        first = candidates[0] if candidates else None
        return decisions.rollout.advance(state, self.approvals.package(state), latch, self.record.now(), first=first)

    def _bound(self, state: Deployment, *, actor: str) -> Deployment:
        """The release, if its registered version is the approved one; a second registration sounds the alarm."""
        if state.state in MOVING and state.bound is not None:
            refuse_other_bytes(registry := self.approvals.publisher.registry, state)
            look(self.record, registry, state, ALIAS, actor=actor)
        return self.record.deployment(state.id)

    def pause(self, deployment_id: str, reason: PauseReason, note: str, *, actor: str) -> Deployment:
        """Stop the phase clock."""
        return self.record.decide(
            deployment_id, lambda state: decisions.rollout.pause(state, reason, note), actor=actor, verb="pause"
        )

    def resume(self, deployment_id: str, reason: PauseReason, note: str, *, actor: str) -> Deployment:
        """Remove one pause reason; for silence, no kill may be recorded in between."""

        def commit() -> None:
            state = self.record.deployment(deployment_id)
            latch = self.record.latch(state.model)
            events = decisions.rollout.resume(state, reason, note, latch)
            seen = _seen(state, latch) if reason is PauseReason.SILENCE else ()
            self._commit(state, events, actor=actor, verb="resume", latch=seen)

        if not self.record.was_carried_out():
            decided_again(commit)
        return self.record.deployment(deployment_id)

    def _commit(
        self,
        state: Deployment,
        events: tuple[AnyEvent, ...],
        *,
        actor: str,
        verb: str,
        effects: tuple[Effect, ...] = (),
        latch: tuple[tuple[str, int], ...] = (),
    ) -> None:
        entered = next((event.phase for event in events if isinstance(event, PhaseEntered)), None)
        changes = [StreamChange(stream=deployment_stream(state.id), state=state, events=events)]
        if entered is Phase.FULL:
            superseded = (Superseded(by_deployment=state.id),)
            changes += [
                StreamChange(stream=deployment_stream(d.id), state=d, events=superseded)
                for d in self.record.deployments(state.model)
                if d.state is State.FULL
            ]
        self.record.commit(
            *changes,
            actor=actor,
            key=self.record.key(f"{verb}:{state.id}:{state.revision}"),
            effects=_effects(state, entered, effects),
            unchanged=latch,
        )


def _seen(state: Deployment, latch: KillSwitchState | None) -> tuple[tuple[str, int], ...]:
    """The revision of the kill switch that was decided on: a kill that is recorded meanwhile comes first."""
    return ((model_stream(state.model), latch.revision if latch else 0),)


def _effects(state: Deployment, entered: Phase | None, at_start: tuple[Effect, ...]) -> tuple[Effect, ...]:
    if entered is Phase.FULL:
        return (naming(state.model, f"{state.id}:{state.revision}"),)
    return at_start if entered is Phase.SHADOW else ()
