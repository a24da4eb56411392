"""Handles signals to a command: Ctrl-C, SIGTERM, or a closed terminal.

The first signal ends the command at once, and the command then reports what is on record. A kill is an exception: it
is finished and reported after the first signal, since half a kill is useless. Only a second signal ends it.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OVER: Final = 128


class Interrupted(BaseException):
    """A signal told this command to end. It is not an Exception, so that no error handling catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = OVER + number


class Signals:
    """The signals that end this command, from `heed` on until `leave` or `ignore`."""

    def __init__(self) -> None:
        self._heeded: list[signal.Signals] = []
        self._is_finishing = False

    def heed(self) -> "Signals":
        """Handle each signal, except those that are ignored already, as under `nohup`."""
        for number in STOPPING:
            if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
                signal.signal(number, self._stop)
                self._heeded.append(number)
        return self

    def leave(self) -> None:
        """Restore the default of each signal: servers and workers handle signals themselves."""
        for number in self._heeded:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
        self._heeded.clear()

    def ignore(self) -> None:
        """Ignore signals after the answer: while the interpreter ends, one would only print a traceback."""
        for number in self._heeded:
            with suppress(ValueError):
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Finish this block after a first signal; a second one ends it."""
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
