"""Two series that agree better a row apart than on the same row do not mean the same day by the same date."""

import json

import numpy as np
import pytest
from small_dossier import month_ends, returns, small, weekdays, weeks

from signoff.adapters.evidence.reader import FolderReader
from signoff.cli.main import main
from signoff.domain.errors import BadInputError
from signoff.domain.gates.regimes import regime_rows, trailing_trend

DATES = {"daily": weekdays(900), "weekly": weeks(400), "monthly": month_ends(160)}


def read(tmp_path, own, other, what, dates, **options):
    """The evidence with `other` as the previous version or as the benchmark."""
    tables = {"backtest.parquet": returns(dates, own, **({"benchmark": other} if what == "benchmark" else {}))}
    if what == "previous":
        tables["backtest_previous.parquet"] = returns(dates, other)
    return FolderReader().read(small(tmp_path / "dossier", tables, **options), None).evidence


def pair(size, lag, correlation, seed=7):
    """Own returns that go with the other's `lag` rows before, by this correlation."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0.0003, 0.01, size + 2 * abs(lag))
    other = drawn[abs(lag) : abs(lag) + size]
    start = abs(lag) - lag
    moved = drawn[start : start + size]
    return correlation * moved + np.sqrt(1 - correlation**2) * rng.normal(0.0003, 0.01, size), other


@pytest.mark.parametrize("correlation", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("lag", [1, -1])
@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_a_previous_version_that_is_shifted_by_a_row_is_refused(tmp_path, kind, lag, correlation):
    own, other = pair(DATES[kind].size, lag, correlation)
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, own, other, "previous", DATES[kind])
    message = str(caught.value)
    for word in ("backtest_previous.parquet", "expected", "found", "1 row " + ("earlier" if lag == 1 else "later")):
        assert word in message, message


def test_a_monthly_previous_version_that_is_shifted_is_refused_too(tmp_path):
    own, other = pair(DATES["monthly"].size, 1, 0.9)
    with pytest.raises(BadInputError, match="shifted by a row"):
        read(tmp_path, own, other, "previous", DATES["monthly"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.95])
def test_versions_that_agree_best_on_the_same_row_or_not_at_all_are_read(tmp_path, correlation, seed):
    own, other = pair(900, 0, correlation, seed)
    assert read(tmp_path, own, other, "previous", DATES["daily"]).backtest_previous is not None


def test_wild_days_do_not_decide_at_which_lag_two_series_agree(tmp_path):
    own, other = pair(900, 0, 0.6)
    own[401], other[400] = 0.5, 0.5
    assert read(tmp_path, own, other, "previous", DATES["daily"]).backtest_previous is not None


@pytest.mark.parametrize(("lag", "correlation"), [(1, 0.4), (1, 0.9), (2, 0.5), (-1, 0.5)])
def test_the_lag_of_a_benchmark_is_asked(tmp_path, lag, correlation):
    own, other = pair(900, lag, correlation)
    with pytest.raises(BadInputError) as caught:
        read(tmp_path / "a", own, other, "benchmark", DATES["daily"])
    for word in ("backtest.parquet", "expected", "found", f"benchmark_lag: {lag}", "dossier.yaml"):
        assert word in str(caught.value), str(caught.value)
    held = read(tmp_path / "b", own, other, "benchmark", DATES["daily"], evidence={"benchmark_lag": lag})
    assert held.backtest.time.lag == lag
    assert f"benchmark_lag {lag} (declared)" in held.backtest.time.words


@pytest.mark.parametrize(("lag", "correlation"), [(1, -0.775), (1, -0.4), (2, -0.9), (-1, -0.5)])
def test_the_lag_of_a_benchmark_is_asked_of_a_book_that_is_short_of_it(tmp_path, lag, correlation):
    own, other = pair(900, lag, correlation)
    with pytest.raises(BadInputError, match=f"benchmark_lag: {lag} ") as caught:
        read(tmp_path / "a", own, other, "benchmark", DATES["daily"])
    assert "and of -0." in str(caught.value)
    held = read(tmp_path / "b", own, other, "benchmark", DATES["daily"], evidence={"benchmark_lag": lag})
    assert held.backtest.time.lag == lag


@pytest.mark.parametrize("correlation", [-0.3, -0.8])
def test_a_book_that_is_short_of_its_benchmark_on_the_same_row_is_read(tmp_path, correlation):
    own, other = pair(900, 0, correlation)
    assert read(tmp_path, own, other, "benchmark", DATES["daily"]).backtest.time.lag == 0


@pytest.mark.parametrize("declared", [0, 2, -1])
def test_a_declared_lag_that_the_returns_deny_is_refused(tmp_path, declared):
    own, other = pair(900, 1, 0.7)
    with pytest.raises(BadInputError, match=rf"evidence\.benchmark_lag of dossier\.yaml says \({declared}\)"):
        read(tmp_path, own, other, "benchmark", DATES["daily"], evidence={"benchmark_lag": declared})


def test_a_lag_without_a_benchmark_is_refused(tmp_path):
    own, other = pair(900, 0, 0.5)
    with pytest.raises(BadInputError, match="expected a column benchmark"):
        read(tmp_path, own, other, "previous", DATES["daily"], evidence={"benchmark_lag": 1})


@pytest.mark.parametrize("seed", range(4))
def test_an_unrelated_benchmark_is_read(tmp_path, seed):
    own, other = pair(900, 0, 0.0, seed)
    assert read(tmp_path, own, other, "benchmark", DATES["daily"]).backtest.time.lag == 0


@pytest.mark.parametrize("lag", [1, 2])
def test_a_regime_looks_no_further_than_the_row_that_goes_with_the_benchmark(tmp_path, lag):
    own, market = pair(900, lag, 0.7)
    evidence = read(tmp_path, own, market, "benchmark", DATES["daily"], evidence={"benchmark_lag": lag})
    rises = np.concatenate([np.full(lag, np.nan), trailing_trend(market)[:-lag]]) > 0
    assert regime_rows(evidence.backtest)[0].days == rises.sum()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["backtest", "paper_returns", "predictions"])
def test_a_period_that_ends_after_the_deployment_is_refused(tmp_path, capsys, table):
    dates = weekdays(400, "2019-01-09")
    early = weekdays(400)
    own = np.random.default_rng(0).normal(0.001, 0.01, 400)
    tables = {"backtest.parquet": returns(early, own)}
    if table == "predictions":
        rows = "\n".join(
            f"{day}T21:00:00Z,AAA,{value!r},{value + 0.001 * (n % 7)!r}"
            for n, (day, value) in enumerate(zip(dates, own.tolist(), strict=True))
        )
        tables["predictions.csv"] = f"timestamp,symbol,prediction,realized\n{rows}"
    else:
        tables[f"{table}.parquet"] = returns(dates, own)
    folder = small(tmp_path / "dossier", tables)
    assert main(["check", str(folder), "--json"]) == 1
    refused = " ".join(json.loads(capsys.readouterr().out)["refused"])
    assert (
        f"header.deployment_date: expected measurements that end by the deployment on 2019-01-02, found {table}"
        in refused
    )
    assert "2019-01-09" in refused
    assert main(["memo", str(folder), "--out", str(tmp_path / "memo")]) != 0
    assert "header.deployment_date" in capsys.readouterr().err
