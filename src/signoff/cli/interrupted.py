"""Tells what an interrupted command has recorded, so that people can decide whether to repeat it."""

from typing import Final

from signoff.app.commits_in_flight import standing
from signoff.app.kill import answer_within
from signoff.cli.session import Session
from signoff.domain import events as e
from signoff.domain.events import AnyEvent
from signoff.rendering.story import sentence

LOOKED_S: Final = 3.0
MOST_SHOWN: Final = 5
SIGNED: Final = (e.ApprovalSigned, e.OverrideSigned, e.ApprovalRejected, e.RearmSigned, e.Adopted, e.PolicyProposed)


def what_stands(session: Session) -> tuple[str, ...]:
    """The recorded events of this command, in sentences."""
    if (server := session.reached) is not None:
        return (
            f"Stopped. Whether the server at {server} carried it out is not known here: look with `signoff history` "
            "before the same command is repeated.",
        )
    if not session.undertakings:
        kept = answer_within(session.kills_kept, LOOKED_S)
        if kept is None or kept:
            which = (
                "Whether a kill was kept cannot be told" if kept is None else f"The kill of {', '.join(kept)} stands"
            )
            return (f"Stopped. {which}: look with `signoff history` before the same command is repeated.",)
        return ("Stopped. Nothing was recorded; the same command can be given again.",)
    events = answer_within(lambda: standing(tuple(session.undertakings)), LOOKED_S)
    if events is None:
        return (
            "Stopped. Whether anything was recorded cannot be told, since the record does not answer: look with "
            "`signoff history` before the same command is repeated.",
        )
    if not events:
        return ("Stopped. Nothing was recorded; the same command can be given again.",)
    hidden = len(events) - MOST_SHOWN
    return (
        f"Stopped. {_signed(events)}On record, and it stands:",
        *((f"  {hidden} event(s) before these",) if hidden > 0 else ()),
        *(f"  {stream.partition('/')[2]}: {sentence(event)}" for stream, event in events[-MOST_SHOWN:]),
        "`signoff status` says what comes next; the same command given again finishes what is left of it.",
    )


def _signed(events: tuple[tuple[str, AnyEvent], ...]) -> str:
    return "Your signature stands. " if any(isinstance(event, SIGNED) for _, event in events) else ""
