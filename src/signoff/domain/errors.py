"""Everything that Signoff raises on purpose, on one page.

A message says what was expected, what was found, where, and what to do. Expected outcomes (a failing gate, a breach)
are values, not exceptions.
"""


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
