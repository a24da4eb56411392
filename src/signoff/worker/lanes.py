"""Lanes: what may take long is done beside what must not wait, each kind of work in a thread of its own.

A lane that is still at its work is not given more; what it did is told by the pass that finds it back.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Generic, TypeVar

D = TypeVar("D")
LATE_S: Final = 120.0


@dataclass(slots=True)
class _Run(Generic[D]):
    """One thing under way, and what it has done so far."""

    did: D
    began: float
    thread: threading.Thread


@dataclass(slots=True)
class Lanes(Generic[D]):
    """Lanes by name; `D` is what a piece of work writes its deeds into. One thread gives the work out."""

    clock: Callable[[], float] = monotonic
    _runs: dict[str, _Run[D]] = field(default_factory=dict)

    def give(self, lane: str, work: Callable[[D], None], did: D) -> None:
        """Begin a piece of work unless the lane has one, whose deeds were not asked for yet."""
        if lane in self._runs:
            return
        thread = threading.Thread(target=work, args=(did,), name=lane, daemon=True)
        self._runs[lane] = _Run(did, self.clock(), thread)
        thread.start()

    def returned(self) -> tuple[D, ...]:
        """What was done in the lanes that have come back; they are free again."""
        back = [lane for lane in self._runs if not self.is_busy(lane)]
        return tuple(self._runs.pop(lane).did for lane in back)

    def is_busy(self, lane: str) -> bool:
        """Whether a lane is still at its work."""
        return lane in self._runs and self._runs[lane].thread.is_alive()

    def late(self) -> dict[str, tuple[float, D]]:
        """Lanes that have been at one piece of work for too long: for how many seconds, and what it did so far."""
        now = self.clock()
        late = {lane: run for lane, run in self._runs.items() if self.is_busy(lane) and now - run.began >= LATE_S}
        return {lane: (now - run.began, run.did) for lane, run in late.items()}

    def finish(self, seconds: float) -> tuple[D, ...]:
        """Wait for what is under way, no longer than this; what was done."""
        end = self.clock() + seconds
        for run in self._runs.values():
            run.thread.join(max(0.0, end - self.clock()))
        done = tuple(run.did for run in self._runs.values() if not run.thread.is_alive())
        self._runs.clear()
        return done
