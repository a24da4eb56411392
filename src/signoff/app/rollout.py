"""The phases: start, advance, pause and resume. The guards are the domain's; the files are re-read each time."""

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
    """Moves an approved release through shadow, limited and full; `reference` says what its data are held against."""

    record: Record
    approvals: ApprovalRound
    reference: Callable[[str], Pinned | None] = _no_reference

    def start(self, identity: str, *, actor: str, signer: Signer | None = None) -> Deployment:
        """Enter shadow; files that changed since the signatures void them instead, and the start is refused.

        With a signer, who starts it signs section 12. The notices of T-24h go out where they are due and did not yet.
        A crash after the last signature may have left the approved edition unwritten; it is written first.
        """
        if self.record.was_carried_out():
            return self.record.deployment(identity)
        state = self._bound(self.record.deployment(identity), actor=actor)
        package = self.approvals.package(state)
        if state.state is State.APPROVED and not package.changed and APPROVED not in dict(state.editions):
            self.approvals.publish_approved(state, actor=actor)
            state = self.record.deployment(identity)
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
        return self.record.deployment(identity)

    def advance(self, identity: str, *, actor: str) -> Deployment:
        """Go one phase further; at full allocation the previous version is superseded in the same commit."""
        if self.record.was_carried_out():
            return self.record.deployment(identity)
        state = self._bound(self.record.deployment(identity), actor=actor)
        latch = self.record.latch(state.model)
        events = self._advanced(state, latch)
        self._commit(state, events, actor=actor, verb="advance", latch=_seen(state, latch))
        return self.record.deployment(identity)

    def refuse_unready(self, identity: str) -> None:
        """Refuse what may not advance by the record alone, for one who asks often: the registry is asked afterwards."""
        state = self.record.deployment(identity)
        self._advanced(state, self.record.latch(state.model))

    def _advanced(self, state: Deployment, latch: KillSwitchState | None) -> tuple[AnyEvent, ...]:
        candidates = [d for d in self.record.deployments(state.model) if d.state in CANDIDATE]
        first = candidates[0] if candidates else None
        return decisions.rollout.advance(state, self.approvals.package(state), latch, self.record.now(), first=first)

    def _bound(self, state: Deployment, *, actor: str) -> Deployment:
        """The release, once its registered version is found to be what was approved; a second registration is told."""
        if state.state in MOVING and state.bound is not None:
            refuse_other_bytes(registry := self.approvals.publisher.registry, state)
            look(self.record, registry, state, ALIAS, actor=actor)
        return self.record.deployment(state.id)

    def pause(self, identity: str, reason: PauseReason, note: str, *, actor: str) -> Deployment:
        """Stop the phase clock."""
        return self.record.decide(
            identity, lambda state: decisions.rollout.pause(state, reason, note), actor=actor, verb="pause"
        )

    def resume(self, identity: str, reason: PauseReason, note: str, *, actor: str) -> Deployment:
        """Take one pause reason away; of silence, no kill may come in between."""

        def commit() -> None:
            state = self.record.deployment(identity)
            latch = self.record.latch(state.model)
            events = decisions.rollout.resume(state, reason, note, latch)
            seen = _seen(state, latch) if reason is PauseReason.SILENCE else ()
            self._commit(state, events, actor=actor, verb="resume", latch=seen)

        if not self.record.was_carried_out():
            decided_again(commit)
        return self.record.deployment(identity)

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
    """The kill latch as it was decided upon: a kill that is recorded meanwhile comes first."""
    return ((model_stream(state.model), latch.revision if latch else 0),)


def _effects(state: Deployment, entered: Phase | None, at_start: tuple[Effect, ...]) -> tuple[Effect, ...]:
    if entered is Phase.FULL:
        return (naming(state.model, f"{state.id}:{state.revision}"),)
    return at_start if entered is Phase.SHADOW else ()
