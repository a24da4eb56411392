"""Standard output and standard error of the commands: an error of these streams stops no command.

A command's exit code reports the result of the command. A full disk, a closed pipe, a lost terminal or a limited
encoding must not change it, so no stream error is raised here. A character that the encoding lacks is written as an
escape.
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
    """A stream that accepts every write; `problem` is why output was lost."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self.problem: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The file descriptor."""
        return self._number

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return os.isatty(self._number)

    def write(self, content: object) -> int:
        """Write the text, or as much as the stream takes."""
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
    """Replace this process's output streams by ones that raise no error.

    A closed descriptor is first opened on the null device. Otherwise the next opened file, such as a database, would
    get its number, and output would be written into it.
    """
    for number in (0, OUT, ERROR):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                _occupy(number)
    sys.stdout, sys.stderr = _kept(OUT, sys.stdout), _kept(ERROR, sys.stderr)


def problem_of(stream: TextIO) -> OSError | None:
    """Why output of a stream was lost; None if none was."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.problem if isinstance(raw, Unfailing) else None


def _occupy(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _kept(number: int, before: TextIO | None) -> TextIO:
    """The same stream, with its encoding, that raises no error."""
    if before is not None:
        with suppress(OSError, ValueError):
            before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Unfailing(number)),
        encoding=getattr(before, "encoding", None) or FALLBACK,
        errors="backslashreplace",
        line_buffering=True,
    )
