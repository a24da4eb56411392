"""A pass of the accuracy gate that hangs on returns of other assets is inconclusive; an unheld column says so."""

from dataclasses import replace

import numpy as np
import pytest
from releases import asset_returns, backtest, predictions, source

from signoff.domain.evidence import CodedSymbols, Evidence
from signoff.domain.gates import realized
from signoff.domain.gates.realized import MOST_SAMPLED, sampled_agreement
from signoff.domain.gates.spa import symmetric_accuracy
from signoff.domain.outcome import Outcome

ROWS = 1200
LIMIT = 0.45


def told(share, *, longs=0.5):
    """Predictions of which exactly this share was right on either side, the first half long."""
    rng = np.random.default_rng(4)
    came = np.abs(rng.normal(0, 0.02, ROWS)) + 1e-3
    sign = np.where(np.arange(ROWS) < longs * ROWS, 1.0, -1.0)
    is_hit = np.zeros(ROWS, dtype=bool)
    for side in (1.0, -1.0):
        own = np.flatnonzero(sign == side)
        is_hit[rng.permutation(own)[: round(share * own.size)]] = True
    order = rng.permutation(ROWS)
    return predictions(sign[order], (np.where(is_hit, 1, -1) * sign * came)[order]), is_hit[order], sign[order]


def held(said, others, value=None):
    """The asset returns: `realized` on every row but `others`, where the asset returned something else."""
    should = said.realized.copy()
    should[others] += 0.05
    days = said.timestamps.astype("datetime64[D]")
    rows = asset_returns([(day, "AAA", one) for day, one in zip(days, should, strict=True)])
    came = said.realized.copy()
    if value is not None:
        came[others] = value
    return replace(said, realized=came), rows


def judged(evidence, dossier, policy, said, assets, horizon=1):
    declared = replace(dossier, validation=replace(dossier.validation, prediction_horizon=horizon))
    return symmetric_accuracy(replace(evidence, predictions=said, asset_returns=assets), declared, policy)


def bound(hits, n):
    """Wilson's one-sided 95% lower bound, by its definition."""
    z, a = 1.6448536269514722, hits / n
    return (a + z**2 / (2 * n) - z * np.sqrt(a * (1 - a) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)


def test_the_cases_turn_by_the_definition():
    assert bound(0.5 * 600, 600) > LIMIT > bound(0.5 * 600 - 50, 600)
    assert bound(0.6 * 600 - 50, 600) > LIMIT


@pytest.mark.parametrize(
    "side",
    [1.0, -1.0, 0.0],
    ids=["hits of longs", "hits of shorts", "hits of both"],
)
def test_a_pass_that_hangs_on_returns_of_other_assets_is_inconclusive(evidence, dossier, policy, side):
    said, is_hit, sign = told(0.5)
    rows = np.flatnonzero(is_hit & ((sign == side) | (side == 0.0)))[:: 5 if side else 10][:58]
    finding = judged(evidence, dossier, policy, *held(said, rows))

    if side == 0.0:  # 29 of each
        assert bound(271, 600) < LIMIT
    assert finding.outcome is Outcome.INCONCLUSIVE, finding.reason
    assert f"is another return than that of the assets on {rows.size} of" in finding.reason
    assert "the verdict hangs on these" in finding.reason
    assert finding.statistic.value is not None
    assert finding.statistic.value >= LIMIT


def test_zeros_in_place_of_returns_are_no_way_around_it(evidence, dossier, policy):
    said, is_hit, sign = told(0.55)
    rows = np.flatnonzero(is_hit & (sign == 1.0))[::5][:58]
    finding = judged(evidence, dossier, policy, *held(said, rows, 0.0))

    assert finding.outcome is Outcome.FAIL
    assert "have a realized return of zero" in finding.reason
    assert "it could fail if these had been wrong" in finding.reason


def test_a_waived_side_that_hangs_is_inconclusive_too(evidence, dossier, with_gate):
    said, is_hit, _ = told(0.48, longs=1.0)
    rows = np.flatnonzero(is_hit)[:55]
    finding = judged(evidence, dossier, with_gate("spa", long_only_waiver=True), *held(said, rows))

    assert bound(0.48 * ROWS, ROWS) > LIMIT > bound(0.48 * ROWS - 55, ROWS)
    assert finding.outcome is Outcome.INCONCLUSIVE, finding.reason
    assert "the verdict hangs on these" in finding.reason


@pytest.mark.parametrize(
    ("share", "chosen", "outcome"),
    [
        (0.6, "hits", Outcome.PASS),
        (0.5, "misses", Outcome.PASS),
        (0.5, "none", Outcome.PASS),
        (0.3, "hits", Outcome.FAIL),
    ],
)
def test_a_verdict_that_does_not_hang_on_them_stands(evidence, dossier, policy, share, chosen, outcome):
    said, is_hit, sign = told(share)
    rows = {"hits": is_hit & (sign > 0), "misses": ~is_hit & (sign > 0), "none": np.zeros(ROWS, dtype=bool)}[chosen]
    finding = judged(evidence, dossier, policy, *held(said, np.flatnonzero(rows)[:50]))

    assert finding.outcome is outcome
    assert "hangs on these" not in finding.reason


@pytest.mark.parametrize(("wrong", "share"), [(0, "100.0%"), (300, "75.0%"), (900, "25.0%"), (1200, "0.0%")])
def test_without_a_declared_horizon_the_share_at_the_inferred_one_is_printed(evidence, dossier, policy, wrong, share):
    said, _, _ = told(0.5)
    finding = judged(evidence, dossier, policy, *held(said, np.arange(wrong)), horizon=None)

    assert "was not compared with asset_returns" in finding.reason
    assert f"At the inferred horizon of 1 session it is the assets' return on {share} of 1,200 rows" in finding.reason


def test_assets_that_no_prediction_names_leave_nothing_to_compare(evidence, dossier, policy):
    said, assets = held(told(0.5)[0], np.arange(0))
    finding = judged(evidence, dossier, policy, said, replace(assets, symbols=np.full(ROWS, "ZZZ")), horizon=None)

    assert "too few rows have the assets' returns to compare" in finding.reason


@pytest.mark.parametrize("is_coded", [True, False], ids=["coded", "texts"])
@pytest.mark.parametrize("most_of_assets", [10**6, 10**5], ids=["a sample of rows", "and of assets"])
def test_many_rows_are_compared_by_a_sample(is_coded, most_of_assets, monkeypatch):
    monkeypatch.setattr(realized, "MOST_OF_ASSETS", most_of_assets)
    rng = np.random.default_rng(8)
    days = np.repeat(np.arange(1500), 200)
    names = np.array([f"S{n:03}" for n in range(200)])
    codes = np.tile(np.arange(200, dtype=np.uint8), 1500)
    came = rng.normal(0, 0.02, days.size)
    is_other = rng.random(days.size) < 0.3
    said = replace(
        predictions(came, np.where(is_other, came + 0.01, came)),
        timestamps=(np.datetime64("2012-01-02") + days).astype("datetime64[us]"),
        symbols=CodedSymbols(codes=codes, names=names) if is_coded else names[codes],
    )
    assets = replace(
        asset_returns([(np.datetime64("2012-01-02"), "S000", 0.0)]),
        source=source("asset_returns.parquet"),
        dates=np.datetime64("2012-01-02") + days,
        symbols=names[codes],
        returns=came,
    )

    found = sampled_agreement(Evidence(backtest=backtest(np.zeros(3)), predictions=said, asset_returns=assets), 1)
    assert found is not None
    assert 0.25 * MOST_SAMPLED < found.rows <= MOST_SAMPLED
    assert abs(found.share - 0.7) < 0.01
