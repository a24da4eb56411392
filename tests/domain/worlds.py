"""Small releases for tests of the state machine: who signs, what was measured, and how far it went."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from undertakings import UNDERTAKINGS

from signoff.domain import decisions
from signoff.domain.deployment import Deployment, evolve
from signoff.domain.dossier import DeploymentType
from signoff.domain.events import (
    AnyEvent,
    Barred,
    GateResult,
    Observed,
    Opened,
    Recorded,
    Rehearsed,
    Signature,
    Step,
    Validated,
    Vote,
)
from signoff.domain.policy import Policy, Role
from signoff.domain.rollback_drill import Rehearsal

NOW = datetime(2019, 1, 2, 21, 0, tzinfo=UTC)
MANIFEST = "a" * 64
PACKAGE = "b" * 64
POLICY = Policy(name="test", version="1")
REHEARSAL = Rehearsal(
    at=NOW - timedelta(days=10),
    result=Rehearsed(
        seconds=tuple((step, 0.5) for step in Step),
        residual_orders=0,
        within_budget=True,
        restored_version="1",
        events_acknowledged=25,
        events_lost=0,
    ),
)
INTACT = decisions.guards.Package(manifest=MANIFEST, changed=())


def opened(
    *,
    blocking: tuple[str, ...] = (),
    policy: Policy = POLICY,
    barred: tuple[str, ...] = ("Author", "Quinn"),
    grounds: tuple[Barred, ...] = (),
) -> Deployment:
    """A validated release, with these gates failing."""
    results = tuple(
        GateResult(
            key=key, outcome="fail" if key in blocking else "pass", is_blocking=True, statistic=1.0, threshold=1.0, n=9
        )
        for key in {"spa", "pbo", *blocking}
    )
    birth = Opened(
        deployment="m-2",
        model="m",
        version="2",
        previous_version="1",
        previous_deployment="m-1",
        deployment_type=DeploymentType.UPGRADE,
        submitted_by="Quinn",
        barred=barred,
        grounds=grounds,
        policy=policy,
        undertakings=UNDERTAKINGS,
        dossier_digest=PACKAGE,
    )
    return after(None, birth, Validated(results=results, package=PACKAGE))


def after(state: Deployment | None, *events: AnyEvent, at: datetime = NOW) -> Deployment:
    """The state after these events."""
    for event in events:
        revision = 1 if state is None else state.revision + 1
        state = evolve(state, Recorded(stream="deployment/m-2", revision=revision, at=at, actor="t", event=event))
    assert state is not None
    return state


def signature(role: Role, *, person: str | None = None, verdict: Vote = Vote.APPROVE, **changes) -> Signature:
    """A signature by a person named after their role."""
    made = Signature(
        person=person or role.value.title(),
        role=role,
        verdict=verdict,
        subject=PACKAGE if verdict is Vote.OVERRIDE else MANIFEST,
        reason="because" if verdict in {Vote.OVERRIDE, Vote.REJECT} else "",
        signed_at=NOW,
        expires_at=NOW + timedelta(days=30),
        key_id="k",
        envelope="{}",
    )
    return replace(made, **changes)


def awaiting(**options) -> Deployment:
    """A release whose memo waits for signatures."""
    state = opened(**options)
    return after(state, *decisions.approvals.request_approval(state, MANIFEST, REHEARSAL, NOW))


def approved(**options) -> Deployment:
    """A release that every role has signed."""
    state = awaiting(**options)
    for role in state.policy.approvals.required:
        state = after(state, *decisions.approvals.approve(state, signature(role), INTACT, REHEARSAL, NOW))
    return state


def shadowing(**options) -> Deployment:
    """A release in shadow."""
    state = approved(**options)
    return after(state, *decisions.rollout.start(state, INTACT, None, NOW))


def day(n: int, **changes) -> Observed:
    """A day on which every condition holds."""
    healthy = Observed(session=date(2019, 1, 2) + timedelta(days=n), counts=True, readings=(), is_conclusive=True)
    return replace(healthy, **changes)


def lived(state: Deployment, days: int, **changes) -> Deployment:
    """The release after more healthy days."""
    first = 0 if state.last_session is None else (state.last_session - date(2019, 1, 2)).days + 1
    for n in range(first, first + days):
        state = after(state, *decisions.observation.record_day(state, day(n, **changes)))
    return state
