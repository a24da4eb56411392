"""The errors that Signoff raises on purpose, each kind with the code that programs read.

A kind's code ends the `type` of its problem document (`urn:signoff:<code>`) and never changes. docs/errors.md lists
them all.

A message says what was expected, what was found, where, and what to do. Expected outcomes (a failing gate, a breach)
are values, not exceptions.
"""

from datetime import timedelta
from typing import ClassVar, Final

MOST_WORDS: Final = 2000


class SignoffError(Exception):
    """The root: catch this to answer any refusal of Signoff's."""

    code: ClassVar[str] = "signoff"
    exit_code: ClassVar[int] = 2


class BadInputError(SignoffError):
    """An input cannot be used; nothing was written (exit 2)."""

    code = "badinput"


class NotFoundError(BadInputError):
    """The thing named does not exist (exit 2)."""

    code = "notfound"


class RefusedError(SignoffError):
    """A guard refused: the request was understood and is not allowed now (exit 1)."""

    code = "refused"
    exit_code = 1


class GuardError(RefusedError):
    """A guard of a release refused; `guard` is its name (exit 1)."""

    code = "guard"

    def __init__(self, guard: str, message: str) -> None:
        super().__init__(f"Refused by guard '{guard}': {message}")
        self.guard = guard


class StaleRevisionError(RefusedError):
    """The caller decided on an older state; read it again and decide anew (exit 1)."""

    code = "stalerevision"


class ConflictError(RefusedError):
    """The same idempotency key came with a different request (exit 1)."""

    code = "conflict"


class TamperedError(SignoffError):
    """Stored bytes do not match what was signed (exit 1)."""

    code = "tampered"
    exit_code = 1


class UnavailableError(SignoffError):
    """A required part of the system cannot be reached or is not installed (exit 2)."""

    code = "unavailable"


class NotTakenError(UnavailableError):
    """A receiver did not accept a message (exit 2).

    `is_of_receiver` says that it accepts nothing at present; otherwise it refused this message alone. `retry_after` is
    the wait that the receiver asked for, None if it did not ask.
    """

    code = "nottaken"

    def __init__(self, message: str, *, is_of_receiver: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.is_of_receiver, self.retry_after = is_of_receiver, retry_after


def error_of(
    code: str, message: str, *, guard: str | None = None, unknown: type[SignoffError] = UnavailableError
) -> SignoffError:
    """The error that another process raised with this code; of kind `unknown` if the code is not known here.

    It bypasses the constructor, which would word the message again.
    """
    waiting: list[type[SignoffError]] = [SignoffError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            error = kind.__new__(kind, message)
            if guard is not None:
                error.__dict__["guard"] = guard
            return error
        waiting += kind.__subclasses__()
    return unknown(message)


def is_fault(error: BaseException) -> bool:
    """Whether an error is a fault and not a request to stop: nothing may catch a signal or an exit.

    A panic of an extension in Rust derives from BaseException and is a fault too.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def described(error: BaseException) -> str:
    """An error in one line: Signoff's own by its message, any other with its type and place."""
    words = one_line(str(error))
    if isinstance(error, SignoffError):
        return words
    text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return text if (place := _raised_at(error)) is None else f"{text} (in {place})"


def one_line(text: str) -> str:
    """A text from outside that is safe to record, print and send: one bounded, printable line."""
    words = " ".join(text.split())
    shown = words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown)


def _raised_at(error: BaseException) -> str | None:
    """The module, function and line that an error was raised in."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return None
    frame = last.tb_frame
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}, line {last.tb_lineno}"
