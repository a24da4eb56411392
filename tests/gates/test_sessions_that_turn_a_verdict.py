"""A narrow deflated Sharpe ratio that the missing sessions could turn is inconclusive; a wide one is not."""

from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, trials

from signoff.domain.evidence import Evidence
from signoff.domain.frequency import Frequency
from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.outcome import Outcome
from signoff.domain.sampling import Sampling, coverage

THRESHOLD = 0.95
BUSINESS = np.busday_offset(np.datetime64("2010-01-04"), np.arange(2000), roll="forward")
DATES = {
    "daily": (BUSINESS, Sampling(calendar="24/5")),
    "every day": (np.datetime64("2016-01-01") + np.arange(2000), Sampling(rows_a_year=365.0, calendar="24/7")),
    "weekly": (
        np.datetime64("2005-01-07") + 7 * np.arange(700),
        Sampling(frequency=Frequency.WEEKLY, rows_a_year=52.0),
    ),
    "monthly": (
        np.arange("1990-02", 361, dtype="datetime64[M]").astype("datetime64[D]") - 1,
        Sampling(frequency=Frequency.MONTHLY, rows_a_year=12.0),
    ),
}


def record(dates, sampling, gone, skill):
    """A backtest and its trials without the `gone` worst rows of the backtest."""
    noise = np.random.default_rng(3).normal(0, 0.01, (dates.size, 6))
    family = noise - noise.mean(axis=0) + skill * 0.01 * np.linspace(-0.2, 1, 6)
    own = family[:, -1]
    kept = np.sort(np.argsort(own)[gone:])
    own_trials = replace(trials(family[kept]), dates=dates[kept])
    tested = replace(backtest(own[kept]), dates=dates[kept], sampling=sampling)
    held = coverage("backtest.parquet", dates[kept], sampling, None)
    assert held.missing.size == gone
    return Evidence(backtest=tested, trials=own_trials, coverage=(held,))


def narrowest(dates, sampling, gone, dossier, policy):
    """The least skill that reaches the threshold with these rows left out, by halving."""
    low, high = 0.0, 1.5
    for _ in range(16):
        middle = (low + high) / 2
        found = deflated_sharpe(record(dates, sampling, gone, middle), dossier, policy)
        low, high = (low, middle) if found.statistic.value >= THRESHOLD else (middle, high)
    return high


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("gone", [1, 4])
def test_a_narrow_pass_that_missing_rows_can_turn_is_inconclusive(dossier, policy, kind, gone):
    dates, sampling = DATES[kind]
    skill = narrowest(dates, sampling, gone, dossier, policy)
    evidence = record(dates, sampling, gone, skill)
    found = deflated_sharpe(evidence, dossier, policy)

    assert found.outcome is Outcome.INCONCLUSIVE, found.reason
    assert found.statistic.value >= THRESHOLD
    assert f"The verdict hangs on the {gone} of" in found.reason
    assert "worst return of the record" in found.reason
    assert all(str(day) in found.reason for day in evidence.coverage[0].missing)


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize(("gone", "more", "outcome"), [(0, 0.0, "pass"), (1, 0.4, "pass"), (1, -0.03, "fail")])
def test_a_verdict_that_no_missing_row_can_turn_stands(dossier, policy, kind, gone, more, outcome):
    dates, sampling = DATES[kind]
    skill = narrowest(dates, sampling, gone, dossier, policy) + more
    found = deflated_sharpe(record(dates, sampling, gone, skill), dossier, policy)

    assert found.outcome is Outcome(outcome), found.reason
    assert "The verdict hangs on the" not in found.reason
