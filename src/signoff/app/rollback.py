"""The rollback, in the steps of the memo's section 5: fence, cancel, verify flat, revert, verify, review.

`carry_out` is level-triggered: it reads which steps are done and does the next, so after a crash it is run again. A
step that fails with any error pages people and leaves the model off. The first steps need only the record and the
venue. Without a venue, a person attests that the model is flat. The memo comes last. If it cannot be written, the
rollback is still done, and the memo is written later.
"""

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from signoff.app.bound import checked, otherwise, point
from signoff.app.champion import ALIAS, naming
from signoff.app.notices import call, incident
from signoff.app.order_halt import HaltRecord, lift
from signoff.app.package import rendered, with_manifest
from signoff.app.record import Record, StreamChange, decided_again, deployment_stream, model_stream
from signoff.domain import decisions
from signoff.domain.artifacts import BEFORE_BINDING, Pin
from signoff.domain.deployment import ROLLBACK_EDITION, Deployment, State, is_memo_owed
from signoff.domain.errors import BadInputError, SignoffError, described, is_fault, one_line
from signoff.domain.events import (
    DeadlineName,
    MemoIssued,
    Recorded,
    Reinstated,
    RollbackCause,
    RollbackStuck,
    RolledBack,
    Step,
)
from signoff.domain.flags import FlagsRevision
from signoff.domain.memo.rollback_memo import compose_rollback
from signoff.domain.venue import NO_VENUE, PositionsAfter, VenueKind
from signoff.ledger.manifest import parse
from signoff.ports.kills import KillJournal
from signoff.ports.registry import Registry
from signoff.ports.releases import Releases
from signoff.ports.store import Effect
from signoff.ports.venue import OpenOrder, OpenPosition, OrderHalt

FLAT_READS = 2
FLAT_ATTEMPTS = 10
HALTING: Final = frozenset({Step.FENCE, Step.CANCEL, Step.VERIFY_FLAT})
UNDER_WAY: Final = frozenset({State.ROLLING_BACK, State.ROLLBACK_STUCK})
log = logging.getLogger("signoff.rollback")


class StepError(SignoffError):
    """A step cannot be done."""

    code = "step"


def order_scope(model: str) -> str:
    """The prefix of a model's client order ids; no model's prefix begins another's."""
    return f"{quote(model, safe='-_. ')}:"


def started(state: Deployment, trigger: str, reason: str) -> tuple[Effect, ...]:
    """The notices of a rollback's start."""
    return (incident(state, "rollback started", f"{trigger}: {reason}"),)


def is_unfinished(state: Deployment) -> bool:
    """Whether steps or the memo of a rollback are still to do."""
    return state.state is State.ROLLING_BACK or is_memo_owed(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackProcedure:
    """Rolls a release back to the previous version."""

    record: Record
    orders: OrderHalt
    journal: KillJournal
    registry: Registry | None
    releases: Releases | None

    def begin(
        self, deployment_id: str, occasion: RollbackCause, trigger: str, reason: str, *, actor: str
    ) -> Deployment:
        """Start, and carry out every step. A rollback that is under way or stuck continues."""
        self.start(deployment_id, occasion, trigger, reason, actor=actor)
        return self.carry_out(deployment_id, actor=actor)

    def start(
        self, deployment_id: str, occasion: RollbackCause, trigger: str, reason: str, *, actor: str
    ) -> Deployment:
        """Record the start; from this commit on the flags are off."""
        return self.record.decide(
            deployment_id,
            lambda state: decisions.rollback.begin_rollback(state, occasion, trigger, reason, self.record.now()),
            actor=actor,
            verb="rollback",
            effects=lambda state, events: started(state, trigger, reason) if events else (),
            is_whole=False,
        )

    def carry_out(self, deployment_id: str, *, actor: str) -> Deployment:
        """Do the remaining steps in order until the release is rolled back or stuck, then write its memo."""
        self.tell(self.take_back(deployment_id, actor=actor), actor=actor)
        return self.record.deployment(deployment_id)

    def take_back(self, deployment_id: str, *, actor: str, steps: Collection[Step] = tuple(Step)) -> Deployment:
        """Do the remaining steps in order while they are among `steps`; a stuck step is tried once."""
        state = self.record.deployment(deployment_id)
        while state.state in UNDER_WAY and state.rollback is not None and state.rollback.next_step in steps:
            state = self.step(deployment_id, actor=actor)
            if state.state is State.ROLLBACK_STUCK:
                break
        return state

    def tell(self, state: Deployment, *, actor: str) -> str | None:
        """Write the memo of a finished rollback; if that fails, return why."""
        if state.state is not State.ROLLED_BACK or self.releases is None:
            return None
        try:
            self.write_memo(state, self.releases, actor=actor)
        except BaseException as error:
            if not is_fault(error):
                raise
            if not isinstance(error, SignoffError):
                log.warning("the memo of %s could not be written", state.id, exc_info=error)
            return described(error) if is_memo_owed(state) else None
        return None

    def step(self, deployment_id: str, *, actor: str) -> Deployment:
        """Do the next step; two workers may both do it, and it is recorded once."""
        state = self.record.deployment(deployment_id)
        if state.state not in {State.ROLLING_BACK, State.ROLLBACK_STUCK}:
            return state
        assert state.rollback is not None
        step = state.rollback.next_step
        assert step is not None
        began = self.record.clock.monotonic()
        try:
            detail = one_line(self._do(step, state))
        except BaseException as error:
            if not is_fault(error):
                raise
            if not isinstance(error, SignoffError):
                log.warning("the step %s of %s failed", step.value, deployment_id, exc_info=error)
            return self._stuck(deployment_id, step, described(error), actor=actor)
        return self._done(deployment_id, step, self.record.clock.monotonic() - began, detail, actor=actor)

    def attest_flat(self, deployment_id: str, reason: str, *, actor: str) -> Deployment:
        """Record a person's attestation that the model is flat, in place of the venue; then do the remaining steps."""
        self.tell(self.take_on_trust(deployment_id, reason, actor=actor), actor=actor)
        return self.record.deployment(deployment_id)

    def take_on_trust(self, deployment_id: str, reason: str, *, actor: str) -> Deployment:
        """Do the same without writing the memo."""
        self.vouch(deployment_id, reason, actor=actor)
        return self.take_back(deployment_id, actor=actor)

    def vouch(self, deployment_id: str, reason: str, *, actor: str) -> Deployment:
        """Record the attestation, which completes the step that a missing venue left undone."""
        kind, attestation = self.orders.kind, one_line(reason)
        return self.record.decide(
            deployment_id,
            lambda state: decisions.rollback.attest_flat(state, actor, attestation, kind, self.record.now()),
            actor=actor,
            verb="attest",
            is_whole=False,
        )

    def hold_post_mortem(self, deployment_id: str, notes: str, *, actor: str, root_cause: str = "") -> Deployment:
        """Record the post-mortem, which meets its deadline. The root cause may be stated now or later."""
        return self.record.decide(
            deployment_id,
            lambda state: decisions.rollback.hold_post_mortem(state, notes, root_cause),
            actor=actor,
            verb="post-mortem",
            is_whole=False,
        )

    def write_memo(self, state: Deployment, releases: Releases, *, actor: str) -> Mapping[str, bytes]:
        """Write the rollback memo, from the events alone."""
        history = self._told(state)
        ending = next((r.event for r in history if isinstance(r.event, RolledBack)), None)
        try:
            memo = compose_rollback(
                deployment_id=state.id,
                model=state.model,
                version=state.version,
                restored_version=None if ending is None else ending.restored_version,
                events=history,
            )
        except ValueError as error:
            raise BadInputError(f"The rollback memo of {state.id} cannot be composed: {error}.") from error
        files = with_manifest(
            {name.replace("deployment_memo", "rollback_memo"): content for name, content in rendered(memo).items()}
        )
        for content in files.values():
            self.record.store.put_blob(content)
        releases.write(state.id, ROLLBACK_EDITION, files)
        digest = parse(files["manifest.json"]).digest
        decided_again(lambda: self._issue(state.id, digest, actor=actor))
        return files

    def _issue(self, deployment_id: str, digest: str, *, actor: str) -> None:
        """Record the memo; it reads the release again, as a notice may have been recorded meanwhile."""
        state = self.record.deployment(deployment_id)
        if ROLLBACK_EDITION not in dict(state.editions):
            events = (MemoIssued(edition=ROLLBACK_EDITION, manifest=digest),)
            self.record.append(state, events, actor=actor, key=f"edition:{deployment_id}:{digest}")

    def _told(self, state: Deployment) -> tuple[Recorded, ...]:
        """The memo's events: of this release, the restored release and the kill switch, up to the rollback's end."""
        streams = {deployment_stream(state.id), model_stream(state.model)}
        if state.previous_deployment is not None:
            streams.add(deployment_stream(state.previous_deployment))
        history: list[Recorded] = []
        for _, recorded in self.record.told(streams):
            history.append(recorded)
            if recorded.stream == deployment_stream(state.id) and isinstance(recorded.event, RolledBack):
                break
        return tuple(history)

    def _do(self, step: Step, state: Deployment) -> str:
        scope, flags_revision = order_scope(state.model), self.record.flags(state.model).revision
        match step:
            case Step.FENCE:
                return self._fenced(scope, flags_revision)
            case Step.CANCEL:
                return self._cancelled(scope, flags_revision)
            case Step.VERIFY_FLAT:
                return self._verified_flat(state, scope, flags_revision)
            case Step.REVERT:
                return self._reverted(state)
            case Step.VERIFY_REVERT:
                return self._verified_revert(state, scope)
            case Step.REVIEW:
                assert state.rollback is not None
                hours = state.policy.rollback.post_mortem_hours
                return f"root cause open; trigger: {state.rollback.trigger}; post-mortem due within {hours:g} h"

    def _fenced(self, scope: str, flags_revision: FlagsRevision) -> str:
        kind = self.orders.kind
        if kind is VenueKind.NONE:
            return f"flags off; {NO_VENUE}"
        try:
            self.orders.fence(scope, flags_revision)
        except (SignoffError, OSError):
            with suppress(SignoffError, OSError):  # cancel even if the fence fails
                self.orders.cancel(scope, flags_revision)
            raise
        return f"flags off; orders made before revision {flags_revision} are refused{kind.place}"

    def _cancelled(self, scope: str, flags_revision: FlagsRevision) -> str:
        kind = self.orders.kind
        if kind is VenueKind.NONE:
            return f"nothing could be cancelled; {NO_VENUE}"
        return f"{self.orders.cancel(scope, flags_revision)} open order(s) asked to be cancelled{kind.place}"

    def _verified_flat(self, state: Deployment, scope: str, flags_revision: FlagsRevision) -> str:
        """Read the venue until nothing is open twice in a row; cancel again what is still open.

        A rollback that was stuck here repeats this step, long after its cancel. Positions count unless the policy keeps
        them. Signoff closes no position.
        """
        kind = self.orders.kind
        if kind is VenueKind.NONE:
            attest = f"`signoff rollout attest-flat {state.id} --reason …`"
            raise StepError(f"{NO_VENUE}; look at the broker yourself, then {attest}")
        # Fence and cancel again: no venue may have been connected when their steps ran.
        self.orders.fence(scope, flags_revision)
        self.orders.cancel(scope, flags_revision)
        is_kept = state.policy.rollback.positions is PositionsAfter.KEPT
        empty = 0
        orders: tuple[OpenOrder, ...] = ()
        positions: tuple[OpenPosition, ...] = ()
        for _ in range(FLAT_ATTEMPTS):
            orders = self.orders.open_orders(scope)
            positions = () if is_kept else self.orders.positions(scope)
            empty = 0 if orders or positions else empty + 1
            if empty == FLAT_READS:
                what = "no open order" if is_kept else "no open order and no position"
                by_policy = "; positions are kept by policy" if is_kept else ""
                return f"{what}{kind.place} in {FLAT_READS} consecutive reads{by_policy}"
            if orders:
                self.orders.cancel(scope, flags_revision)
        raise StepError(_still_open(orders, positions, kind))

    def _reverted(self, state: Deployment) -> str:
        version = self._restored(state)
        if version is None:
            return "no previous version; the model stays off and the declared fallback applies"
        if self.registry is None:
            raise StepError("no registry is configured, so the previous version cannot be loaded")
        pin = self._pin(state)
        if pin is None:
            point(self.registry, state.registry_name, ALIAS, version, None)
            return f"alias {ALIAS} names v{version}; artefacts not bound: {self._unbound(state)}"
        if (difference := otherwise(self.registry, version, pin)) is not None:
            raise StepError(f"v{version} was not restored: {difference}")
        point(self.registry, state.registry_name, ALIAS, version, pin)
        return f"alias {ALIAS} names v{version}, number {pin.number}; restored digest sha256:{pin.digest}"

    def _verified_revert(self, state: Deployment, scope: str) -> str:
        version = self._restored(state)
        if version is None:
            return "nothing to verify"
        if self.registry is None:
            raise StepError("no registry is configured, so the previous version cannot be verified")
        check = checked(self.registry, state.registry_name, version, self._pin(state))
        if not check.is_working:
            found = "was not verified" if check.is_working is None else "does not work"
            raise StepError(f"v{version} {found}: {check.detail}")
        halt = lift(self.record, self.orders, self.journal, state.model, scope, besides=state.id)
        follows = _follows(halt, self.orders.kind)
        return f"v{version} loaded and run: {check.detail}; {follows}"

    def _restored(self, state: Deployment) -> str | None:
        """The version that trades after the rollback; a version that was itself rolled back is never restored."""
        if state.previous_deployment is None:
            return state.previous_version
        mine = self._restored_release(state)
        return None if mine is None else mine.version

    def _restored_release(self, state: Deployment) -> Deployment | None:
        """The release that trades after the rollback, None where the restored version has no release."""
        if state.previous_deployment is None:
            return None
        return self._replaced(state) or next(
            (d for d in self.record.deployments(state.model) if d.state is State.FULL and d.id != state.id), None
        )

    def _pin(self, state: Deployment) -> Pin | None:
        """The pin of the restored version: from its approval, else from the validation of this release."""
        mine = self._restored_release(state)
        if mine is not None and mine.bound is not None:
            return mine.bound
        is_same = mine is None or mine.version == state.previous_version
        return state.bound_previous if is_same else None

    def _unbound(self, state: Deployment) -> str:
        mine = self._restored_release(state)
        return state.unbound or BEFORE_BINDING if mine is None else mine.unbound

    def _digest(self, state: Deployment, step: Step) -> str | None:
        """The digest that a finished step restored."""
        if step not in {Step.REVERT, Step.REVIEW} or self._restored(state) is None:
            return None
        pin = self._pin(state)
        return None if pin is None else pin.digest

    def _replaced(self, state: Deployment) -> Deployment | None:
        """The release that this one superseded and that was not reinstated."""
        every = self.record.deployments(state.model)
        return next((d for d in every if d.state is State.SUPERSEDED and d.superseded_by == state.id), None)

    def _reinstated(self, state: Deployment) -> tuple[StreamChange, ...]:
        replaced = self._replaced(state)
        if replaced is None:
            return ()
        back = (Reinstated(after_deployment=state.id),)
        return (StreamChange(stream=deployment_stream(replaced.id), state=replaced, events=back),)

    def _ending(self, state: Deployment) -> str:
        version = self._restored(state)
        trades = f"v{version} trades again" if version else "no version of the model trades"
        latch = self.record.latch(state.model)
        if version and latch is not None and latch.is_latched:
            trades = f"v{version} is in place, and nothing trades: {state.model} is killed"
        return f"{trades}; post-mortem within {state.policy.rollback.post_mortem_hours:g} h"

    def _done(self, deployment_id: str, step: Step, seconds: float, detail: str, *, actor: str) -> Deployment:
        def commit() -> Deployment:
            state = self.record.deployment(deployment_id)
            if state.rollback is None or state.rollback.next_step is not step:
                return state  # another worker recorded it meanwhile
            events = decisions.rollback.finish_step(
                state,
                step,
                seconds,
                detail,
                self._restored(state),
                self.record.now(),
                self.orders.kind,
                restored_digest=self._digest(state, step),
            )
            effects = {
                Step.VERIFY_REVERT: (naming(state.model, f"{deployment_id}:{state.revision}"),),
                Step.REVIEW: (incident(state, "rolled back", self._ending(state)),),
            }
            self.record.commit(
                StreamChange(stream=deployment_stream(deployment_id), state=state, events=events),
                *(self._reinstated(state) if step is Step.VERIFY_REVERT else ()),
                actor=actor,
                key=f"step:{deployment_id}:{step}:{state.revision}",
                effects=effects.get(step, ()),
            )
            return self.record.deployment(deployment_id)

        return decided_again(commit)

    def _stuck(self, deployment_id: str, step: Step, detail: str, *, actor: str) -> Deployment:
        def commit() -> Deployment:
            state = self.record.deployment(deployment_id)
            is_next = state.rollback is not None and state.rollback.next_step is step
            if state.state is State.ROLLING_BACK and is_next:  # else another worker did the step meanwhile
                self.record.append(
                    state,
                    (RollbackStuck(step=step, detail=detail),),
                    actor=actor,
                    key=f"stuck:{deployment_id}:{step}:{state.revision}",
                    effects=(call(state, f"PAGE: rollback stuck at {step}", _called_for(state, step, detail)),),
                )
            return self.record.deployment(deployment_id)

        return decided_again(commit)


def _still_open(orders: Collection[OpenOrder], positions: Collection[OpenPosition], kind: VenueKind) -> str:
    """What is still open at the venue, and what people do about positions."""
    parts = [f"{len(orders)} order(s): {', '.join(order.client_order_id for order in orders)}"] if orders else []
    if positions:
        named = ", ".join(f"{position.symbol} {position.quantity:g}" for position in positions)
        parts.append(f"{len(positions)} position(s): {named}")
    text = f"still open{kind.place} after {FLAT_ATTEMPTS} reads: {'; '.join(parts)}"
    return f"{text}. The policy wants positions closed: close them, then continue the rollback" if positions else text


def _follows(halt: HaltRecord | None, kind: VenueKind) -> str:
    """Whether the model's orders are accepted again; with no venue connected, whether the flags allow trading."""
    if kind is VenueKind.NONE:
        flags = "the flags allow trading again" if halt is None else f"the flags hold orders back, {halt.why}"
        return f"{flags}; no venue connected, so no fence was lifted"
    return f"trading re-enabled{kind.place}" if halt is None else f"orders stay refused{kind.place}, {halt.why}"


def _called_for(state: Deployment, step: Step, detail: str) -> str:
    """The text of the page; for verify flat, with the deadline by which people must look at the venue."""
    due = (
        next((d.due for d in state.rollback.deadlines if d.name == DeadlineName.IMMEDIATE), None)
        if state.rollback
        else None
    )
    if step is not Step.VERIFY_FLAT or due is None:
        return detail
    return f"{detail}. Due by {due:%H:%M:%S} UTC."
