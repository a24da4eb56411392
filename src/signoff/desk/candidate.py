"""The candidate beside the champion: a process of its own, which the desk feeds, watches, ends and starts again.

The champion's caller pays for writing a row into shared memory and for nothing else. A thread of the desk takes the
answers. A candidate that hangs longer than its time box is killed and started again, later each time; what it did is
counted and never raised.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from signoff.desk.shadow import START, brief_of
from signoff.desk.shadow_rows import DEPTH, ChildState, SharedRows, Status
from signoff.domain.artifacts import Pin

POLL_S: Final = 0.0003
IDLE_POLL_S: Final = 0.005
BUSY_FOR_S: Final = 0.5
AT_ONCE: Final = 32
"""Answers that the thread takes before it gives the interpreter's lock away: more would delay the champion."""
SLOW_S: Final = 0.05
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 30.0
log = logging.getLogger("signoff.desk")
Taken = Callable[[str, float, int, bytes], None]
"""What is done with an answer: symbol, value, latency in nanoseconds, the row's bytes."""


@dataclass(slots=True)
class Counts:
    """What became of the rows, and what the candidate's process did.

    Of rows: `offered`, `answered` (of them `not_finite` and `slow`), `raised`, `lost` with a process, and not taken
    because the queue was `full` or the process was `not_ready`. Of the process: `started`, `hung`, `crashed`, and
    `not_loaded`.
    """

    offered: int = 0
    answered: int = 0
    not_finite: int = 0
    slow: int = 0
    raised: int = 0
    lost: int = 0
    full: int = 0
    not_ready: int = 0
    started: int = 0
    hung: int = 0
    crashed: int = 0
    not_loaded: int = 0


class Candidate:
    """A version that predicts in shadow. `offer` never waits and never raises."""

    def __init__(
        self,
        folder: Path,
        pin: Pin,
        features: int,
        taken: Taken,
        *,
        time_box_s: float = 1.0,
        start_s: float = 60.0,
        slow_s: float = SLOW_S,
        depth: int = DEPTH,
    ) -> None:
        self._folder, self._pin, self._features, self._taken = folder, pin, features, taken
        self._time_box_s, self._start_s, self._slow_ns, self._depth = time_box_s, start_s, slow_s * 1e9, depth
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self._rows: SharedRows | None = None
        self._is_ready = False
        self._symbols = [""] * depth
        self._child: subprocess.Popen[bytes] | None = None
        self._wait_s, self._retry_at, self._moved_at, self._busy_until = FIRST_WAIT_S, 0.0, 0.0, 0.0
        self._healthy_since = 0.0
        self.counts, self.reason = Counts(), ""
        self._thread = threading.Thread(target=self._run, name="signoff-candidate", daemon=True)
        self._thread.start()

    def offer(self, symbol: str, row: memoryview) -> None:
        """Hand over the bytes of a row, or count why not."""
        with self._lock:
            rows = self._rows
            if rows is None or not self._is_ready:
                self.counts.not_ready += 1
                return
            slot = rows.put(row)
            if slot is None:
                self.counts.full += 1
                return
            self._symbols[slot] = symbol
            self.counts.offered += 1

    @property
    def is_ready(self) -> bool:
        """Whether the process has loaded the version and takes rows."""
        return self._is_ready

    @property
    def pid(self) -> int | None:
        child = self._child
        return None if child is None else child.pid

    def counted(self) -> dict[str, int]:
        """The counts so far."""
        return asdict(self.counts)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the process; rows that it has not answered are lost, and counted."""
        self._is_over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                now = time.monotonic()
                if self._child is None:
                    if now >= self._retry_at:
                        self._begin(now)
                    else:
                        self._is_over.wait(min(self._retry_at - now, 0.05))
                    continue
                if self._drained():
                    self._moved_at = now
                    self._busy_until = now + BUSY_FOR_S
                self._watch(now)
                self._is_over.wait(POLL_S if now < self._busy_until else IDLE_POLL_S)
        finally:
            while self._drained():
                pass
            self._end()

    def _begin(self, now: float) -> None:
        """Start a process with memory of its own: a process that is ending cannot write into it."""
        rows = SharedRows(self._features, self._depth)
        files = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in self._pin.files]
        pin = {"model": self._pin.model, "number": self._pin.number, "run_id": self._pin.run_id, "files": files}
        fds = (rows.rows_fd, rows.answers_fd)
        brief = brief_of(self._folder, pin, fds, features=self._features, depth=self._depth)
        try:
            child = subprocess.Popen(  # noqa: S603 - this interpreter, with our own text
                [sys.executable, "-c", START],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=fds,
            )
        except OSError as error:
            rows.close()
            self.counts.crashed += 1
            self._later(now, f"its process did not start: {error.strerror or error}")
            return
        self._child = child
        self.counts.started += 1
        assert child.stdin is not None
        with suppress(OSError), child.stdin as pipe:
            pipe.write(brief)
        self._moved_at = now
        with self._lock:
            self._rows, self._is_ready = rows, False

    def _drained(self) -> int:
        """Take the answers that are there, a few at a time; how many there were."""
        rows = self._rows
        if rows is None:
            return 0
        for count in range(AT_ONCE):
            answer = rows.take()
            if answer is None:
                return count
            slot, status, value, latency_ns, row = answer
            symbol = self._symbols[slot]
            rows.taken += 1
            if status is Status.RAISED:
                self.counts.raised += 1
                continue
            self.counts.answered += 1
            self.counts.not_finite += not abs(value) < float("inf")
            self.counts.slow += latency_ns > self._slow_ns
            try:
                self._taken(symbol, value, latency_ns, row)
            except Exception as error:  # noqa: BLE001 - a full journal stops no candidate
                self._note(f"an answer was not recorded: {error}")
        return AT_ONCE

    def _watch(self, now: float) -> None:
        """End a process that hangs, does not start, or is gone."""
        rows, child = self._rows, self._child
        if rows is None or child is None:
            return
        if not self._is_ready:
            self._watch_start(rows, child, now)
            return
        if child.poll() is not None:
            self.counts.crashed += 1
            self._later(now, f"its process ended with {child.returncode}")
        elif rows.written == rows.taken:
            self._moved_at = now
        elif now - self._moved_at > self._time_box_s:
            self.counts.hung += 1
            self._later(now, f"it gave no answer for {self._time_box_s:g} s")
        elif now - self._healthy_since > LONGEST_WAIT_S:
            self._wait_s = FIRST_WAIT_S

    def _watch_start(self, rows: SharedRows, child: "subprocess.Popen[bytes]", now: float) -> None:
        state = rows.state
        if state is ChildState.READY:
            self._is_ready, self._healthy_since, self._moved_at = True, now, now
        elif state is ChildState.FAILED:
            self.counts.not_loaded += 1
            self._later(now, rows.said)
        elif child.poll() is not None:
            self.counts.crashed += 1
            self._later(now, f"its process ended with {child.returncode} before it had loaded the version")
        elif now - self._moved_at > self._start_s:
            self.counts.hung += 1
            self._later(now, f"it did not load within {self._start_s:g} s")

    def _later(self, now: float, reason: str) -> None:
        """End what runs, and start again after a wait that doubles."""
        self._end()
        self._retry_at = now + self._wait_s
        self._note(f"{reason}; started again in {self._wait_s:g} s")
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _note(self, reason: str) -> None:
        if reason != self.reason:
            log.warning("the candidate number %d of %s: %s", self._pin.number, self._pin.model, reason)
        self.reason = reason

    def _end(self) -> None:
        with self._lock:
            rows, self._rows, self._is_ready = self._rows, None, False
        if rows is not None:
            self.counts.lost += rows.written - rows.taken
            rows.close()
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            with suppress(subprocess.TimeoutExpired):
                child.wait(1.0)
