"""The notices of section 9: when they are due, what they keep from starting, and who says what is done."""

from datetime import UTC, datetime, time, timedelta

from signoff.domain import events as e
from signoff.domain.deployment import Deployment
from signoff.domain.errors import GuardError, NotFoundError
from signoff.domain.events import AnyEvent
from signoff.domain.policy import CertifiedSentence


def notices_due(state: Deployment) -> datetime | None:
    """When the notices of T-24h are due: so many hours before the deployment date begins, UTC; None without a date."""
    if state.deployment_date is None:
        return None
    begins = datetime.combine(state.deployment_date, time(), UTC)
    return begins - timedelta(hours=state.policy.sign_off.notice_hours)


def notice_objections(state: Deployment, now: datetime) -> tuple[str, ...]:
    """What keeps the notices of T-24h from letting the start through; empty where the policy accepts their lack."""
    sign_off, undertakings = state.policy.sign_off, state.undertakings
    if undertakings is None or CertifiedSentence.STAKEHOLDERS in sign_off.accepted_not_evidenced:
        return ()
    told = {one.item: one.at for one in state.told}
    if missing := [item for item in undertakings.communication.before if item not in told]:
        return (
            f"nobody took these notices of T-24h: {', '.join(missing)}. A worker sends them to the webhook; a person "
            f"who told people says so with `signoff done {state.id} ITEM`",
        )
    last = max(told[item] for item in undertakings.communication.before)
    free = last + timedelta(hours=sign_off.notice_hours)
    if now >= free:
        return ()
    return (
        f"people were told at {last:%Y-%m-%d %H:%M} UTC, and have {sign_off.notice_hours:g} h: start at "
        f"{free:%Y-%m-%d %H:%M} UTC or later",
    )


def retry(identity: str, *, is_queued: bool) -> None:
    """Refuse to try a notice again that is not there, or was sent."""
    if not is_queued:
        raise NotFoundError(
            f"Expected the id of a notice that was not sent yet, found {identity!r}; nothing was changed. "
            "`signoff notices` lists them."
        )


def mark_done(state: Deployment, item: str, person: str, note: str) -> tuple[AnyEvent, ...]:
    """A person says that they did what section 9 announces; once for each item and person."""
    if state.undertakings is None:
        raise GuardError("item", f"{state.id} was adopted, and announces nothing.")
    declared = state.undertakings.communication
    known = (
        *declared.before,
        *declared.at_deployment,
        *declared.after,
        *declared.documents,
        *declared.training,
    )
    if item not in known:
        raise GuardError("item", f"expected an item of section 9, found {item!r}; there are: {'; '.join(known)}.")
    if known.count(item) > 1:
        raise GuardError("item", f"{item!r} names {known.count(item)} items of section 9; give each a name of its own.")
    return (e.ItemDone(item=item, person=person, note=note),)
