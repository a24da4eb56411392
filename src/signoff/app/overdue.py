"""Deadlines of rollbacks: a breach is recorded once, and a stuck rollback pages people until it moves.

Everything follows from absolute times on record, so any number of workers may run this at any time.
"""

from typing import Final

from signoff.app.notices import Notice, call, effect
from signoff.app.record import Record, decided_again
from signoff.domain import decisions
from signoff.domain.deployment import RETREATING, Deployment, State
from signoff.domain.events import DeadlineBreached
from signoff.ports.notices import Severity
from signoff.ports.store import Effect

ESCALATION = "escalation"
WATCHED: Final = (*RETREATING, State.ROLLED_BACK)


def check_deadlines(record: Record, *, actor: str = "deadlines") -> tuple[tuple[str, DeadlineBreached], ...]:
    """Record every new breach, and repeat the pages that are due; returns the breaches by deployment id."""
    breaches: list[tuple[str, DeadlineBreached]] = []
    for state in record.in_states(*WATCHED):
        breaches += [(state.id, breach) for breach in check_deadline(record, state, actor=actor)]
    return tuple(breaches)


def check_deadline(record: Record, state: Deployment, *, actor: str) -> tuple[DeadlineBreached, ...]:
    """Check the deadlines of one release."""
    late = _breaches(record, state.id, actor=actor)
    _call(record, state, actor=actor)
    return late


def _breaches(record: Record, deployment_id: str, *, actor: str) -> tuple[DeadlineBreached, ...]:
    def commit() -> tuple[DeadlineBreached, ...]:
        state = record.deployment(deployment_id)
        late = decisions.rollback.overdue(state, record.now())
        record.append(
            state,
            late,
            actor=actor,
            key=f"overdue:{deployment_id}:{state.revision}",
            effects=tuple(call(state, f"deadline {d.name} missed", f"it was due {d.due.isoformat()}") for d in late),
        )
        return late

    return decided_again(commit)


def _call(record: Record, state: Deployment, *, actor: str) -> None:
    page = decisions.rollback.page_due(state, record.now())
    if page is not None:
        key = f"page:{state.id}:{state.revision}:{page.number}"
        record.commit(actor=actor, key=key, effects=_calls(state, page))


def _calls(state: Deployment, page: decisions.rollback.Page) -> tuple[Effect, ...]:
    assert state.rollback is not None
    step = state.rollback.stuck_at
    notice = f"PAGE {page.number + 1}: rollback stuck at {step}"
    because = f": {state.rollback.stuck_because}" if state.rollback.stuck_because else ""
    again = f"`signoff rollout rollback {state.id}`"
    text = f"stuck since {state.rollback.stuck_since}{because}; the model stays off. To try again: {again}"
    escalated = Notice(
        deployment=state.id,
        notice=notice,
        channel=ESCALATION,
        subject=f"ESCALATED: {state.model} v{state.version} cannot be rolled back",
        text=text,
        severity=Severity.PAGE,
    )
    return (call(state, notice, text), *((effect(escalated),) if page.is_escalated else ()))
