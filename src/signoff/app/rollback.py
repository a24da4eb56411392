"""The way back, as the memo's section 5 prints it: fence, cancel, verify flat, revert, verify, review.

Level-triggered: `carry_out` looks at what is done and does the next step, so that a crash between any two commits is
answered by running it again. A step that cannot finish pages people and leaves the model fenced.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from signoff.app.notices import incident
from signoff.app.package import rendered, with_manifest
from signoff.app.record import Change, Record, deployment_stream, model_stream
from signoff.domain import decisions
from signoff.domain.deployment import Deployment, State
from signoff.domain.events import MemoIssued, Occasion, Recorded, Reinstated, RollbackStuck, RolledBack, Step
from signoff.domain.memo.rollback_memo import compose_rollback
from signoff.ledger.manifest import parse
from signoff.ports.orders import OpenOrder, OrderHalt
from signoff.ports.registry import Registry
from signoff.ports.releases import Releases
from signoff.ports.store import Effect

FLAT_READS = 2
FLAT_ATTEMPTS = 10
EDITION = "rollback"


class StepError(Exception):
    """A step saw something that keeps it from being done."""


def order_scope(model: str) -> str:
    """The prefix that every client order id of a model carries."""
    return f"{model}-"


def is_unfinished(state: Deployment) -> bool:
    """Whether a rollback has steps, or its memo, still to do."""
    return state.state is State.ROLLING_BACK or (
        state.state is State.ROLLED_BACK and EDITION not in dict(state.editions)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackProcedure:
    """Carries a release back to the version before it."""

    record: Record
    orders: OrderHalt
    registry: Registry | None
    releases: Releases | None

    def begin(self, identity: str, occasion: Occasion, trigger: str, reason: str, *, actor: str) -> Deployment:
        """Start, and carry out every step. A rollback that is under way continues."""
        state = self.record.deployment(identity)
        events = decisions.begin_rollback(state, occasion, trigger, reason, self.record.now())
        self.record.commit(
            Change(stream=deployment_stream(identity), state=state, events=events),
            actor=actor,
            key=f"rollback:{identity}:{state.revision}",
            effects=(incident(state, "rollback started", f"{trigger}: {reason}"),) if events else (),
        )
        return self.carry_out(identity, actor=actor)

    def carry_out(self, identity: str, *, actor: str) -> Deployment:
        """Do the remaining steps in order until the release is rolled back or stuck."""
        state = self.record.deployment(identity)
        while state.state in {State.ROLLING_BACK, State.ROLLBACK_STUCK}:
            assert state.rollback is not None
            step = state.rollback.next_step
            assert step is not None
            began = self.record.clock.monotonic()
            try:
                detail = self._do(step, state)
            except StepError as error:
                return self._stuck(state, step, str(error), actor=actor)
            state = self._done(state, step, self.record.clock.monotonic() - began, detail, actor=actor)
        if state.state is State.ROLLED_BACK and self.releases is not None:
            self.write_memo(state, self.releases, actor=actor)
        return self.record.deployment(identity)

    def write_memo(self, state: Deployment, releases: Releases, *, actor: str) -> Mapping[str, bytes]:
        """The rollback's own memo, from the events alone."""
        memo = compose_rollback(
            deployment_id=state.id,
            model=state.model,
            version=state.version,
            restored_version=state.previous_version,
            events=self._told(state),
        )
        files = with_manifest(
            {name.replace("deployment_memo", "rollback_memo"): content for name, content in rendered(memo).items()}
        )
        for content in files.values():
            self.record.store.put_blob(content)
        releases.write(state.id, EDITION, files)
        digest = parse(files["manifest.json"]).digest
        if EDITION not in dict(state.editions):
            events = (MemoIssued(edition=EDITION, manifest=digest),)
            change = Change(stream=deployment_stream(state.id), state=state, events=events)
            self.record.commit(change, actor=actor, key=f"edition:{state.id}:{digest}")
        return files

    def _told(self, state: Deployment) -> tuple[Recorded, ...]:
        """What the memo is written from: this release, the one restored and the kill latch, up to the end."""
        streams = {deployment_stream(state.id), model_stream(state.model)}
        if state.previous_deployment is not None:
            streams.add(deployment_stream(state.previous_deployment))
        told: list[Recorded] = []
        for recorded in self.record.history():
            if recorded.stream in streams:
                told.append(recorded)
            if recorded.stream == deployment_stream(state.id) and isinstance(recorded.event, RolledBack):
                break
        return tuple(told)

    def _do(self, step: Step, state: Deployment) -> str:
        scope, epoch = order_scope(state.model), self.record.flags(state.model).revision
        match step:
            case Step.FENCE:
                self.orders.fence(scope, epoch)
                return f"flags off; orders made before revision {epoch} are refused"
            case Step.CANCEL:
                asked = self.orders.cancel(scope, epoch)
                return f"{asked} open order(s) asked to be cancelled"
            case Step.VERIFY_FLAT:
                return self._verified_flat(scope)
            case Step.REVERT:
                return self._reverted(state)
            case Step.VERIFY_REVERT:
                return self._verified_revert(state, scope, epoch)
            case Step.REVIEW:
                assert state.rollback is not None
                return f"root cause on record: {state.rollback.trigger}; post-mortem due within 48 h"

    def _verified_flat(self, scope: str) -> str:
        empty = 0
        residual: tuple[OpenOrder, ...] = ()
        for _ in range(FLAT_ATTEMPTS):
            residual = self.orders.open_orders(scope)
            empty = 0 if residual else empty + 1
            if empty == FLAT_READS:
                return f"no open order in {FLAT_READS} consecutive reads"
        found = ", ".join(order.client_order_id for order in residual)
        raise StepError(f"{len(residual)} order(s) still open after {FLAT_ATTEMPTS} reads: {found}")

    def _reverted(self, state: Deployment) -> str:
        if state.previous_version is None:
            return "no previous version; the model stays off and the declared fallback applies"
        if self.registry is None:
            raise StepError("no registry is configured, so the previous version cannot be loaded")
        self.registry.point(state.model, "champion", state.previous_version)
        return f"alias champion names v{state.previous_version}"

    def _verified_revert(self, state: Deployment, scope: str, epoch: int) -> str:
        if state.previous_version is None:
            return "nothing to verify"
        if self.registry is None:
            raise StepError("no registry is configured, so the previous version cannot be verified")
        check = self.registry.verify(state.model, state.previous_version)
        if not check.is_working:
            raise StepError(f"v{state.previous_version} does not work: {check.detail}")
        self.orders.lift(scope, epoch + 1)
        return f"v{state.previous_version} loaded and run: {check.detail}; trading re-enabled"

    def _done(self, state: Deployment, step: Step, seconds: float, detail: str, *, actor: str) -> Deployment:
        now = self.record.now()
        events = decisions.finish_step(state, step, seconds, detail, state.previous_version, now)
        changes = [Change(stream=deployment_stream(state.id), state=state, events=events)]
        if step is Step.VERIFY_REVERT and state.previous_deployment is not None:
            previous = self.record.deployment(state.previous_deployment)
            if previous.state is State.SUPERSEDED:
                back = (Reinstated(after_deployment=state.id),)
                changes.append(Change(stream=deployment_stream(previous.id), state=previous, events=back))
        effects: tuple[Effect, ...] = ()
        if step is Step.REVIEW:
            effects = (incident(state, "rolled back", f"v{state.previous_version} trades again; post-mortem in 48 h"),)
        self.record.commit(*changes, actor=actor, key=f"step:{state.id}:{step}:{state.revision}", effects=effects)
        return self.record.deployment(state.id)

    def _stuck(self, state: Deployment, step: Step, detail: str, *, actor: str) -> Deployment:
        if state.state is State.ROLLING_BACK:
            self.record.commit(
                Change(
                    stream=deployment_stream(state.id), state=state, events=(RollbackStuck(step=step, detail=detail),)
                ),
                actor=actor,
                key=f"stuck:{state.id}:{step}:{state.revision}",
                effects=(incident(state, f"PAGE: rollback stuck at {step}", detail),),
            )
        return self.record.deployment(state.id)
