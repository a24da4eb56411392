"""The notices of section 9: when they are due, how they delay the start, and who marks items done."""

from datetime import UTC, datetime, time, timedelta

from signoff.domain import events as e
from signoff.domain.deployment import Deployment
from signoff.domain.errors import GuardError, NotFoundError
from signoff.domain.events import AnyEvent
from signoff.domain.policy import CertifiedSentence


def notices_due(state: Deployment) -> datetime | None:
    """When the notices of T-24h are due: so many hours before the deployment date, UTC; None without a date."""
    if state.deployment_date is None:
        return None
    begins = datetime.combine(state.deployment_date, time(), UTC)
    return begins - timedelta(hours=state.policy.sign_off.notice_hours)


def notice_objections(state: Deployment, now: datetime) -> tuple[str, ...]:
    """Why the notices of T-24h delay the start; empty if the policy accepts their lack."""
    sign_off, undertakings = state.policy.sign_off, state.undertakings
    if undertakings is None or CertifiedSentence.STAKEHOLDERS in sign_off.accepted_not_evidenced:
        return ()
    taken_at = {one.item: one.at for one in state.told}
    if missing := [item for item in undertakings.communication.before if item not in taken_at]:
        return (
            f"these notices of T-24h have no receipt: {', '.join(missing)}. A worker sends them to the webhook; a "
            f"person who told people says so with `signoff done {state.id} ITEM`",
        )
    last = max(taken_at[item] for item in undertakings.communication.before)
    free = last + timedelta(hours=sign_off.notice_hours)
    if now >= free:
        return ()
    return (
        f"people were told at {last:%Y-%m-%d %H:%M} UTC, and have {sign_off.notice_hours:g} h: start at "
        f"{free:%Y-%m-%d %H:%M} UTC or later",
    )


def retry(identity: str, *, is_queued: bool) -> None:
    """Refuse to retry a notice that is unknown or was sent."""
    if not is_queued:
        raise NotFoundError(
            f"Expected the id of a notice that was not sent yet, found {identity!r}; nothing was changed. "
            "`signoff notices` lists them."
        )


def mark_done(state: Deployment, item: str, person: str, note: str) -> tuple[AnyEvent, ...]:
    """A person marks an item of section 9 as done, once for each item and person."""
    if state.undertakings is None:
        raise GuardError("item", f"{state.id} was adopted, and announces nothing.")
    declared = state.undertakings.communication
    items = (*declared.before, *declared.at_deployment, *declared.after, *declared.documents, *declared.training)
    if item not in items:
        raise GuardError("item", f"expected an item of section 9, found {item!r}; there are: {'; '.join(items)}.")
    if items.count(item) > 1:
        raise GuardError("item", f"{item!r} names {items.count(item)} items of section 9; give each a name of its own.")
    return (e.ItemDone(item=item, person=person, note=note),)
