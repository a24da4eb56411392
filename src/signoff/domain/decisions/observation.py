"""Sessions of a live release: what is recorded of one, and which one was not held."""

from dataclasses import replace
from datetime import date
from typing import Final

from signoff.domain import events as e
from signoff.domain.deployment import (
    LIVE,
    Deployment,
    foreseen,
)
from signoff.domain.errors import GuardError
from signoff.domain.events import AnyEvent, PauseReason
from signoff.domain.silence import concerns_of, cut_by

AUTOMATIC: Final = (PauseReason.INCONCLUSIVE, PauseReason.NO_DATA)


def record_day(state: Deployment, observed: e.Observed) -> tuple[AnyEvent, ...]:
    """A day of monitoring; inconclusive days pause the clock until a conclusive one follows, and then cut capital.

    A day is recorded once. One that was looked at before its data came is recorded again when they make it conclusive,
    or when a trigger holds; one that was declared as not held, as soon as it has data.
    """
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; only a live one is observed.")
    observed = replace(observed, concerns=concerns_of(observed))
    if observed.session in state.not_held and not observed.counts:
        raise GuardError(
            "not_held", f"session {observed.session} was declared as not held, and no data tell otherwise."
        )
    if is_late := state.last_session is not None and observed.session <= state.last_session:
        _better_informed(state, observed)
    seen = foreseen(state, observed)
    if not observed.is_conclusive:
        reason = PauseReason.INCONCLUSIVE if observed.counts else PauseReason.NO_DATA
        is_paused = is_late or reason in state.pause_reasons
        paused = () if is_paused else (e.Paused(reason=reason, note="; ".join(observed.unmet)),)
        return (*paused, observed, *(() if is_late else cut_by(seen)))
    note = "a conclusive day followed"
    ended = AUTOMATIC if seen.is_heard else ()
    return (*(e.Resumed(reason=r, note=note) for r in ended if r in state.pause_reasons), observed)


def declare_not_held(
    state: Deployment, session: date, reason: str, *, has_data: bool, today: date
) -> tuple[AnyEvent, ...]:
    """One person says that the venue did not hold a session; data that come all the same are judged."""
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; sessions are declared for a live one alone.")
    if not reason.strip():
        raise GuardError("reason", "a session that was not held needs a reason; it is kept on record.")
    if session > today:
        raise GuardError("session", f"expected a session up to {today}, found {session}; declare it once it is over.")
    if session < (since := state.live_since or state.opened_at.date()):
        raise GuardError("session", f"expected a session since {since}, when the release went live, found {session}.")
    if has_data:
        raise GuardError("session", f"data were journaled for {session}, so it was held. Observe it instead.")
    if session in state.not_held:
        return ()
    last = state.last_session
    if last is not None and session <= last and session not in state.unjudged:
        found = ", ".join(map(str, state.unjudged)) or "none"
        raise GuardError(
            "session", f"{session} is no session without conclusive data up to {last}; those are: {found}."
        )
    return (e.SessionNotHeld(session=session, reason=reason),)


def _better_informed(state: Deployment, observed: e.Observed) -> None:
    """Refuse a second look at a session that was judged, or that still shows nothing to act on."""
    day = observed.session
    if day not in state.unjudged and day not in state.not_held:
        raise GuardError("session", f"session {day} was observed already; last is {state.last_session}.")
    was_held = day in state.not_held and observed.counts  # data tell otherwise, whatever they are worth
    if not observed.is_heard and not observed.fired and not was_held:
        found = "; ".join(observed.concerns or ())
        raise GuardError("session", f"session {day} was looked at already and is still inconclusive: {found}.")
