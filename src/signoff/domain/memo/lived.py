"""What happened since a memo was signed: receipts, phases, readings, the root cause. Added to a living memo alone.

The signed edition is never altered; this section stands beside it, in an edition that nobody signed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from signoff.domain import events as e
from signoff.domain.memo.document import Align, Block, Bullets, Cell, Column, Fields, Memo, Paragraph, Section, Table
from signoff.domain.memo.pieces import lead_in, one
from signoff.domain.monitoring import Level
from signoff.domain.quantity import NOT_PROVIDED

OPEN: Final = "open"
NOT_SIGNED: Final = "not signed"


def lived(memo: Memo, history: Iterable[e.Recorded], now: datetime) -> Memo:
    """The memo with what the record says of the release by now."""
    told = tuple(history)
    said = f"Living memo: as of {now:%Y-%m-%d %H:%M} UTC, {len(told)} events. Nobody signed this edition."
    worse = tuple(_worse(told))
    section = Section("13", "Since the Signatures", tuple(_blocks(told)))
    return replace(memo, notices=(said, *worse, *memo.notices), sections=(*memo.sections, section), kind="Living memo")


def root_cause(history: Iterable[e.Recorded]) -> str:
    """The cause of a rollback as a person stated it; the name of a trigger is none, and until then it is open."""
    held = [(r, r.event) for r in history if isinstance(r.event, e.PostMortemHeld) and r.event.root_cause]
    if not held:
        return OPEN
    recorded, event = held[-1]
    return f"{event.root_cause} (stated by {recorded.actor} on {recorded.at:%Y-%m-%d})"


def _worse(told: tuple[e.Recorded, ...]) -> Iterator[str]:
    """What of the last session is not ok: it belongs on page one like everything else that is red or missing."""
    last = _last(told)
    if last is not None and (found := tuple(r for r in last.readings if r.level != Level.OK)):
        told_of = ", ".join(f"{reading.key.replace('_', ' ')} {reading.word}" for reading in found)
        yield f"Readings of the last session, {last.session}, that are not ok: {told_of}."


def _last(told: tuple[e.Recorded, ...]) -> e.Observed | None:
    return next((r.event for r in reversed(told) if isinstance(r.event, e.Observed)), None)


def _blocks(told: tuple[e.Recorded, ...]) -> Iterator[Block]:
    yield lead_in("Start")
    yield _start(told)
    yield lead_in("Notices")
    yield _receipts(told)
    yield lead_in("Done by a person")
    yield _items(told)
    yield lead_in("Phases")
    yield _phases(told)
    yield lead_in("Readings of the last session")
    yield _readings(told)
    if any(isinstance(r.event, e.RollbackStarted) for r in told):
        yield one("Root cause", Cell(root_cause(told)))


def _start(told: tuple[e.Recorded, ...]) -> Block:
    starts = [r for r in told if isinstance(r.event, e.PhaseEntered) and r.event.phase is e.Phase.SHADOW]
    signed = next((r.event for r in reversed(told) if isinstance(r.event, e.DeployerSigned)), None)
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


def _receipts(told: tuple[e.Recorded, ...]) -> Block:
    rows = tuple(
        (Cell(f"{r.at:%Y-%m-%d %H:%M}", is_figure=True), Cell(r.event.notice), Cell(r.event.words))
        for r in told
        if isinstance(r.event, e.NoticeSent)
    )
    if not rows:
        return Paragraph("None went out.", is_note=True)
    return Table((Column("When (UTC)"), Column("Notice"), Column("What became of it")), rows)


def _items(told: tuple[e.Recorded, ...]) -> Block:
    said = tuple(
        f"{r.event.item}: {r.event.person}{r.proof.mark}, {r.at:%Y-%m-%d %H:%M} UTC"
        + (f" ({r.event.note})" if r.event.note else "")
        for r in told
        if isinstance(r.event, e.ItemDone)
    )
    return Bullets(said) if said else Paragraph("Nothing is on record.", is_note=True)


def _phases(told: tuple[e.Recorded, ...]) -> Block:
    kinds = (e.PhaseEntered, e.CapitalCut, e.RollbackStarted, e.RolledBack, e.Superseded, e.Reinstated)
    said = tuple(f"{r.at:%Y-%m-%d %H:%M} UTC: {_moved(r.event)}" for r in told if isinstance(r.event, kinds))
    return Bullets(said) if said else Paragraph("Not live yet.", is_note=True)


def _moved(event: e.AnyEvent) -> str:
    match event:
        case e.PhaseEntered():
            return f"{event.phase.value} at {event.allocation_pct}%"
        case e.CapitalCut():
            return event.reason
        case e.RollbackStarted():
            return f"rollback began, trigger {event.trigger}"
        case e.RolledBack():
            return f"rolled back; restored {event.restored_version or 'no version'}"
        case e.Superseded():
            return f"superseded by {event.by_deployment}"
        case _:
            return event.kind.replace("_", " ")


def _readings(told: tuple[e.Recorded, ...]) -> Block:
    last = _last(told)
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
