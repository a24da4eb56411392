"""The rollback rehearsal: the real procedure, on a scratch record and staged orders, with measured times.

The previous version is loaded from the registry and run, and a process that writes the record is killed. Only the flags
of production and the venue are staged, as the rehearsal must not touch them. The staged venue is of the installation's
kind. Without a venue, the rehearsal attests on the scratch record that the model is flat, and says that no venue was
rehearsed. A model without a previous version rehearses the halt: fence, cancel and verify flat. It has no version to
revert to, and stays off.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signoff.app.bound import checked
from signoff.app.record import Record, StreamChange, decided_again, deployment_stream, model_stream
from signoff.app.rollback import RollbackProcedure, order_scope
from signoff.domain import decisions
from signoff.domain.artifacts import Pin, PreviousCheck, RegisteredArtifacts
from signoff.domain.commitments import Commitments, DeploymentType
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import SignoffError, described
from signoff.domain.events import (
    AnyEvent,
    ApprovalRequested,
    ApprovalSigned,
    Approved,
    Opened,
    Phase,
    PhaseEntered,
    Rehearsed,
    RollbackCause,
    Signature,
    Step,
    Validated,
    Vote,
)
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.domain.policy import Policy, Role
from signoff.domain.rollback_drill import is_complete, within_budget
from signoff.domain.venue import NOT_REHEARSED, VenueKind
from signoff.ledger.canonical import digest
from signoff.ports.kills import KillJournal
from signoff.ports.registry import Registry
from signoff.ports.store import Store
from signoff.ports.venue import OrderHalt


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSandbox:
    """What a rehearsal runs on: a scratch record, orders that are never filled, and a journal without kills."""

    store: Callable[[], Store]
    orders: Callable[[str], OrderHalt]
    journal: KillJournal
    registry: Registry | None


ALIAS: Final = "rehearsal"
UNREHEARSED: Final = f"a rehearsal, {NOT_REHEARSED}"


@dataclass(frozen=True, slots=True)
class StagedRegistry:
    """The real registry, whose versions are loaded and run; only its alias is staged."""

    real: Registry

    def version(self, model: str, version: str, *, number: int | None = None) -> RegisteredVersion | None:
        """What is registered."""
        return self.real.version(model, version, number=number)

    def artifacts(self, model: str, version: str, *, number: int | None = None) -> RegisteredArtifacts | None:
        """The files that are registered."""
        return self.real.artifacts(model, version, number=number)

    def attach(
        self,
        model: str,  # noqa: ARG002 - the port's signature, as the following
        version: str,  # noqa: ARG002
        files: Mapping[str, bytes],  # noqa: ARG002
        *,
        number: int | None = None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Attach nothing."""
        return ()

    def point(self, model: str, alias: str, version: str, *, number: int | None = None) -> None:  # noqa: ARG002 - the port's signature
        """Point the rehearsal's alias, whatever alias is asked for."""
        if number is None:
            self.real.point(model, ALIAS, version)
        else:
            self.real.point(model, ALIAS, version, number=number)

    def stamp(self, model: str, version: str, *, number: int | None = None) -> str | None:
        """The stamp of its files."""
        return self.real.stamp(model, version, number=number)

    def verify(self, model: str, version: str, *, pin: Pin | None = None) -> PreviousCheck:
        """Load and run the version."""
        return checked(self.real, model, version, pin)

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """What is registered."""
        return self.real.registered(model, alias, versions)


def rehearse(
    record: Record,
    stage: RehearsalSandbox,
    *,
    model: str,
    policy: Policy,
    undertakings: Commitments,
    actor: str,
    registered_model: str | None = None,
) -> Rehearsed:
    """Roll back a staged release of the model, measure every step, and record the result."""
    champion = next((d for d in record.deployments(model) if d.state is State.FULL), None)
    decisions.rollback.rehearse(champion, has_registry=stage.registry is not None)
    staged = _opened(model, registered_model, champion, policy, undertakings, actor)
    played = _played(record, stage, staged, champion, actor)
    seconds, is_blind = played.seconds, played.venue is VenueKind.NONE
    result = Rehearsed(
        seconds=seconds,
        residual_orders=played.residual,
        within_budget=(is_blind or played.residual == 0) and is_complete(seconds) and within_budget(seconds, policy),
        venue=played.venue,
        failed=played.failed,
        failed_because=played.because,
        left_because=played.left_because,
        restored_version=champion.version if champion else None,
    )

    def commit() -> None:
        latch = record.latch(model)
        record.commit(
            StreamChange(stream=model_stream(model), state=latch, events=(result,)),
            actor=actor,
            key=f"rehearse:{model}:{latch.revision if latch else 0}",
        )

    decided_again(commit)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """Each step with its time, the orders that the venue reports open, and the step that failed."""

    venue: VenueKind
    seconds: tuple[tuple[Step, float], ...]
    residual: int | None
    left_because: str
    failed: Step | None
    because: str


def _played(
    record: Record, stage: RehearsalSandbox, opened: Opened, champion: Deployment | None, actor: str
) -> _Played:
    """Run the rollback. Each step's time includes its commit, and the first counts from the trigger."""
    scratch, clock, staged, model = Record(stage.store(), record.clock), record.clock, opened.deployment, opened.model
    _stage(scratch, opened, champion, actor)
    orders = stage.orders(order_scope(model))
    registry = None if stage.registry is None else StagedRegistry(stage.registry)
    procedure = RollbackProcedure(
        record=scratch, orders=orders, journal=stage.journal, registry=registry, releases=None
    )
    laps: list[tuple[Step, float]] = []
    began = clock.monotonic()
    state = procedure.start(staged, RollbackCause.REHEARSAL, "rehearsal", "rollback rehearsal", actor=actor)
    while state.state is State.ROLLING_BACK:
        assert state.rollback is not None
        step = state.rollback.next_step
        assert step is not None
        if step is Step.VERIFY_FLAT and orders.kind is VenueKind.NONE:
            state = procedure.vouch(staged, UNREHEARSED, actor=actor)
        else:
            state = procedure.step(staged, actor=actor)
        if state.state is State.ROLLBACK_STUCK:
            break
        laps.append((step, (now := clock.monotonic()) - began))
        began = now
    rollback = state.rollback
    residual, left_because = _residual(orders, order_scope(model))
    return _Played(
        venue=orders.kind,
        seconds=tuple(laps),
        residual=residual,
        left_because=left_because,
        failed=None if rollback is None else rollback.stuck_at,
        because="" if rollback is None else rollback.stuck_because,
    )


def _residual(orders: OrderHalt, scope: str) -> tuple[int | None, str]:
    """How many orders are left, None without a venue; and why a venue did not say."""
    if orders.kind is VenueKind.NONE:
        return None, ""
    try:
        return len(orders.open_orders(scope)), ""
    except (SignoffError, OSError) as error:
        return None, described(error)


def _opened(
    model: str,
    registered_model: str | None,
    champion: Deployment | None,
    policy: Policy,
    undertakings: Commitments,
    actor: str,
) -> Opened:
    """The staged release: it replaces the champion, or is the first of its model."""
    deployment_id = f"{model}-rehearsal"
    return Opened(
        deployment=deployment_id,
        model=model,
        version="rehearsal",
        previous_version=champion.version if champion else None,
        previous_deployment=None,
        deployment_type=DeploymentType.UPGRADE if champion else DeploymentType.INITIAL,
        submitted_by=actor,
        barred=(),
        policy=policy,
        undertakings=undertakings,
        dossier_digest=digest(deployment_id.encode()),
        registered_model=registered_model,
    )


def _stage(scratch: Record, opened: Opened, champion: Deployment | None, actor: str) -> None:
    """Bring the release into the limited phase, on the scratch record only."""
    marker, now, policy = opened.dossier_digest, scratch.now(), opened.policy
    events: tuple[AnyEvent, ...] = (
        opened,
        Validated(results=(), package=marker, bound_previous=None if champion is None else champion.bound),
        ApprovalRequested(manifest=marker),
        *(ApprovalSigned(signature=_stand_in(role, marker, now, policy)) for role in policy.approvals.required),
        Approved(manifest=marker),
        PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason="rehearsal"),
        PhaseEntered(phase=Phase.LIMITED, allocation_pct=policy.phases.limited_allocation_pct),
    )
    scratch.commit(
        StreamChange(stream=deployment_stream(opened.deployment), state=None, events=events),
        actor=actor,
        key=f"stage:{opened.deployment}",
    )


def _stand_in(role: Role, subject: str, now: datetime, policy: Policy) -> Signature:
    """A placeholder signature, so that the staged release can be live; it is on the scratch record only."""
    return Signature(
        person=f"stand-in {role.value}",
        role=role,
        verdict=Vote.APPROVE,
        subject=subject,
        signed_at=now,
        expires_at=now + timedelta(days=1),
        key_id="",
        envelope="",
        tier=policy.approvals.tier_for(role),
    )
