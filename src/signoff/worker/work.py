"""One pass of the background work; a person or a scheduler may start it at any time, on any machine.

Each task, and each release within it, is isolated: a failure is reported under its name, retried after growing pauses,
and paged once it persists. The order is kills, rollbacks, pages, deadlines, then the rest. With lanes, tasks run beside
the pass, so that no registry, messenger, journal or database delays a fence or a cancel.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from functools import partial
from typing import Any, Final

from signoff.app.bound import STAYS_TAKEN
from signoff.app.champion import name_champion, to_name
from signoff.app.changed_files import Look, compared, to_compare
from signoff.app.changed_files import sound_alarm as tell_changed
from signoff.app.governance import AT_STAKE, check_release
from signoff.app.notices import IN_ORDER, tell_before
from signoff.app.overdue import WATCHED, check_deadline
from signoff.app.reconcile import reconcile_orders
from signoff.app.record import deployment_stream, release_of
from signoff.app.registered import Discrepancy, alarms, changed, discrepancies, keep_changed, tell, turn
from signoff.app.registry_findings import standing
from signoff.app.rollback import HALTING
from signoff.app.trouble import call_for
from signoff.config.logs import about
from signoff.domain.decisions.guards import OTHER_BYTES
from signoff.domain.deployment import CANDIDATE, LIVE, Deployment, State, age, is_memo_owed
from signoff.domain.errors import GuardError, SignoffError, UnavailableError, described, is_fault
from signoff.installation import Installation
from signoff.ports.notices import Severity
from signoff.ports.store import Effect, StoredStream
from signoff.worker.backoff import FailureStreak, Streaks, TaskSubject
from signoff.worker.lanes import Lanes

FINISH_S: Final = 20.0
log = logging.getLogger("signoff.worker")


@dataclass(slots=True, kw_only=True)
class Pass:
    """What one pass did; releases are named by their ids."""

    rollbacks: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)
    advanced: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unready: dict[str, list[str]] = field(default_factory=dict)
    # Differences between the registry and the record, by model.
    differs: dict[str, list[str]] = field(default_factory=dict)
    notices: int = 0
    pending_kills: int = 0
    # The release or model that a lane works on.
    doing: str = ""

    def document(self) -> dict[str, Any]:
        """The pass as a JSON document."""
        return {name: what for name, what in asdict(self).items() if name != "doing"}

    def join(self, other: "Pass") -> None:
        """Add the results of another pass."""
        for each in fields(self):
            mine, added = getattr(self, each.name), getattr(other, each.name)
            if each.name != "doing":
                setattr(self, each.name, mine | added if isinstance(mine, dict) else mine + added)


Act = Callable[[Pass], object]


@dataclass(frozen=True, slots=True)
class Worker:
    """The background work of an installation, in the name of `actor`; with lanes, slow tasks run beside the pass."""

    house: Installation
    actor: str = "worker"
    lanes: Lanes[Pass] | None = None
    streaks: Streaks = field(default_factory=Streaks)
    # The last look at each release's files, by deployment id.
    looks: dict[str, Look] = field(default_factory=dict)

    def work(self, *, is_observing: bool = False, is_advancing: bool = False, is_tidying: bool = True) -> Pass:
        """Run one pass. A failure of one task does not stop the next.

        Closed sessions are observed and phases advanced only on request. Tidying is not urgent: it compares every
        release that has not ended with the registry, and looks again at sessions without data. Raises UnavailableError
        if the record cannot be opened; the orders of kills are halted even then.
        """
        done = Pass()
        for did in self.lanes.returned() if self.lanes is not None else ():
            done.join(did)
        if self.lanes is None:
            self._beside("kills", done, self._kills, is_urgent=True)
            self.house.record.store.size()
        else:
            try:
                _ = self.house.record  # opened before other threads need it
            finally:
                self._beside("halting", done, self._halt_killed, is_urgent=True)
            self._beside("kills", done, self._kills, is_urgent=True)
        self._beside("rollbacks", done, self._halt, is_urgent=True)
        self._beside("way back", done, self._take_back, is_urgent=True)
        self._beside("pages", done, self._page, is_urgent=True)
        self._beside("deadlines", done, self._deadlines)
        self._beside("orders", done, self._reconcile)
        self._beside("champions", done, self._champions)
        if is_observing:
            self._beside("observation", done, self._observe_closed)
        if is_observing and is_tidying:
            self._beside("second look", done, self._look_again)
        if is_advancing:
            self._beside("advance", done, self._advance_ready)
        if is_tidying:
            self._beside("artefacts", done, self._compare_files)
            self._beside("registry", done, self._registered)
        self._beside("announcements", done, lambda _: tell_before(self.house.record, actor=self.actor))
        self._beside("notices", done, self._notices)
        if is_tidying:
            self._beside("watch", done, lambda _: self.house.say_observing(is_observing=is_observing))
            self._beside("kill folders", done, self._kill_folders)
            self._beside("governance", done, self._governance)
        self._beside("anchor", done, lambda _: self.house.ledger.anchor())
        self._beside("sweep", done, lambda _: self.house.shelf.sweep(self.house.clock.now()))
        self._say_late(done)
        return done

    def finish(self) -> Pass:
        """Wait a while for running lanes; returns what they did."""
        done = Pass()
        for each in self.lanes.finish(FINISH_S) if self.lanes is not None else ():
            done.join(each)
        return done

    def _beside(self, task: str, done: Pass, act: Act, *, is_urgent: bool = False) -> None:
        """Run a task in its own lane, or at once without lanes."""

        def work(did: Pass) -> None:
            self._try(TaskSubject(task=task), did, partial(act, did), is_urgent=is_urgent)

        if self.lanes is None:
            work(done)
        else:
            self.lanes.give(task, work, Pass())

    def _try(self, subject: TaskSubject, done: Pass, act: Callable[[], object], *, is_urgent: bool = False) -> None:
        """Run one task. A failure is reported, and retried after a pause unless the task is urgent."""
        now = self.house.clock.monotonic
        if not is_urgent and not self.streaks.is_due(subject, now()):
            return
        done.doing = str(subject)
        try:
            act()
        except BaseException as error:
            if not is_fault(error):
                raise
            streak = self.streaks.failed(subject, now())
            if not is_urgent or self.lanes is None or streak.is_news:
                done.problems.append(f"{subject}: {described(error)}")
            self._failed(subject, streak, error, now())
        else:
            if (ended := self.streaks.recovered(subject)) is not None:
                log.info("works again", extra=about(task=subject.task, of=subject.of or None, failed=ended.failures))

    def _failed(self, subject: TaskSubject, streak: FailureStreak, error: BaseException, now: float) -> None:
        """Log the failure with its traceback, and page people once it persists."""
        if not isinstance(error, SignoffError) and streak.failures == 1:
            log.warning("failed", extra=about(task=subject.task, of=subject.of or None), exc_info=error)
        if not streak.needs_alert(now):
            return
        text = (
            f"{subject} failed {streak.failures} times in a row, last with: {described(error)} It is tried "
            f"again every {streak.pause_s:g} s or sooner; everything else goes on."
        )
        # An unreachable registry is one alert, whichever releases need it.
        named = subject.task if isinstance(error, UnavailableError) else str(subject)
        deployment = "" if isinstance(error, UnavailableError) else subject.deployment
        try:
            call_for(self.house.record, named, text, deployment=deployment, actor=self.actor)
        except BaseException as unheard:
            if not is_fault(unheard):
                raise
            log.warning("people could not be paged", extra=about(task=subject.task, because=described(unheard)))
            return
        self.streaks.alerted(subject, now)

    def _releases(self, task: str, done: Pass, *states: State) -> Iterator[tuple[TaskSubject, Deployment]]:
        """Releases in these states, oldest first; an unreadable one is reported and skipped."""
        readable: list[Deployment] = []
        for stored in self.house.record.stored_in(*states):
            name = stored.stream.removeprefix(deployment_stream(""))
            subject = TaskSubject(task="reading", of=name)
            self._try(subject, done, partial(_read, stored, readable))
        for state in sorted(readable, key=age):
            yield TaskSubject(task=task, of=state.id, deployment=state.id), state

    def _halt_killed(self, _done: Pass) -> None:
        """Halt the orders of every kill that is not on record; needs no database."""
        self.house.kills.collect()
        self.house.kill_switch.halt_pending()

    def _kills(self, done: Pass) -> None:
        """Record known kills, then those left in the drop folder."""
        done.pending_kills = self.house.kill_switch.reconcile()
        if self.house.kills.collect():
            done.pending_kills = self.house.kill_switch.reconcile()

    def _kill_folders(self, done: Pass) -> None:
        done.problems += self.house.kills.objections()

    def _halt(self, done: Pass) -> None:
        """Do the first steps of every rollback, which need only the record and the venue."""
        rollback = self.house.rollback

        def halt(state: Deployment) -> None:
            if rollback.take_back(state.id, actor=self.actor, steps=HALTING).state is State.ROLLBACK_STUCK:
                done.rollbacks.append(state.id)

        for subject, state in self._releases("rollback", done, State.ROLLING_BACK):
            self._try(subject, done, partial(halt, state), is_urgent=True)

    def _take_back(self, done: Pass) -> None:
        """Do the steps that need the registry, and write the missing memos."""
        rollback = self.house.rollback

        def carry_on(state: Deployment) -> None:
            rollback.take_back(state.id, actor=self.actor)
            done.rollbacks.append(state.id)

        def tell(state: Deployment) -> None:
            present = self.house.record.deployment(state.id)
            if is_memo_owed(present):
                if (owed := rollback.tell(present, actor=self.actor)) is not None:
                    raise OwedError(f"The rollback is done; its memo is owed: {owed}")
                if state.state is State.ROLLED_BACK:
                    done.rollbacks.append(state.id)

        for subject, state in self._releases("rollback", done, State.ROLLING_BACK, State.ROLLED_BACK):
            if state.rollback is not None and state.state is State.ROLLING_BACK:
                if state.rollback.next_step in HALTING:
                    continue
                self._try(subject, done, partial(carry_on, state), is_urgent=True)
            if state.state is State.ROLLING_BACK or is_memo_owed(state):
                memo = TaskSubject(task="rollback memo", of=state.id, deployment=state.id)
                self._try(memo, done, partial(tell, state))

    def _page(self, done: Pass) -> None:
        sent, problems = self.house.deliver_notices((Severity.PAGE,))
        done.notices += sent
        done.problems += problems

    def _deadlines(self, done: Pass) -> None:
        def check(state: Deployment) -> None:
            late = check_deadline(self.house.record, state, actor=self.actor)
            done.late.extend(f"{state.id}: {breach.name}" for breach in late)

        for subject, state in self._releases("deadlines", done, *WATCHED):
            self._try(subject, done, partial(check, state))

    def _reconcile(self, done: Pass) -> None:
        record, broker = self.house.record, self.house.broker
        for model in record.halted():
            self._try(TaskSubject(task="orders", of=model), done, partial(reconcile_orders, record, broker, model))

    def _champions(self, done: Pass) -> None:
        record, registry = self.house.record, self.house.registry

        def name(effect: Effect) -> None:
            done.named.append(name_champion(record, registry, effect))

        for effect in to_name(record):
            subject = TaskSubject(task="champion", of=effect.payload.decode(errors="replace"))

            self._try(subject, done, partial(name, effect))

    def _observe_closed(self, done: Pass) -> None:
        """Observe sessions of live releases that closed before today: their data are due by midnight."""
        last = self.house.clock.now().date() - timedelta(days=1)

        def observe(state: Deployment) -> None:
            watch, present = self.house.watch(state.model), state
            while present.state in LIVE and (day := watch.first_due(present, last)) is not None:
                present, _ = watch.observe(state.id, day, actor=self.actor, is_due=True)
                done.observed.append(f"{state.id}: {day}")
            if present.state in LIVE:
                watch.refuse_unreadable(present)

        def look(state: Deployment) -> None:
            self.house.watch(state.model).interim(state.id, actor=self.actor)

        for subject, state in self._releases("observation", done, *LIVE):
            self._try(subject, done, partial(observe, state))
            interim = TaskSubject(task="interim look", of=state.id, deployment=state.id)
            self._try(interim, done, partial(look, state))

    def _look_again(self, done: Pass) -> None:
        """Judge again sessions whose data came late."""

        def look(state: Deployment) -> None:
            judged = self.house.watch(state.model).look_again(state.id, actor=self.actor)
            done.observed.extend(f"{state.id}: {day}" for day in judged)

        for subject, state in self._releases("second look", done, *LIVE):
            if state.unjudged or state.not_held:
                self._try(subject, done, partial(look, state))

    def _advance_ready(self, done: Pass) -> None:
        """Advance releases whose conditions all hold; one that a guard refuses waits for the next pass."""

        def advance(state: Deployment) -> None:
            try:
                self.house.rollout.refuse_unready(state.id)
            except GuardError:
                return
            try:
                self.house.rollout.advance(state.id, actor=self.actor)
            except GuardError as error:
                if error.guard == OTHER_BYTES:
                    raise
                return
            done.advanced.append(state.id)

        for subject, state in self._releases("advance", done, *CANDIDATE):
            self._try(subject, done, partial(advance, state))

    def _notices(self, done: Pass) -> None:
        """Send notices. Pages have their own lane; without lanes, notices of this pass are sent at its end."""
        sent, problems = self.house.deliver_notices(IN_ORDER if self.lanes is None else (Severity.NOTICE,))
        done.notices += sent
        done.problems += problems

    def _governance(self, done: Pass) -> None:
        registry = self.house.registry

        def check(state: Deployment) -> None:
            if gone := check_release(registry, state):
                done.unready[f"{state.model} v{state.version}"] = gone

        for subject, state in self._releases("governance", done, *AT_STAKE):
            self._try(subject, done, partial(check, state))

    def _compare_files(self, done: Pass) -> None:
        """Compare the files of every approved, trading version with its pin; a difference is notified once."""
        record, registry = self.house.record, self.house.registry
        if registry is None:
            return
        subjects = {state.id: (subject, state) for subject, state in self._releases("artefacts", done, *AT_STAKE)}

        def compare(state: Deployment) -> None:
            now = self.house.clock.monotonic()
            look = self.looks[state.id] = compared(registry, state, self.looks.get(state.id), now)
            keep_changed(self.house.shelf, state, look.found, record.now())
            if look.found is not None:
                tell_changed(record, state, look.found, actor=self.actor)

        for state in to_compare(state for _, state in subjects.values()):
            self._try(subjects[state.id][0], done, partial(compare, state))

    def _registered(self, done: Pass) -> None:
        """Compare each model with the registry; a difference is notified once."""
        record, registry = self.house.record, self.house.registry
        if registry is None:
            return
        by_model: dict[str, tuple[Discrepancy, ...]] = {}
        shelf = self.house.shelf

        def look(model: str) -> None:
            alarms(record, registry, model, actor=self.actor)
            by_model[model] = (*discrepancies(record, registry, model), *changed(record, shelf, model))

        with turn(shelf, record.now()) as is_mine:
            if is_mine:
                for model in sorted({state.model for _, state in self._releases("registry", done, *STAYS_TAKEN)}):
                    self._try(TaskSubject(task="registry", of=model), done, partial(look, model))
                tell(record, shelf, by_model, actor=self.actor)
                differs = {model: [each.text for each in several] for model, several in by_model.items()}
            else:  # another worker compares
                differs = {model: list(texts) for model, texts in standing(shelf, record.now()).items()}
        done.differs.update({model: texts for model, texts in differs.items() if texts})

    def _say_late(self, done: Pass) -> None:
        """Report lanes whose work takes long."""
        now = self.house.clock.monotonic()
        for lane, (seconds, did) in (self.lanes.late() if self.lanes is not None else {}).items():
            subject = TaskSubject(task=f"{lane} ({did.doing})")
            if self.streaks.is_due(subject, now):
                error = UnavailableError(f"has not come back for {seconds:.0f} s.")
                done.problems.append(f"{subject}: {error}")
                self._failed(subject, self.streaks.failed(subject, now), error, now)


def _read(stored: StoredStream, readable: list[Deployment]) -> None:
    readable.append(release_of(stored))


class OwedError(SignoffError):
    """The memo of a finished rollback could not be written yet."""

    code = "owed"
