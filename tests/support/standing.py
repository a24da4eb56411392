"""A release in every state it can be in, come to by events alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from undertakings import UNDERTAKINGS

from signoff.domain import events as e
from signoff.domain.deployment import State, evolve
from signoff.domain.dossier import DeploymentType
from signoff.domain.policy import ApprovalPolicy, PhasePolicy, Policy, Role

START = datetime(2019, 1, 2, 21, 0, tzinfo=UTC)
MANIFEST, PACKAGE = "a" * 64, "b" * 64
ROLES = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING, Role.CTO)
POLICY = Policy(
    name="test",
    version="1",
    approvals=ApprovalPolicy(roles=ROLES, compliance_required=False),
    phases=PhasePolicy(shadow_days=2, limited_days=2),
)


def signature(role, verdict=e.Vote.APPROVE, **changes):
    made = e.Signature(
        person=role.title,
        role=role,
        verdict=verdict,
        subject=PACKAGE if verdict is e.Vote.OVERRIDE else MANIFEST,
        reason="because",
        signed_at=START,
        expires_at=START + timedelta(days=30),
        key_id="k",
        envelope="{}",
    )
    return replace(made, **changes)


def after(state, *events):
    for event in events:
        revision = 1 if state is None else state.revision + 1
        state = evolve(state, e.Recorded(stream="deployment/m-2", revision=revision, at=START, actor="t", event=event))
    return state


@cache
def standing(state, *, blocked=False, conditional=False):
    """A release that came to this state by events alone."""
    return after(None, *way_to(state, blocked=blocked, conditional=conditional))


def way_to(state, *, blocked=False, conditional=False):
    """The events that lead a release to this state."""
    opened = e.Opened(
        deployment="m-2",
        model="m",
        version="2",
        previous_version="1",
        previous_deployment="m-1",
        deployment_type=DeploymentType.UPGRADE,
        submitted_by="Quinn",
        barred=("Quinn",),
        policy=POLICY,
        undertakings=UNDERTAKINGS,
        dossier_digest=PACKAGE,
    )
    gate = e.GateResult(
        key="pbo", outcome="fail" if blocked else "pass", is_blocking=True, statistic=1.0, threshold=1.0, n=9
    )
    conditions = ("daily review",) if conditional else ()
    verdict = e.Vote.CONDITIONAL if conditional else e.Vote.APPROVE
    first = [signature(role) for role in ROLES[1:]]
    last = signature(ROLES[0], verdict, conditions=conditions)
    begun = e.RollbackStarted(occasion=e.RollbackCause.ERROR, trigger="t", reason="r", from_phase=None, deadlines=())
    steps = [e.StepDone(step=step, seconds=0.1, detail="") for step in e.Step]
    way = {
        State.VALIDATING: [opened],
        State.VALIDATED: [e.Validated(results=(gate,), package=PACKAGE)],
        State.AWAITING_APPROVAL: [
            e.ApprovalRequested(manifest=MANIFEST),
            *(e.ApprovalSigned(signature=s) for s in ([last, *first[:-1]] if conditional else first)),
        ],
        State.APPROVED: [
            e.ApprovalSigned(signature=first[-1] if conditional else last),
            e.Approved(manifest=MANIFEST),
        ],
        State.SHADOW: [e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0)],
        State.LIMITED: [e.PhaseEntered(phase=e.Phase.LIMITED, allocation_pct=10)],
        State.FULL: [e.PhaseEntered(phase=e.Phase.FULL, allocation_pct=100)],
    }
    ends = {
        State.REJECTED: (State.APPROVED, [e.ApprovalRejected(signature=signature(ROLES[0], e.Vote.REJECT))]),
        State.SUPERSEDED: (State.FULL, [e.Superseded(by_deployment="m-3")]),
        State.ROLLING_BACK: (State.LIMITED, [begun, *steps[:-1]]),
        State.ROLLBACK_STUCK: (State.LIMITED, [begun, *steps[:-1], e.RollbackStuck(step=e.Step.REVIEW, detail="")]),
        State.ROLLED_BACK: (State.LIMITED, [begun, *steps, e.RolledBack(restored_version="1")]),
    }
    if state in ends:
        before, events = ends[state]
        return [*way_to(before), *events]
    led = []
    for passed, events in way.items():
        led += events
        if passed is state:
            break
    return led
