"""A store that could not be opened: whatever is asked of it fails for the reason for which it is shut."""

from collections.abc import Callable
from typing import NoReturn

from signoff.domain.errors import SignoffError


class ShutStore:
    """Stands in where something must be done although there is no record to be had, which is a kill alone."""

    def __init__(self, why: SignoffError) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        """Any method of a store; it raises."""

        def refuse(*_asked: object, **_named: object) -> NoReturn:
            raise self._why

        return refuse
