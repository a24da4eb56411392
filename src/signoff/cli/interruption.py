"""A command that is stopped from outside: by Ctrl-C, by SIGTERM, or because its terminal went away.

The first signal ends the command where it is, and the command then says what stands on record. A kill is not ended by
the first one: half a kill helps nobody, so that it is finished and told, and only a second signal ends it.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OVER: Final = 128


class Interrupted(BaseException):
    """A signal told this command to end; no fault, so that nothing that answers faults catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = OVER + number


class Signals:
    """The signals that end this command, from `heed` on until `leave` or `ignore`."""

    def __init__(self) -> None:
        self._heeded: list[signal.Signals] = []
        self._is_finishing = False

    def heed(self) -> "Signals":
        """Be told of each signal that is not ignored already, as `nohup` has it."""
        for number in STOPPING:
            if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
                signal.signal(number, self._stop)
                self._heeded.append(number)
        return self

    def leave(self) -> None:
        """Let each signal do what it does by itself: servers and workers have their own way to end."""
        for number in self._heeded:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
        self._heeded.clear()

    def ignore(self) -> None:
        """The command has answered; a signal while the interpreter ends would only print where it came."""
        for number in self._heeded:
            with suppress(ValueError):
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Finish what is done here at the first signal; the second one ends it."""
        self._is_finishing = True
        try:
            yield
        finally:
            self._is_finishing = False

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self._is_finishing:
            self._is_finishing = False
            return
        raise Interrupted(number)
