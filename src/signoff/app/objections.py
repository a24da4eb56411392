"""Why a release cannot go on: a rehearsal that does not count, and roles that nobody can sign in."""

from signoff.app.record import Record
from signoff.domain import decisions
from signoff.domain.deployment import Deployment, State
from signoff.domain.look_alikes import are_alike
from signoff.domain.signatories import unsignable


def unrehearsed(record: Record, state: Deployment) -> tuple[str, ...]:
    """Why the model's last rehearsal does not count for this release; empty when it does."""
    latch = record.latch(state.model)
    rehearsal = None if latch is None else latch.rehearsal
    return decisions.approvals.rehearsal_objections(state, rehearsal, record.now())


def unsigned(record: Record, state: Deployment) -> tuple[str, ...]:
    """The open roles of a release that no enrolled person can sign in."""
    if state.state not in {State.VALIDATED, State.AWAITING_APPROVAL}:
        return ()
    signed = [signature.person for signature in state.approvals]
    people = [one for one in record.people().by_name.values() if not are_alike((one.name,), signed)]
    return unsignable(state.missing_roles, people, state.barred, state.grounds)
