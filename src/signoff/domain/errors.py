"""Everything that Signoff raises on purpose, on one page.

A message says what was expected, what was found, where, and what to do. Expected outcomes (a failing gate, a breach)
are values, not exceptions.
"""

from datetime import timedelta


class SignoffError(Exception):
    """The root: catch this to answer any refusal of Signoff's."""


class BadInputError(SignoffError):
    """Something given cannot be used; nothing was written (exit 2)."""


class NotFoundError(BadInputError):
    """The thing named does not exist (exit 2)."""


class RefusedError(SignoffError):
    """A guard refused: the request was understood and is not allowed now (exit 1)."""


class StaleRevisionError(RefusedError):
    """The caller decided on an older state than the present one; read it again and decide anew (exit 1)."""


class ConflictError(RefusedError):
    """The same idempotency key came with a different request (exit 1)."""


class TamperedError(SignoffError):
    """Stored bytes do not match what was signed (exit 1)."""


class UnavailableError(SignoffError):
    """A part of the system that is needed cannot be reached or is not installed (exit 2)."""


class NotTakenError(UnavailableError):
    """A receiver did not take a message (exit 2).

    `is_of_receiver` says that it takes nothing at present; otherwise it refused this message alone. `retry_after` is
    how long the receiver asked to be left alone, None when it did not ask.
    """

    def __init__(self, message: str, *, is_of_receiver: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.is_of_receiver, self.retry_after = is_of_receiver, retry_after
