"""The memo of a rollback: what happened, the time of each step against its budget, and what is still due.

It is written from events alone. Anything without an event is an open question.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from signoff.domain import events as e
from signoff.domain.artifacts import BEFORE_BINDING
from signoff.domain.decisions.rollback import DEADLINE_OF
from signoff.domain.deployment import IllegalHistoryError, replay
from signoff.domain.flags import Flags
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState, evolve_latch
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    Column,
    Fields,
    KeyFigure,
    Mark,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.lived import OPEN
from signoff.domain.memo.markup import ABSENT, lead_in, one, plain, versioned, words
from signoff.domain.quantity import NOT_PROVIDED, Quantity, Unit
from signoff.domain.venue import NO_VENUE, PositionsAfter, VenueKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackStory:
    """The latest rollback of a release, with the events of other streams around it."""

    model: str
    version: str
    restored_version: str | None
    started: e.Recorded
    start: e.RollbackStarted
    before: tuple[e.Recorded, ...]
    after: tuple[e.Recorded, ...]
    every: tuple[e.Recorded, ...]

    def done(self, step: e.Step) -> tuple[e.Recorded, e.StepDone] | None:
        """When a step finished, and its event."""
        return next(
            ((r, r.event) for r in self.after if isinstance(r.event, e.StepDone) and r.event.step is step), None
        )

    def elapsed(self, step: e.Step) -> Quantity:
        """From the decision until the step was done."""
        done = self.done(step)
        seconds = None if done is None else (done[0].at - self.started.at).total_seconds()
        return _duration(f"rollback.{step.value}.elapsed", seconds)

    def due(self, name: e.DeadlineName) -> datetime | None:
        return next((deadline.due for deadline in self.start.deadlines if deadline.name == name), None)

    @property
    def attested(self) -> e.FlatAttested | None:
        """The attestation in place of a venue's answer, if there is one."""
        return next((r.event for r in self.after if isinstance(r.event, e.FlatAttested)), None)

    @property
    def venue(self) -> VenueKind | None:
        """The venue that reported the model flat, or else the one that halted its orders."""
        done = self.done(e.Step.VERIFY_FLAT) or self.done(e.Step.FENCE)
        return None if done is None else done[1].venue

    @property
    def positions(self) -> PositionsAfter | None:
        """The policy of this release for positions."""
        events = (r.event for r in self.before)
        return next((v.policy.rollback.positions for v in events if isinstance(v, e.Opened | e.Adopted)), None)

    @property
    def stuck(self) -> e.RollbackStuck | None:
        """The step that could not finish, unless it did later."""
        last = next((r.event for r in reversed(self.after) if isinstance(r.event, e.RollbackStuck)), None)
        return last if last is not None and self.done(last.step) is None else None

    @property
    def is_over(self) -> bool:
        return any(isinstance(r.event, e.RolledBack) for r in self.after)

    @property
    def breached(self) -> tuple[e.DeadlineName, ...]:
        """Deadlines that were missed, by an event or because their step was late."""
        recorded = {r.event.name for r in self.after if isinstance(r.event, e.DeadlineBreached)}
        late = {DEADLINE_OF[step] for step in e.Step if self.is_late(step)}
        return tuple(d.name for d in self.start.deadlines if d.name in recorded | late)

    def is_late(self, step: e.Step) -> bool:
        done, due = self.done(step), self.due(DEADLINE_OF[step])
        return done is not None and due is not None and done[0].at > due

    @property
    def mark(self) -> Mark:
        if self.stuck or self.breached:
            return Mark.FAIL
        if not self.is_over:
            return Mark.PENDING
        return Mark.PASS if self.attested is None else Mark.CONDITIONAL


def compose_rollback(
    *, deployment_id: str, model: str, version: str, restored_version: str | None, events: tuple[e.Recorded, ...]
) -> Memo:
    """The memo of the latest rollback among `events`; ValueError if this deployment has none.

    Events of other streams (the restored release, the model's kill latch) may be among them; the flags that follow
    from all of them are then known.
    """
    story = _story(deployment_id, model, version, restored_version, events)
    sections = (
        Section("1", "What happened", tuple(_what_happened(story))),
        Section("2", "Steps", (_steps(story),)),
        Section("3", "Orders and flags", tuple(_orders_and_flags(story))),
        Section("4", "Timeline", (_timeline(story),)),
        Section("5", "What is due", (_due(story),)),
        Section("6", "Open questions", (_open_questions(story),)),
    )
    return Memo(
        model=model,
        version=version,
        previous_version=restored_version,
        deployment_date=story.started.at.date(),
        deployed_by=story.started.actor,
        deployment_type="rollback",
        decision=story.mark,
        notices=tuple(_notices(story)),
        tldr=_tldr(story),
        key_figures=(
            KeyFigure("Occasion", story.start.occasion.value.replace("_", " ")),
            KeyFigure(_halted(story), story.elapsed(e.Step.FENCE).text),
            KeyFigure(*_flat_after(story)),
            KeyFigure("Reverted after", story.elapsed(e.Step.VERIFY_REVERT).text),
            KeyFigure("Deadlines", f"{len(story.breached)} of {len(story.start.deadlines)} breached"),
        ),
        front=(),
        sections=sections,
        attachments=(),
        document_version="1.0",
        status=story.mark,
        evidence_digest="",
        kind="Rollback memo",
        colophon=f"Written from the events of deployment {deployment_id}.",
    )


def _story(
    deployment_id: str, model: str, version: str, restored: str | None, events: tuple[e.Recorded, ...]
) -> RollbackStory:
    stream = f"deployment/{deployment_id}"
    own = [recorded for recorded in events if recorded.stream == stream]
    starts = [(at, r.event) for at, r in enumerate(own) if isinstance(r.event, e.RollbackStarted)]
    if not starts:
        raise ValueError(f"expected an event 'rollback_started' in {stream}, found none among {len(own)} events")
    position, start = starts[-1]
    return RollbackStory(
        model=model,
        version=version,
        restored_version=restored,
        started=own[position],
        start=start,
        before=tuple(own[:position]),
        after=tuple(own[position + 1 :]),
        every=events,
    )


def _tldr(story: RollbackStory) -> str:
    phase = f" from {story.start.from_phase.value}" if story.start.from_phase else ""
    occasion = story.start.occasion.value.replace("_", " ")
    opening = (
        f"{story.model} {versioned(story.version)} was taken back{phase} at {_time(story.started.at)} ({occasion})"
    )
    what = f"{opening}: {story.start.reason.rstrip('.')}."
    if story.stuck is not None:
        return f"{what} The rollback is stuck at {_step(story.stuck.step)}; the model stays off."
    if not story.is_over:
        return f"{what} The rollback is under way."
    restored = (
        f"{versioned(story.restored_version)} was restored" if story.restored_version else "No version was restored"
    )
    budget = "Every deadline held." if not story.breached else f"Breached: {', '.join(map(_name, story.breached))}."
    reverted = story.elapsed(e.Step.VERIFY_REVERT)
    return f"{what} {_flat(story)}; {restored}, verified after {reverted.text}. {budget}"


def _flat(story: RollbackStory) -> str:
    """Who says that the model is flat, and after how long."""
    after = story.elapsed(e.Step.VERIFY_FLAT).text
    if story.attested is not None:
        return f"Attested flat by {story.attested.person} after {after}, which no venue said"
    return f"Verified flat{'' if story.venue is None else story.venue.place} after {after}"


def _halted(story: RollbackStory) -> str:
    """What stopped the model first; without a venue there is no order halt, and only the flags went off."""
    done = story.done(e.Step.FENCE)
    return "Flags off after" if done is not None and done[1].venue is VenueKind.NONE else "Fenced after"


def _flat_after(story: RollbackStory) -> tuple[str, str]:
    """The same as a figure of page one."""
    after = story.elapsed(e.Step.VERIFY_FLAT).text
    if story.attested is not None:
        return "Attested flat after", f"{after}, by {story.attested.person}"
    return "Flat after", f"{after}, simulated" if story.venue is VenueKind.SIMULATED else after


def _notices(story: RollbackStory) -> Iterator[str]:
    if story.stuck is not None:
        yield f"Stuck at {_step(story.stuck.step)}: {story.stuck.detail}. The model stays off."
    if (attested := story.attested) is not None:
        yield f"Attested flat by {attested.person}, which no venue said: {attested.reason}"
    if story.venue is VenueKind.NONE:
        yield f"The rollback had {NO_VENUE}."
    elif story.venue is VenueKind.SIMULATED:
        yield "Orders and positions are those of the simulated venue."
    for name in story.breached:
        yield f"Deadline breached: {_name(name)}, due {_time(story.due(name))}."


def _what_happened(story: RollbackStory) -> Iterator[Block]:
    start = story.start
    yield Fields(
        (
            ("Occasion", Cell(start.occasion.value.replace("_", " ").capitalize())),
            ("Trigger", words(start.trigger)),
            ("Reason", words(start.reason)),
            ("Phase", Cell(start.from_phase.value) if start.from_phase else Cell("not live")),
            ("When", Cell(_time(story.started.at), is_figure=True)),
            ("Started by", words(story.started.actor)),
            ("Restored version", words(story.restored_version and versioned(story.restored_version))),
            ("Restored digest", _restored_digest(story)),
        )
    )
    yield lead_in("Readings")
    observed = next((r.event for r in reversed(story.before) if isinstance(r.event, e.Observed)), None)
    if observed is None or not observed.readings:
        yield Paragraph(f"Readings of the day: {NOT_PROVIDED}.", is_note=True)
        return
    columns = (
        Column("Reading"),
        Column("Value", Align.RIGHT),
        Column("Level"),
        Column("Rests on"),
        Column("Detail"),
    )
    rows = tuple(
        (
            Cell(_name(reading.key)),
            ABSENT if reading.value is None else Cell(plain(reading.value), is_figure=True),
            Cell(reading.word),
            Cell(_rests_on(reading, observed.session)),
            Cell(reading.detail),
        )
        for reading in observed.readings
    )
    fired = f"; fired: {', '.join(observed.fired)}" if observed.fired else ""
    yield Table(columns, rows, caption=f"Session {observed.session}{fired}")


def _rests_on(reading: e.Reading, session: date) -> str:
    """How many data a reading has and needs, and the age of the newest."""
    counted = "" if reading.n is None else f"n {reading.n}"
    needed = "" if reading.needed is None else f"needs {reading.needed}"
    age = "" if reading.as_of is None else f"age {(session - reading.as_of).days} d"
    return ", ".join(part for part in (counted, needed, age) if part)


def _steps(story: RollbackStory) -> Table:
    columns = (
        Column("Step"),
        Column("Took", Align.RIGHT),
        Column("Since decision", Align.RIGHT),
        Column("Budget", Align.RIGHT),
        Column("Who"),
        Column("Seen"),
        Column("Status", Align.RIGHT),
    )
    return Table(columns, tuple(_step_row(story, step) for step in e.Step))


def _step_row(story: RollbackStory, step: e.Step) -> tuple[Cell, ...]:
    due = story.due(DEADLINE_OF[step])
    minutes = None if due is None else (due - story.started.at).total_seconds() / 60
    budget = ABSENT if minutes is None else Cell(f"< {plain(round(minutes, 1))} min", is_figure=True)
    done = story.done(step)
    if done is None:
        is_stuck = story.stuck is not None and story.stuck.step is step
        seen = Cell(story.stuck.detail) if is_stuck and story.stuck is not None else Cell("")
        mark = Mark.FAIL if is_stuck else Mark.PENDING
        return Cell(_step(step)), ABSENT, ABSENT, budget, Cell(""), seen, Cell("", mark=mark)
    recorded, event = done
    is_late = story.is_late(step) or DEADLINE_OF[step] in story.breached
    return (
        Cell(_step(step)),
        Cell(_duration(step.value, event.seconds).text, is_figure=True),
        Cell(story.elapsed(step).text, is_figure=True),
        budget,
        Cell(recorded.actor),
        Cell(event.detail),
        Cell("", mark=Mark.FAIL if is_late else _mark(story, event)),
    )


def _mark(story: RollbackStory, done: e.StepDone) -> Mark:
    """A step passes once it is done; a venue's step does not pass without a venue or on a person's word."""
    if done.step is e.Step.VERIFY_FLAT and story.attested is not None:
        return Mark.CONDITIONAL
    is_blind = done.venue is VenueKind.NONE and DEADLINE_OF[done.step] == DEADLINE_OF[e.Step.VERIFY_FLAT]
    return Mark.INCONCLUSIVE if is_blind else Mark.PASS


def _orders_and_flags(story: RollbackStory) -> Iterator[Block]:
    yield Fields(
        (
            ("Fence", _seen(story, e.Step.FENCE)),
            ("Orders cancelled", _seen(story, e.Step.CANCEL)),
            ("Residual orders and positions", _seen(story, e.Step.VERIFY_FLAT)),
            ("Positions, by policy", words(None if story.positions is None else story.positions.value)),
            ("Previous version", _seen(story, e.Step.VERIFY_REVERT)),
        )
    )
    yield lead_in("Flags after")
    after = _flags(story)
    if after is None:
        yield one(f"models.{story.model}", ABSENT)
        return
    columns = (Column("Version"), Column("Flag"), Column("Value", Align.RIGHT))
    rows = tuple(
        (Cell(versioned(version)), Cell(key), Cell(str(value).lower(), is_figure=True))
        for version in (story.version, story.restored_version)
        if version is not None
        for key, value in after.for_version(version).as_keys()
    )
    yield Table(columns, rows)


def _seen(story: RollbackStory, step: e.Step) -> Cell:
    done = story.done(step)
    if done is not None:
        return Cell(done[1].detail, mark=_mark(story, done[1]))
    if story.stuck is not None and story.stuck.step is step:
        return Cell(story.stuck.detail, mark=Mark.FAIL)
    return ABSENT


def _flags(story: RollbackStory) -> Flags | None:
    """The flags that follow from these streams, or None if one of them is incomplete."""
    streams: dict[str, list[e.Recorded]] = {}
    for recorded in story.every:
        streams.setdefault(recorded.stream, []).append(recorded)
    try:
        deployments = [replay(history) for name, history in streams.items() if name.startswith("deployment/")]
        latch: KillSwitchState | None = None
        for recorded in streams.get(f"model/{story.model}") or ():
            latch = evolve_latch(latch, recorded)
    except IllegalHistoryError:
        return None
    is_champion_missing = story.restored_version is not None and all(
        deployment.version != story.restored_version for deployment in deployments
    )
    return None if is_champion_missing else flags(story.model, deployments, latch)


def _timeline(story: RollbackStory) -> Table:
    """The events of all streams from the last observation before the rollback on."""
    observed = [r.at for r in story.before if isinstance(r.event, e.Observed)]
    since = observed[-1] if observed else story.started.at
    records = sorted((r for r in story.every if r.at >= since), key=lambda r: (r.at, r.stream, r.revision))
    rows = tuple(
        (Cell(_time(r.at), is_figure=True), Cell(r.actor), Cell(_name(r.event.kind)), Cell(_detail(r.event)))
        for r in records
    )
    return Table((Column("When (UTC)"), Column("Who"), Column("Event"), Column("Detail")), rows)


def _restored_digest(story: RollbackStory) -> Cell:
    """The digest of the restored files, as recorded by the step."""
    if story.restored_version is None:
        return Cell("nothing was restored")
    revert = story.done(e.Step.REVERT)
    if revert is None or (digest := revert[1].restored_digest) is None:
        return Cell(f"artefacts not bound: {BEFORE_BINDING}, or no registry had them")
    return Cell(f"sha256:{digest}")


def _detail(event: e.AnyEvent) -> str:  # noqa: C901, PLR0911 - one visible table
    match event:
        case e.Observed():
            return "; ".join(event.fired) or "no trigger"
        case e.RollbackStarted():
            return event.reason
        case e.StepDone():
            return f"{_step(event.step)} in {_duration(event.step.value, event.seconds).text}: {event.detail}"
        case e.RollbackStuck():
            return f"{_step(event.step)}: {event.detail}"
        case e.FlatAttested():
            return f"by {event.person}, which no venue said: {event.reason}"
        case e.DeadlineBreached():
            return f"{_name(event.name)}, due {_time(event.due)}"
        case e.RolledBack():
            restored = f"restored: {versioned(event.restored_version or 'nothing')}"
            return restored if event.restored_digest is None else f"{restored}, digest sha256:{event.restored_digest}"
        case e.NoticeSent():
            return f"{event.notice}: {event.words}"
        case e.Killed() | e.CapitalCut():
            return event.reason
        case e.SessionNotHeld():
            return f"{event.session}: {event.reason}"
        case _:
            return ""


def _due(story: RollbackStory) -> Table:
    rows = tuple(
        (Cell(_name(d.name).capitalize()), Cell(_time(d.due), is_figure=True), *_state_of(story, d.name))
        for d in story.start.deadlines
    )
    return Table((Column("What"), Column("Due (UTC)"), Column("Done"), Column("Status", Align.RIGHT)), rows)


def _state_of(story: RollbackStory, name: str) -> tuple[Cell, Cell]:
    """A deadline is met when its last step is done in time; the post-mortem has no event of its own and stays open."""
    last = next((step for step in reversed(e.Step) if DEADLINE_OF[step] == name), None)
    done = None if last is None else story.done(last)
    when = Cell("open") if done is None else Cell(_time(done[0].at), is_figure=True)
    if name in story.breached:
        return when, Cell("", mark=Mark.FAIL)
    return when, Cell("", mark=Mark.PENDING if done is None else Mark.PASS)


def _open_questions(story: RollbackStory) -> Block:
    questions = tuple(_questions(story))
    return Bullets(questions)


def _questions(story: RollbackStory) -> Iterator[str]:
    if story.stuck is not None:
        yield f"How is {_step(story.stuck.step)} to be finished? Seen: {story.stuck.detail}"
    if story.done(e.Step.VERIFY_FLAT) is None:
        yield "Which orders and positions of this model are still open?"
    elif story.attested is not None:
        yield f"Do the venue's own books confirm what {story.attested.person} attested?"
    if story.restored_version is None:
        yield "No version was restored: what runs in its place?"
    elif story.done(e.Step.VERIFY_REVERT) is None:
        yield f"Does {versioned(story.restored_version)} work?"
    observed = next((r.event for r in reversed(story.before) if isinstance(r.event, e.Observed)), None)
    if observed is None:
        yield "No day was observed before the rollback: what did the figures say?"
    else:
        unknown = [_name(reading.key) for reading in observed.readings if reading.level == e.Level.UNKNOWN]
        if unknown:
            yield f"What were the figures that could not be computed: {', '.join(unknown)}?"
    for name in story.breached:
        yield f"Why was the deadline '{_name(name)}' missed?"
    yield f"What was the root cause? It is {OPEN}: trigger {story.start.trigger} says what was seen, not why."
    if (due := story.due(e.DeadlineName.POST_MORTEM)) is not None:
        yield f"Post-mortem, due by {_time(due)}: what has to change before this model is deployed again?"


def _duration(name: str, seconds: float | None) -> Quantity:
    if seconds is not None and seconds >= 600:
        return Quantity(name=name, value=seconds / 60, unit=Unit.MINUTES)
    digits = 0 if seconds is not None and seconds >= 10 else None
    return Quantity(name=name, value=seconds, unit=Unit.SECONDS, digits=digits)


def _time(at: datetime | None) -> str:
    return NOT_PROVIDED if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _step(step: e.Step) -> str:
    return _name(step.value)


def _name(key: str) -> str:
    return key.replace("_", " ")
