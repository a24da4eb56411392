"""The drift of every feature is computed, whatever their number and wherever the one that moved stands."""

from dataclasses import replace

import numpy as np
import pytest
from live_days import baseline, features, measured, reading

from signoff.domain.monitoring import Baseline, observe
from signoff.domain.monitoring.quality import drifts
from signoff.domain.policy import Policy
from signoff.domain.profiles import ApprovedProfile
from signoff.stats.drift import population_stability_index, reference_edges

POLICY = Policy(name="test", version="1")
NAMES = tuple(f"f{n:03}" for n in range(60))


def training():
    rng = np.random.default_rng(2)
    return baseline(**{name: rng.normal(size=6000) for name in NAMES})


def live(moved=()):
    rng = np.random.default_rng(4)
    return features(**{name: rng.normal(size=400) + 5.0 * (name in moved) for name in NAMES})


TRAINING = training()


@pytest.mark.parametrize("moved", ["f000", "f001", "f031", "f058", "f059"])
def test_one_feature_of_sixty_that_moved_is_critical_and_named(moved):
    found = reading(observe(measured(features=live({moved}), baseline=TRAINING), POLICY, {}), "psi_max")
    assert found.level == "critical"
    assert f"on {moved} " in found.detail


def test_every_feature_has_a_drift_and_it_is_the_index_of_its_own_values():
    found = {each.feature: each for each in drifts(measured(features=live({"f007"}), baseline=TRAINING))}
    assert set(found) == {"x", "y", *NAMES}
    columns = live({"f007"}).columns
    for name in ("f000", "f007", "f059"):
        own = population_stability_index(TRAINING.columns[name].values, columns[name])
        assert found[name].psi == own.value


def test_a_registered_feature_without_a_reference_makes_the_drift_unknown_and_is_named():
    seen = measured(features=live(), baseline=TRAINING)
    without = Baseline(columns={name: each for name, each in TRAINING.columns.items() if name != "f031"})
    approved = ApprovedProfile(features=NAMES, greatest_exposure_pct=100.0)
    found = reading(observe(replace(seen, baseline=without, approved=approved), POLICY, {}), "psi_max")
    assert found.level == "unknown"
    assert "f031 is not in baseline_features.parquet" in found.detail


@pytest.mark.parametrize("n", [2, 9, 10, 11, 399, 4096, 20_000])
@pytest.mark.parametrize("kind", ["normal", "heavy", "ties", "two", "huge", "tiny"])
def test_the_edges_of_the_bins_are_the_quantiles_of_the_reference(n, kind):
    rng = np.random.default_rng(n)
    values = {
        "normal": lambda: rng.normal(size=n),
        "heavy": lambda: rng.standard_cauchy(n) ** 3,
        "ties": lambda: rng.integers(0, 4, n).astype(float),
        "two": lambda: (np.arange(n) == 0).astype(float),
        "huge": lambda: np.where(np.arange(n) % 2, 1.7e308, -1.7e308),
        "tiny": lambda: rng.normal(size=n) * 1e-310,
    }[kind]()
    if values.min() == values.max():
        pytest.skip("a constant has no bins")
    wanted = np.unique(np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf"))
    wanted = wanted[wanted < values.max()]
    assert reference_edges(values, 10).tolist() == (wanted.tolist() or [values[values < values.max()].max()])
