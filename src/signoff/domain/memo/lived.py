"""What happened since a memo was signed: receipts, phases, readings, root cause. Only a living memo has this section.

The signed edition never changes; the living memo is a further edition without signatures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from signoff.domain import events as e
from signoff.domain.deployment import ENDED, Deployment, State
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    Column,
    Fields,
    Mark,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.markup import lead_in, one
from signoff.domain.monitoring import Level
from signoff.domain.quantity import NOT_PROVIDED

OPEN: Final = "open"
NOT_SIGNED: Final = "not signed"
_MARKS: Final = {
    State.REJECTED: Mark.REJECTED,
    State.SUPERSEDED: Mark.SUPERSEDED,
    State.ROLLING_BACK: Mark.ROLLING_BACK,
    State.ROLLBACK_STUCK: Mark.ROLLBACK_STUCK,
    State.ROLLED_BACK: Mark.ROLLED_BACK,
}


def lived(
    memo: Memo,
    history: Iterable[e.Recorded],
    now: datetime,
    *,
    state: Deployment | None = None,
    of_model: Iterable[e.Recorded] = (),
) -> Memo:
    """The memo with the record of the release up to now.

    `of_model` is the history of its model, which has the kills.
    """
    events = tuple(history)
    kills = _kills(tuple(of_model), state)
    notice = f"Living memo: as of {now:%Y-%m-%d %H:%M} UTC, {len(events)} events. This edition is not signed."
    section = Section("13", "Since the Signatures", tuple(_blocks(events, kills)))
    composed = replace(
        memo,
        notices=(notice, *_worse(events), *memo.notices),
        sections=(*memo.sections, section),
        attachments=memo.attachments if state is None else (_attachments(state),),
        kind="Living memo",
    )
    return composed if state is None else _fated(composed, state, kills)


def _fated(memo: Memo, state: Deployment, kills: tuple[e.Recorded, ...]) -> Memo:
    """Page one of a release that is rolling back or ended; its request for a decision no longer holds."""
    is_killed = bool(kills) and isinstance(kills[-1].event, e.Killed)
    mark = _MARKS.get(state.state)
    if is_killed and state.state not in ENDED and state.state is not State.ROLLBACK_STUCK:
        mark = Mark.KILLED
    notices = tuple(_fate(state, kills[-1] if is_killed else None))
    head, *others = memo.notices
    memo = replace(memo, notices=(head, *notices, *others))
    if mark is None:
        return memo
    if memo.tldr_mark:
        tldr = f"{notices[0]} Before that the release read ({memo.tldr_mark}): “{memo.tldr}”"
    else:
        tldr = f"{notices[0]} Before that the release read: {memo.tldr.replace('Asks for ', 'Asked for ')}"
    return replace(memo, decision=mark, status=mark, tldr=tldr, tldr_mark="")


def _fate(state: Deployment, kill: e.Recorded | None) -> Iterator[str]:
    """What became of a release that no longer is what was approved, the kill first."""
    if kill is not None:
        yield f"{state.model} is KILLED, {_at(kill)}: {_moved(kill)}."
    if (rollback := state.rollback) is not None:
        why = f"trigger {rollback.trigger}, {rollback.occasion.value}" + (f": {_reason(rollback.reason)}")
        began = f"{rollback.started_at:%Y-%m-%d %H:%M} UTC"
        word = state.state.value.replace("_", " ").upper()
        yield f"{word}: the rollback began {began}, {why}."
        if state.state is State.ROLLBACK_STUCK and rollback.stuck_at is not None:
            yield f"The rollback is stuck at step {rollback.stuck_at.value}: {_reason(rollback.stuck_because)}."
    if state.state is State.SUPERSEDED:
        yield f"SUPERSEDED by {state.superseded_by}."
    if state.state is State.REJECTED:
        rejection = state.rejection
        why = "" if rejection is None else f" by {rejection.person} ({rejection.role.value})"
        yield f"REJECTED{why}: it is not asked for any more."
    if state.registered_again:
        numbers = ", ".join(str(number) for number in state.registered_again)
        bound = "" if state.bound is None else f"; the release is bound to number {state.bound.number}"
        yield f"ALARM: v{state.version} was registered again, as number {numbers}{bound}."
    for changed in state.changed_files:
        yield f"ALARM: the files of v{state.version} changed in the registry after approval: {_reason(changed)}."


def _reason(text: str) -> str:
    return text.strip().rstrip(".") or "no reason is on record"


def _attachments(state: Deployment) -> str:
    """Where the attachments are; the folder of a living memo has none."""
    issued = [edition for edition, _ in state.editions]
    edition = next((name for name in ("approved", "submitted") if name in issued), None)
    if edition is None:
        return "No edition was issued, and no attachment is in this folder."
    return f"None is in this folder. Those that were signed: releases/{state.id}/{edition}/attachments"


def _kills(of_model: tuple[e.Recorded, ...], state: Deployment | None) -> tuple[e.Recorded, ...]:
    """Kills and re-arms of the model since the release was opened, and a kill in force at that time."""
    events = tuple(r for r in of_model if isinstance(r.event, e.Killed | e.Rearmed))
    if state is None:
        return events
    before = tuple(r for r in events if r.at < state.opened_at)
    in_force = before[-1:] if before and isinstance(before[-1].event, e.Killed) else ()
    return (*in_force, *events[len(before) :])


def root_cause(history: Iterable[e.Recorded]) -> str:
    """The root cause as a person stated it, else that it is open; the name of a trigger is not a root cause."""
    post_mortems = [(r, r.event) for r in history if isinstance(r.event, e.PostMortemHeld) and r.event.root_cause]
    if not post_mortems:
        return OPEN
    recorded, event = post_mortems[-1]
    return f"{event.root_cause} (stated by {recorded.actor} on {recorded.at:%Y-%m-%d})"


def _worse(events: tuple[e.Recorded, ...]) -> Iterator[str]:
    """The readings of the last session that are not ok, for page one."""
    last = _last(events)
    if last is not None and (readings := tuple(r for r in last.readings if r.level != Level.OK)):
        told_of = ", ".join(f"{reading.key.replace('_', ' ')} {reading.word}" for reading in readings)
        yield f"Readings of the last session, {last.session}, that are not ok: {told_of}."


def _last(events: tuple[e.Recorded, ...]) -> e.Observed | None:
    return next((r.event for r in reversed(events) if isinstance(r.event, e.Observed)), None)


def _blocks(events: tuple[e.Recorded, ...], kills: tuple[e.Recorded, ...]) -> Iterator[Block]:
    yield lead_in("Start")
    yield _start(events)
    yield lead_in("Notices")
    yield _receipts(events)
    yield lead_in("Done by a person")
    yield _items(events)
    yield lead_in("Phases")
    yield _phases(events, kills)
    yield lead_in("Readings of the last session")
    yield _readings(events)
    if any(isinstance(r.event, e.RollbackStarted) for r in events):
        yield one("Root cause", Cell(root_cause(events)))


def _start(events: tuple[e.Recorded, ...]) -> Block:
    starts = [r for r in events if isinstance(r.event, e.PhaseEntered) and r.event.phase is e.Phase.SHADOW]
    signed = next((r.event for r in reversed(events) if isinstance(r.event, e.DeployerSigned)), None)
    if not starts:
        return Paragraph("Not started.", is_note=True)
    first = starts[0]
    by = f"{first.actor} ({first.proof.value})" if first.proof else first.actor
    words = NOT_SIGNED
    if signed is not None:
        words = f"{signed.person}, key {signed.key_id[:12]}…{e.key_mark(signed.key_made_by, signed.key_replaced)}"
    return Fields(
        (
            ("Started", Cell(f"{first.at:%Y-%m-%d %H:%M} UTC", is_figure=True)),
            ("By", Cell(by)),
            ("Section 12", Cell(words)),
        )
    )


def _receipts(events: tuple[e.Recorded, ...]) -> Block:
    rows = tuple(
        (Cell(f"{r.at:%Y-%m-%d %H:%M}", is_figure=True), Cell(r.event.notice), Cell(r.event.words))
        for r in events
        if isinstance(r.event, e.NoticeSent)
    )
    if not rows:
        return Paragraph("None went out.", is_note=True)
    return Table((Column("When (UTC)"), Column("Notice"), Column("What became of it")), rows)


def _items(events: tuple[e.Recorded, ...]) -> Block:
    items = tuple(
        f"{r.event.item}: {r.event.person}{r.proof.mark}, {r.at:%Y-%m-%d %H:%M} UTC"
        + (f" ({r.event.note})" if r.event.note else "")
        for r in events
        if isinstance(r.event, e.ItemDone)
    )
    return Bullets(items) if items else Paragraph("Nothing is on record.", is_note=True)


_MOVES: Final = (
    e.PhaseEntered,
    e.CapitalCut,
    e.RollbackStarted,
    e.RollbackStuck,
    e.RolledBack,
    e.Superseded,
    e.Reinstated,
    e.RegisteredAgain,
    e.FilesChanged,
)


def _phases(events: tuple[e.Recorded, ...], kills: tuple[e.Recorded, ...]) -> Block:
    moves = sorted((*(r for r in events if isinstance(r.event, _MOVES)), *kills), key=lambda r: r.at)
    lines = tuple(f"{_at(r)}: {_moved(r)}" for r in moves)
    return Bullets(lines) if lines else Paragraph("Not live yet.", is_note=True)


def _at(recorded: e.Recorded) -> str:
    return f"{recorded.at:%Y-%m-%d %H:%M} UTC"


def _moved(recorded: e.Recorded) -> str:
    match event := recorded.event:
        case e.Killed():
            return f"killed by {recorded.actor}: {_reason(event.reason)}"
        case e.Rearmed():
            return f"armed again by {' and '.join(event.persons)}"
        case _:
            return _of_release(event)


def _of_release(event: e.AnyEvent) -> str:
    match event:
        case e.PhaseEntered():
            return f"{event.phase.value} at {event.allocation_pct}%"
        case e.CapitalCut():
            return event.reason
        case e.RolledBack():
            return f"rolled back; restored {event.restored_version or 'no version'}"
        case e.Superseded():
            return f"superseded by {event.by_deployment}"
        case e.RollbackStarted() | e.RollbackStuck() | e.RegisteredAgain() | e.FilesChanged():
            return _gone_wrong(event)
        case _:
            return event.kind.replace("_", " ")


def _gone_wrong(event: e.RollbackStarted | e.RollbackStuck | e.RegisteredAgain | e.FilesChanged) -> str:
    if isinstance(event, e.RollbackStarted):
        return f"rollback began, trigger {event.trigger}"
    if isinstance(event, e.RollbackStuck):
        return f"rollback stuck at step {event.step.value}: {event.detail}"
    if isinstance(event, e.FilesChanged):
        return f"ALARM: {event.found}"
    return f"v{event.version} was registered again, as number {event.number}"


def _readings(events: tuple[e.Recorded, ...]) -> Block:
    last = _last(events)
    if last is None or not last.readings:
        return Paragraph("No session was observed.", is_note=True)
    columns = (Column("Reading"), Column("Value", Align.RIGHT), Column("Level"), Column("Detail"))
    rows = tuple(
        (
            Cell(reading.key.replace("_", " ")),
            Cell(NOT_PROVIDED if reading.value is None else f"{reading.value:.4g}", is_figure=True),
            Cell(reading.word),
            Cell(reading.detail),
        )
        for reading in last.readings
    )
    return Table(columns, rows, caption=f"Session {last.session}")
