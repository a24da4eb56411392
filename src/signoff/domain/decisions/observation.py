"""Sessions of a live release: what is recorded, and which were not held."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, NoReturn

from signoff.domain import events as e
from signoff.domain.commitments import Commitments
from signoff.domain.deployment import LIVE, Deployment, foreseen
from signoff.domain.errors import GuardError, NotFoundError, RefusedError
from signoff.domain.events import AnyEvent, PauseReason
from signoff.domain.silence import concerns_of, cut_by

AUTOMATIC: Final = (PauseReason.INCONCLUSIVE, PauseReason.NO_DATA)


def record_day(state: Deployment, observed: e.Observed) -> tuple[AnyEvent, ...]:
    """A day of monitoring; inconclusive days pause the phase clock until a conclusive one, and in the end cut capital.

    A day is recorded once. A day observed before its data came is recorded again if they make it conclusive or a
    trigger holds; a day declared not held is recorded once it has data.
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
    """A person declares that the venue did not hold a session; data that come nevertheless are judged."""
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
        unjudged = ", ".join(map(str, state.unjudged)) or "none"
        raise GuardError(
            "session", f"{session} is no session without conclusive data up to {last}; those are: {unjudged}."
        )
    return (e.SessionNotHeld(session=session, reason=reason),)


def _better_informed(state: Deployment, observed: e.Observed) -> None:
    """Refuse to observe a session again that was judged, or that is still inconclusive."""
    day = observed.session
    if day not in state.unjudged and day not in state.not_held:
        raise GuardError("session", f"session {day} was observed already; last is {state.last_session}.")
    was_held = day in state.not_held and observed.counts  # data contradict the declaration, however poor they are
    if not observed.is_heard and not observed.fired and not was_held:
        concerns = "; ".join(observed.concerns or ())
        raise GuardError("session", f"session {day} was looked at already and is still inconclusive: {concerns}.")


def live_since(state: Deployment) -> date:
    """The day on which the release first entered shadow, or on which it was adopted."""
    if state.live_since is None and state.was_adopted:
        return state.opened_at.date()
    if state.live_since is None:
        raise NotFoundError(f"Expected {state.id} to be live, found it {state.state.value}: it never entered shadow.")
    return state.live_since


def closed(state: Deployment, session: date, *, first: date | None, close: datetime | None, now: datetime) -> None:
    """Refuse to record a session that is not over, since later data would be missed.

    `first` is the first day to observe, if there was none yet. `close` is None on a day without a session.
    """
    if close is None:
        raise RefusedError(
            f"Expected a session of {state.policy.phases.calendar} to observe for {state.model}, found {session} "
            f"({session:%A}), on which it is closed."
        )
    if first is not None and session < first:
        raise RefusedError(
            f"Expected a session from {first} on, the day on which {state.id} became live, found {session}: it was "
            "not lived, and counts for nothing. Leave --session out to observe the next one."
        )
    if close > now:
        raise RefusedError(
            f"Expected a session that has closed by {_time(now)} to observe for {state.model}, found {session}, "
            f"which closes at {_time(close)}: once it was observed, none before it can be. Observe it then, or "
            "leave --session out for an interim look."
        )


def refuse_without_session(state: Deployment, coming: date | None, close: datetime | None, now: datetime) -> NoReturn:
    """Refuse to observe before a session has closed; `coming` is the next one, if the calendar reaches that far."""
    again = "Observe again when the next session has closed."
    if coming is not None and close is not None:
        again = f"The next session is {coming}; observe again after its close at {_time(close)}."
    raise NotFoundError(
        f"Expected a session after {state.last_session or live_since(state) - timedelta(days=1)} to observe for "
        f"{state.model}, found none that has closed by {_time(now)}. {again}"
    )


def targets_of(state: Deployment) -> Commitments:
    """The targets of a release's review."""
    if state.undertakings is None:
        raise RefusedError(f"{state.id} was adopted and has no targets to be reviewed against.")
    return state.undertakings


def was_lived(state: Deployment, *, has_sessions: bool) -> None:
    """Refuse to review a release that was never observed."""
    if not has_sessions:
        raise RefusedError(f"{state.id} has no observed session yet; run `signoff observe {state.id}` first.")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
