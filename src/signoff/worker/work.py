"""One pass of the background work, which a person or a clock may ask for at any time, here or on another machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from signoff.app.champion import name_champions
from signoff.app.deadlines import check_deadlines
from signoff.app.governance import check_governance
from signoff.app.reconcile import reconcile_orders
from signoff.app.rollback import is_unfinished
from signoff.domain.decisions import GuardError
from signoff.domain.deployment import CANDIDATE, LIVE, RETREATING, State
from signoff.domain.errors import SignoffError
from signoff.wiring import House


@dataclass(slots=True, kw_only=True)
class Pass:
    """What one pass did; of single releases by their ids."""

    rollbacks: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)
    advanced: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unready: dict[str, list[str]] = field(default_factory=dict)
    notices: int = 0
    pending_kills: int = 0

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note what goes wrong, and go on."""
        try:
            yield
        except SignoffError as error:
            self.problems.append(f"{what}: {error}")

    def document(self) -> dict[str, Any]:
        """The pass as it is answered."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Worker:
    """The background work over a house, in the name of `actor`."""

    house: House
    actor: str = "worker"

    def work(self, *, is_observing: bool = False, is_advancing: bool = False, is_tidying: bool = True) -> Pass:
        """One pass. What goes wrong with one thing keeps nobody from the next.

        First what stops or brings back, then what is late, then what people are told; sessions that have closed are
        observed and phases advanced only when asked for. Tidying asks the registry about every release that has not
        ended, which nothing waits for.
        """
        done, house, record = Pass(), self.house, self.house.record
        with done.attempt("kills"):
            done.pending_kills = house.kill_switch.reconcile()
            if house.kills.collect():
                done.pending_kills = house.kill_switch.reconcile()
            done.problems += house.kills.objections() if is_tidying else ()
        for state in record.in_states(*RETREATING, State.ROLLED_BACK):
            if is_unfinished(state):
                with done.attempt(state.id):
                    done.rollbacks.append(house.rollback.carry_out(state.id, actor=self.actor).id)
        for model in record.halted():
            with done.attempt(model):
                reconcile_orders(record, house.broker, model)
        with done.attempt("champions"):
            done.named += name_champions(record, house.registry)
        with done.attempt("deadlines"):
            done.late += [f"{identity}: {b.name}" for identity, b in check_deadlines(record, actor=self.actor)]
        if is_observing:
            self._observe_closed(done)
        if is_advancing:
            self._advance_ready(done)
        with done.attempt("notices"):
            done.notices, problems = house.deliver_notices()
            done.problems += problems
        if is_tidying:
            with done.attempt("governance"):
                done.unready |= check_governance(record, house.registry)
        with done.attempt("anchor"):
            house.anchor()
        house.shelf.sweep(house.clock.now())
        return done

    def _observe_closed(self, done: Pass) -> None:
        """Observe the sessions of live releases that ended before today."""
        today = self.house.clock.now().date()
        for state in self.house.record.in_states(*LIVE):
            with done.attempt(state.id):
                watch, present = self.house.watch(state.model), state
                while present.state in LIVE and (day := watch.next_session(present)) is not None and day < today:
                    present, _ = watch.observe(state.id, day, actor=self.actor)
                    done.observed.append(f"{state.id}: {day}")

    def _advance_ready(self, done: Pass) -> None:
        """Advance releases whose every condition holds; what a guard refuses waits for the next pass."""
        for state in self.house.record.in_states(*CANDIDATE):
            with done.attempt(state.id):
                try:
                    self.house.rollout.advance(state.id, actor=self.actor)
                except GuardError:
                    continue
                done.advanced.append(state.id)
