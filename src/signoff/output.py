"""Standard output and standard error as the commands use them: what cannot be written there stops nothing.

A command's exit code says what became of what was asked. A full disk, a closed pipe, a terminal that is gone or an
encoding without some letter changes nothing about that, so that no error of a stream is raised here. What an encoding
does not have is written as an escape.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

FALLBACK: Final = "utf-8"
OUT: Final = 1
ERROR: Final = 2


class Unfailing(io.RawIOBase):
    """A stream of this process that takes whatever is written; `problem` is why some of it went nowhere."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self.problem: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The number by which the system knows it."""
        return self._number

    def isatty(self) -> bool:
        """Whether people read it as it is written."""
        return os.isatty(self._number)

    def write(self, content: object) -> int:
        """Write all of it, or as much as the stream takes."""
        left = memoryview(bytes(content))  # type: ignore[call-overload]
        length = len(left)
        while left and self.problem is None:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                os.set_blocking(self._number, True)
            except OSError as error:
                self.problem = error
        return length


def keep_streams() -> None:
    """Let whatever this process prints from now on raise nothing.

    A number that was closed is opened on nothing first: else the next file that is opened, a database say, would get
    that number, and what is printed would be written into it.
    """
    for number in (0, OUT, ERROR):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                _occupy(number)
    sys.stdout, sys.stderr = _kept(OUT, sys.stdout), _kept(ERROR, sys.stderr)


def problem_of(stream: TextIO) -> OSError | None:
    """Why some of what was written to a stream went nowhere; None where all of it was taken."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.problem if isinstance(raw, Unfailing) else None


def _occupy(number: int) -> None:
    found = os.open(os.devnull, os.O_RDWR)
    if found != number:
        os.dup2(found, number)
        os.close(found)


def _kept(number: int, before: TextIO | None) -> TextIO:
    """The same stream, in its encoding, that raises nothing."""
    if before is not None:
        with suppress(OSError, ValueError):
            before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Unfailing(number)),
        encoding=getattr(before, "encoding", None) or FALLBACK,
        errors="backslashreplace",
        line_buffering=True,
    )
