"""What several gates compute of the same trials is computed once in an assessment, and not kept beyond it."""

import numpy as np
import pytest

from signoff.domain.gates import trials
from signoff.domain.gates.once import once, one_assessment
from signoff.domain.gates.trials import Family, bets_of


@pytest.fixture
def counted(monkeypatch):
    asked = []
    resemblance = trials.resemblance
    monkeypatch.setattr(trials, "resemblance", lambda *a, **k: (asked.append(a), resemblance(*a, **k))[1])
    return asked


def family(seed=0):
    return Family(returns=np.random.default_rng(seed).normal(0, 0.01, (300, 6)), copies=0, source="trials")


def test_the_bets_of_one_family_are_found_once_in_an_assessment(counted):
    one = family()
    with one_assessment():
        assert bets_of(one, 0.9) is bets_of(one, 0.9)
    assert len(counted) == 1


@pytest.mark.parametrize(("other", "limit"), [(family(1), 0.9), (family(0), 0.9), (None, 0.8)])
def test_other_trials_and_another_limit_are_computed_for_themselves(other, limit, counted):
    one = family()
    with one_assessment():
        assert bets_of(one, 0.9) is not bets_of(other or one, limit)
    assert len(counted) == 2


def test_nothing_is_kept_outside_an_assessment_or_from_one_to_the_next(counted):
    one = family()
    bets_of(one, 0.9)
    for _ in range(2):
        with one_assessment():
            bets_of(one, 0.9)
    assert len(counted) == 3


def test_an_error_is_raised_each_time():
    def fails():
        raise ValueError("no")

    with one_assessment():
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                once("x", fails, None, fails)
