"""Calls to external services: each call has a time budget, and a circuit breaker stops calls to a service that hangs.

A library's timeouts bound one read, not one call: an answer that comes byte by byte, or a retry, has no end. So each
call runs in its own thread, and the caller waits no longer than the budget. An abandoned call goes on in its thread;
the number of these is bounded, and the circuit breaker keeps further ones from starting.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final, Generic, TypeVar

from signoff.domain.errors import UnavailableError
from signoff.ports.budget import Budget

T = TypeVar("T")
MOST_GIVEN_UP: Final = 16
_LOGIN: Final = re.compile(r"://[^/\s]*@")


def bare(text: str) -> str:
    """A text without the user names and passwords of the addresses in it, since messages are stored and sent."""
    return _LOGIN.sub("://", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker: it opens after `most_failures` in a row, and is half open once it has cooled down.

    Half open lets one call through. Its result closes or reopens the breaker; without a result, another call is let
    through after the next cool-down.
    """

    most_failures: int = 3
    cool_down_s: float = 15.0
    failures: int = 0
    open_until: float | None = None

    def is_open(self, now: float) -> bool:
        """Whether calls are refused now."""
        return self.open_until is not None and now < self.open_until

    def again_in(self, now: float) -> float:
        """The seconds until the next call is let through."""
        return 0.0 if self.open_until is None else max(0.0, self.open_until - now)

    def asked(self, now: float) -> "Breaker":
        """The breaker after a call begins; half open, it refuses further calls meanwhile."""
        return self if self.open_until is None else replace(self, open_until=now + self.cool_down_s)

    def answered(self) -> "Breaker":
        """The breaker after a call was answered, with whatever answer."""
        return replace(self, failures=0, open_until=None)

    def failed(self, now: float) -> "Breaker":
        """The breaker after a call was not answered."""
        failures = self.failures + 1
        opens = failures >= self.most_failures
        return replace(self, failures=failures, open_until=now + self.cool_down_s if opens else None)


@dataclass(slots=True)
class _Answer(Generic[T]):
    """The result or error of a call, once it has one."""

    is_complete: threading.Event = field(default_factory=threading.Event)
    value: list[T] = field(default_factory=list)
    error: BaseException | None = None

    def fill(self, call: Callable[[], T]) -> None:
        """Make the call, and keep its error for the caller's thread."""
        try:
            self.value.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.error = error
        finally:
            self.is_complete.set()


class Outside:
    """One external service, by the name used in errors: its budget, its breaker, and its abandoned calls."""

    def __init__(
        self,
        name: str,
        budget: Budget,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name, self.budget = name, budget
        self._breaker, self._clock = breaker or Breaker(), clock
        self._lock, self._given_up = threading.Lock(), set[threading.Thread]()

    def ask(self, what: str, call: Callable[[], T], *, seconds: float | None = None) -> T:
        """The result of a call, or its error; UnavailableError when the call exceeds its budget."""
        limit = self.budget.total_s if seconds is None else seconds
        self._begin(what)
        answer = _Answer[T]()
        thread = threading.Thread(target=answer.fill, args=(call,), name=f"{what} of {self.name}", daemon=True)
        thread.start()
        if not answer.is_complete.wait(limit):
            self._give_up(thread)
            raise UnavailableError(
                f"Expected {self.name} to answer ({what}) within {limit:g} s, found no answer by then. It is asked "
                "again later; look whether it is up and can be reached from here."
            )
        self._note(is_answered=not isinstance(answer.error, UnavailableError))
        if answer.error is not None:
            raise answer.error
        return answer.value[0]

    def _begin(self, what: str) -> None:
        with self._lock:
            now = self._clock()
            self._given_up = {thread for thread in self._given_up if thread.is_alive()}
            if self._breaker.is_open(now):
                raise UnavailableError(
                    f"{self.name} was not asked ({what}): it did not answer {self._breaker.failures} times in a row, "
                    f"and is asked again in {self._breaker.again_in(now):.0f} s."
                )
            if len(self._given_up) >= MOST_GIVEN_UP:
                raise UnavailableError(
                    f"{self.name} was not asked ({what}): {len(self._given_up)} earlier calls have not come back yet."
                )
            self._breaker = self._breaker.asked(now)

    def _give_up(self, thread: threading.Thread) -> None:
        with self._lock:
            self._given_up.add(thread)
            self._breaker = self._breaker.failed(self._clock())

    def _note(self, *, is_answered: bool) -> None:
        with self._lock:
            self._breaker = self._breaker.answered() if is_answered else self._breaker.failed(self._clock())
