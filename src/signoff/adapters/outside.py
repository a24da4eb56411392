"""Calls to what is not ours: each has a budget that we set, and a place that hangs is left alone for a while.

A library's own timeouts bound one read, not one call: an answer that comes byte by byte, or a retry, has no end. So a
call runs in a thread of its own, and whoever asked waits for its budget and no longer. A call that is given up goes on
by itself; how many of them there may be is bounded, and a circuit breaker keeps further ones from starting.
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
    """An address, or words about one, without the name and password in it: what is said of it is kept and sent."""
    return _LOGIN.sub("://", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker: closed, open after so many failures in a row, and half open once it has cooled down.

    Half open lets one call through, whose end closes or opens it again. One whose end nobody ever tells counts as
    failed after another cool-down.
    """

    most_failures: int = 3
    cool_down_s: float = 15.0
    failures: int = 0
    open_until: float | None = None

    def is_open(self, now: float) -> bool:
        """Whether a call is refused now."""
        return self.open_until is not None and now < self.open_until

    def again_in(self, now: float) -> float:
        """The seconds until a call is let through."""
        return 0.0 if self.open_until is None else max(0.0, self.open_until - now)

    def asked(self, now: float) -> "Breaker":
        """A call begins. The one that is let through half open keeps the others out meanwhile."""
        return self if self.open_until is None else replace(self, open_until=now + self.cool_down_s)

    def answered(self) -> "Breaker":
        """A call was answered, whatever the answer said."""
        return replace(self, failures=0, open_until=None)

    def failed(self, now: float) -> "Breaker":
        """A call was not answered."""
        failures = self.failures + 1
        is_over = failures >= self.most_failures
        return replace(self, failures=failures, open_until=now + self.cool_down_s if is_over else None)


@dataclass(slots=True)
class _Answer(Generic[T]):
    """What a call came to, once it did."""

    is_there: threading.Event = field(default_factory=threading.Event)
    value: list[T] = field(default_factory=list)
    error: BaseException | None = None

    def fill(self, call: Callable[[], T]) -> None:
        """Make the call; what it raises is raised where it was asked for."""
        try:
            self.value.append(call())
        except BaseException as error:  # noqa: BLE001 - carried to whoever asked
            self.error = error
        finally:
            self.is_there.set()


class Outside:
    """One place outside, as errors name it: its budget, its breaker, and the calls that were given up."""

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
        """The result of a call, or what it raised; UnavailableError when it takes longer than its budget."""
        limit = self.budget.total_s if seconds is None else seconds
        self._begin(what)
        answer = _Answer[T]()
        thread = threading.Thread(target=answer.fill, args=(call,), name=f"{what} of {self.name}", daemon=True)
        thread.start()
        if not answer.is_there.wait(limit):
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
