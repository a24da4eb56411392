"""Rehearsing the rollback: the real procedure, on a scratch record and simulated orders, with measured times.

The previous version is really loaded from the registry and run. What is staged is only what must not be touched: the
flags of production and the broker.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.app.record import Change, Record, deployment_stream, model_stream
from signoff.app.rollback import RollbackProcedure, order_scope
from signoff.domain.deployment import Deployment, State
from signoff.domain.dossier import DeploymentType, Undertakings
from signoff.domain.errors import NotFoundError
from signoff.domain.events import (
    ApprovalRequested,
    ApprovalSigned,
    Approved,
    Occasion,
    Opened,
    Phase,
    PhaseEntered,
    Rehearsed,
    Signature,
    Step,
    StepDone,
    Validated,
    Verdict,
)
from signoff.domain.policy import Policy, Role
from signoff.ledger.canonical import digest
from signoff.ports.orders import OrderHalt
from signoff.ports.registry import Registry
from signoff.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a rehearsal plays: a record of its own, and orders that nobody will fill."""

    store: Callable[[], Store]
    orders: Callable[[str], OrderHalt]
    registry: Registry


def rehearse(
    record: Record, stage: Stage, *, model: str, policy: Policy, undertakings: Undertakings, actor: str
) -> Rehearsed:
    """Roll a staged release of the model back, measure every step, and record the result."""
    champion = next((d for d in record.deployments(model) if d.state is State.FULL), None)
    if champion is None:
        raise NotFoundError(
            f"Expected a live version of {model} to fall back to, found none on record. "
            "Record what is live with `signoff adopt` first."
        )
    scratch = Record(stage.store(), record.clock)
    staged = _staged(scratch, champion, policy, undertakings, actor)
    orders = stage.orders(order_scope(model))
    procedure = RollbackProcedure(record=scratch, orders=orders, registry=stage.registry, releases=None)
    procedure.begin(staged, Occasion.REHEARSAL, "rehearsal", "rollback rehearsal", actor=actor)
    done = [r.event for r in scratch.history(deployment_stream(staged)) if isinstance(r.event, StepDone)]
    residual = len(orders.open_orders(order_scope(model)))
    seconds = tuple((event.step, event.seconds) for event in done)
    result = Rehearsed(
        seconds=seconds,
        residual_orders=residual,
        within_budget=residual == 0 and is_complete(seconds) and within_budget(seconds, policy),
    )
    latch = record.latch(model)
    record.commit(
        Change(stream=model_stream(model), state=latch, events=(result,)),
        actor=actor,
        key=f"rehearse:{model}:{latch.revision if latch else 0}",
    )
    return result


def is_complete(seconds: tuple[tuple[Step, float], ...]) -> bool:
    """Whether every step was done, in order."""
    return [step for step, _ in seconds] == list(Step)


def within_budget(seconds: tuple[tuple[Step, float], ...], policy: Policy) -> bool:
    """Whether the times since the start meet the 5 minutes, 15 minutes and 2 hours of section 5.1."""
    elapsed = dict(seconds)
    steps = list(Step)
    budgets = (
        (Step.VERIFY_FLAT, policy.rollback.immediate_minutes),
        (Step.VERIFY_REVERT, policy.rollback.revert_minutes),
        (Step.REVIEW, policy.rollback.review_minutes),
    )
    return all(
        sum(elapsed.get(step, 0.0) for step in steps[: steps.index(last) + 1]) <= 60.0 * minutes
        for last, minutes in budgets
    )


def _staged(scratch: Record, champion: Deployment, policy: Policy, undertakings: Undertakings, actor: str) -> str:
    """A release in its limited phase, on the scratch record only."""
    identity, now = f"{champion.model}-rehearsal", scratch.now()
    marker = digest(identity.encode())
    opened = Opened(
        deployment=identity,
        model=champion.model,
        version="rehearsal",
        previous_version=champion.version,
        previous_deployment=None,
        deployment_type=DeploymentType.UPGRADE,
        submitted_by=actor,
        barred=(),
        policy=policy,
        undertakings=undertakings,
        dossier_digest=marker,
    )
    scratch.commit(
        Change(
            stream=deployment_stream(identity),
            state=None,
            events=(
                opened,
                Validated(results=(), package=marker),
                ApprovalRequested(manifest=marker),
                *(ApprovalSigned(signature=_stand_in(role, marker, now)) for role in policy.approvals.required),
                Approved(manifest=marker),
                PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason="rehearsal"),
                PhaseEntered(phase=Phase.LIMITED, allocation_pct=policy.phases.limited_allocation_pct),
            ),
        ),
        actor=actor,
        key=f"stage:{identity}",
    )
    return identity


def _stand_in(role: Role, subject: str, now: datetime) -> Signature:
    """A signature of nobody, so that the staged release can be live; it exists on the scratch record alone."""
    return Signature(
        person=f"stand-in {role.value}",
        role=role,
        verdict=Verdict.APPROVE,
        subject=subject,
        signed_at=now,
        expires_at=now + timedelta(days=1),
        key_id="",
        envelope="",
    )
