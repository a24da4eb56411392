"""Lanes: each kind of slow work runs in its own thread, so that urgent work does not wait for it.

A busy lane gets no further work. The pass after its end reports what it did.
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
    """A piece of work in progress, and what it has done so far."""

    did: D
    began: float
    thread: threading.Thread


@dataclass(slots=True)
class Lanes(Generic[D]):
    """Lanes by name; `D` is the type in which a piece of work notes what it did. Only one thread may call this."""

    clock: Callable[[], float] = monotonic
    _runs: dict[str, _Run[D]] = field(default_factory=dict)

    def give(self, lane: str, work: Callable[[D], None], did: D) -> None:
        """Begin a piece of work, unless the lane is busy or its last work was not yet returned."""
        if lane in self._runs:
            return
        thread = threading.Thread(target=work, args=(did,), name=lane, daemon=True)
        self._runs[lane] = _Run(did, self.clock(), thread)
        thread.start()

    def returned(self) -> tuple[D, ...]:
        """What the finished lanes did; they are then free again."""
        finished = [lane for lane in self._runs if not self.is_busy(lane)]
        return tuple(self._runs.pop(lane).did for lane in finished)

    def is_busy(self, lane: str) -> bool:
        """Whether a lane's work is still in progress."""
        return lane in self._runs and self._runs[lane].thread.is_alive()

    def late(self) -> dict[str, tuple[float, D]]:
        """The lanes whose work takes longer than LATE_S: seconds so far, and what was done so far."""
        now = self.clock()
        late = {lane: run for lane, run in self._runs.items() if self.is_busy(lane) and now - run.began >= LATE_S}
        return {lane: (now - run.began, run.did) for lane, run in late.items()}

    def finish(self, seconds: float) -> tuple[D, ...]:
        """Wait at most this long for all lanes; what the finished ones did."""
        end = self.clock() + seconds
        for run in self._runs.values():
            run.thread.join(max(0.0, end - self.clock()))
        done = tuple(run.did for run in self._runs.values() if not run.thread.is_alive())
        self._runs.clear()
        return done
