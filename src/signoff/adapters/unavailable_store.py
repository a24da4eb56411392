"""A store that could not be opened: each call raises the reason."""

from collections.abc import Callable
from typing import NoReturn

from signoff.domain.errors import SignoffError


class ShutStore:
    """Replaces the store for a kill, the only act that must work without the ledger."""

    def __init__(self, why: SignoffError) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        """Any method of a store, which raises."""

        def refuse(*_asked: object, **_named: object) -> NoReturn:
            raise self._why

        return refuse
