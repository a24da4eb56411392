"""A release whose every gate passes, so that each test can break one thing and see that gate, alone, refuse."""

from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, good_predictions, trials

from signoff.contracts import small_release
from signoff.domain.evidence import Evidence, PitEvidence
from signoff.domain.policy import Policy

SESSIONS = 1600
TRIALS = 12


@pytest.fixture(scope="session")
def evidence():
    rng = np.random.default_rng(20180131)
    market = rng.normal(0.0003, 0.01, SESSIONS)
    skill = np.linspace(0.0000, 0.0013, TRIALS)
    family = skill + rng.normal(0, 0.01, (SESSIONS, TRIALS))
    return Evidence(
        backtest=backtest(family[:, -1], benchmark=market),
        backtest_previous=backtest(family[:, 5], name="backtest_previous.parquet"),
        trials=trials(family),
        predictions=good_predictions(rng),
        pit=PitEvidence(findings=(), dates_checked=24, features_checked=7, seed=0),
    )


@pytest.fixture(scope="session")
def policy():
    """The firm's floor as it ships, but for Hansen's ten thousand resamples: a thousand tell these tests as much."""
    floor = Policy(name="Firm floor", version="1")
    return replace(floor, gates=replace(floor.gates, hansen_spa=replace(floor.gates.hansen_spa, repetitions=1000)))


@pytest.fixture(scope="session")
def dossier():
    return small_release.dossier()


@pytest.fixture
def with_gate(policy):
    """`with_gate("pbo", threshold=0.4)`: the policy with one gate changed."""

    def changed(key, **values):
        gate = replace(getattr(policy.gates, key), **values)
        return replace(policy, gates=replace(policy.gates, **{key: gate}))

    return changed
