"""Budgets and the circuit breaker: a service that hangs delays a caller by its budget at most."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.adapters.outside import MOST_GIVEN_UP, Breaker, Outside
from signoff.config.settings import settings
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError
from signoff.ports.budget import Budget

SOON = Budget(connect_s=0.1, read_s=0.1, total_s=0.2)
NEVER_OPEN = Breaker(most_failures=10**9)


@given(st.lists(st.tuples(st.sampled_from(["failed", "answered", "asked"]), st.integers(0, 30)), max_size=60))
def test_a_breaker_is_open_only_after_enough_failures_and_never_longer_than_its_cool_down(history):
    breaker, now, in_a_row = Breaker(), 0.0, 0
    for what, later in history:
        now += later
        if breaker.is_open(now):
            assert in_a_row >= breaker.most_failures
            assert 0 < breaker.again_in(now) <= breaker.cool_down_s
            assert not breaker.is_open(now + breaker.cool_down_s)
            continue
        assert breaker.again_in(now) == 0
        if what == "failed":
            breaker, in_a_row = breaker.failed(now), in_a_row + 1
        elif what == "answered":
            breaker, in_a_row = breaker.answered(), 0
        else:
            breaker = breaker.asked(now)
        assert breaker.failures == in_a_row


@given(st.integers(3, 50), st.integers(0, 10**6))
def test_half_open_lets_one_call_through_and_one_answer_closes_it(failures, now):
    breaker = Breaker()
    for _ in range(failures):
        breaker = breaker.failed(now)
    later = breaker.open_until
    assert breaker.is_open(now)
    trying = breaker.asked(later)
    assert trying.is_open(later)
    assert not trying.answered().is_open(later)
    assert trying.failed(later).is_open(later)


def test_a_call_that_hangs_is_given_up_after_its_budget_and_names_the_place():
    over = threading.Event()
    place = Outside("the model registry at http://x", SOON)
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"the model registry at http://x .*look up m.* within 0.2 s"):
        place.ask("look up m", over.wait)
    assert time.monotonic() - began < 5
    over.set()


def test_a_call_returns_its_result_or_raises_its_own_error():
    place = Outside("x", SOON)
    assert place.ask("add", lambda: 1 + 1) == 2

    def refuse():
        raise NotFoundError("no such version")

    with pytest.raises(NotFoundError, match="no such version"):
        place.ask("look up", refuse)


def test_an_answer_that_refuses_opens_no_breaker():
    place = Outside("x", SOON)

    def refuse():
        raise BadInputError("the tag is no day")

    for _ in range(20):
        with pytest.raises(BadInputError):
            place.ask("look up", refuse)
    assert place.ask("add", lambda: 2) == 2


def test_after_its_cool_down_a_place_that_is_back_is_used_again():
    now = [0.0]
    place = Outside("x", SOON, clock=lambda: now[0])

    def away():
        raise UnavailableError("away")

    for _ in range(3):
        with pytest.raises(UnavailableError, match="away"):
            place.ask("look up", away)
    with pytest.raises(UnavailableError, match="was not asked"):
        place.ask("look up", lambda: 1)
    now[0] = 16.0
    assert place.ask("look up", lambda: 1) == 1
    assert place.ask("look up", lambda: 2) == 2


def test_the_number_of_abandoned_calls_is_bounded():
    over = threading.Event()
    place = Outside("x", Budget(connect_s=0.1, read_s=0.1, total_s=0.01), breaker=NEVER_OPEN)
    for _ in range(MOST_GIVEN_UP):
        with pytest.raises(UnavailableError, match="within"):
            place.ask("look up", over.wait)
    with pytest.raises(UnavailableError, match="have not come back yet"):
        place.ask("look up", over.wait)
    over.set()
    time.sleep(0.2)
    assert place.ask("look up", lambda: 1) == 1


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf", "0", "1e9"])
def test_an_invalid_budget_is_refused_by_the_name_of_its_setting(monkeypatch, given):
    monkeypatch.setenv("SIGNOFF_REGISTRY_TOTAL_S", given)
    with pytest.raises(BadInputError, match="SIGNOFF_REGISTRY_TOTAL_S as seconds"):
        settings()


def test_a_budget_may_be_set(monkeypatch):
    monkeypatch.setenv("SIGNOFF_REGISTRY_CONNECT_S", "1.5")
    assert settings().registry_budget == Budget(connect_s=1.5)
