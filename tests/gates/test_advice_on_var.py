"""Where the coverage of VaR is rejected the gate says what two remedies would have done on the firm's own returns."""

import re

import numpy as np
import pandas as pd
import pytest

import signoff
from signoff.stats.value_at_risk import EWMA_DECAY, volatility_scaled

DAYS = pd.bdate_range("2010-01-01", periods=1600)


def clustered(seed, *, quiet=0.005, loud=0.02, regime=600):
    """A long-only book in a market that is quiet and loud by turns."""
    rng = np.random.default_rng(seed)
    volatility = np.where((np.arange(len(DAYS)) // regime) % 2 == 0, quiet, loud)
    return pd.Series(0.0003 + volatility * rng.standard_normal(len(DAYS)), index=DAYS, name="return")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_book_that_fails_coverage_is_told_what_filtering_and_scaling_would_have_done(seed):
    returns = clustered(seed)
    why = signoff.evaluate(returns, gates=["var"]).findings["var"].why
    assert "reject" in why
    assert "gates.var.method: filtered_historical, Hull and White 1998" in why
    assert "scaled by forecast volatility" in why
    told = re.search(
        r"filtered_historical, Hull and White 1998\) would have been exceeded (\d+) times of ([\d,]+)", why
    )
    assert int(told[2].replace(",", "")) == len(returns) - 500


def test_the_advice_on_filtering_is_what_the_gate_finds_under_that_method(tmp_path):
    returns = clustered(1)
    policy = tmp_path / "policy.yaml"
    policy.write_text('name: firm\nversion: "1"\ngates:\n  var: {method: filtered_historical, limit_pct: -20}\n')
    why = signoff.evaluate(returns, gates=["var"]).findings["var"].why
    filtered = signoff.evaluate(returns, gates=["var"], policy=policy).findings["var"]
    told = re.search(r"Hull and White 1998\) would have been exceeded (\d+) times", why)
    assert int(told[1]) == filtered.figures["gates.var.exceptions"]


def test_a_book_whose_coverage_holds_is_given_no_advice():
    rng = np.random.default_rng(8)
    calm = pd.Series(rng.normal(0.0004, 0.008, len(DAYS)), index=DAYS, name="return")
    assert "scaled by forecast volatility" not in signoff.evaluate(calm, gates=["var"]).findings["var"].why


def test_returns_are_scaled_by_a_forecast_from_the_returns_before():
    returns = clustered(4).to_numpy()
    scaled = volatility_scaled(returns)
    variance, slow = np.mean(returns**2), []
    for one in returns:
        slow.append(one / np.sqrt(variance))
        variance = EWMA_DECAY * variance + (1 - EWMA_DECAY) * one**2
    ratio = scaled / np.array(slow)
    np.testing.assert_allclose(ratio, ratio[0])
