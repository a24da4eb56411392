"""Which part of a record the point-in-time replay was drawn from, and what the gate says of the rest."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from signoff.adapters.decision_dates import decisions
from signoff.adapters.feature_replay import FeatureReplays
from signoff.adapters.sandbox.child import Sandbox
from signoff.domain.dossier import PitDeclaration
from signoff.domain.evidence import Evidence, Positions, Predictions, Returns, Source
from signoff.domain.isolation import Isolation
from signoff.pit.replay import check

DAYS = np.busday_offset(np.datetime64("2019-01-02"), np.arange(500), roll="forward")
SYMBOLS = ("AAA", "BBB")
FEATURES = """import polars as pl

def compute(inputs):
    bars = inputs["bars"].sort("timestamp")
    return bars.select("timestamp", "symbol", pl.col("close").rolling_mean(1).over("symbol").alias("mean"))

def filled(inputs):
    made = compute(inputs).join(inputs["vintages"], on=["timestamp", "symbol"], how="left")
    return made.with_columns(pl.col("gdp").fill_null(0.0).alias("gdp")).select("timestamp", "symbol", "mean", "gdp")
"""


def source(name):
    return Source(name=name, sha256="0" * 64, size=1, rows=1)


def backtest(days=DAYS):
    returns = np.random.default_rng(1).normal(0.0, 0.01, days.size)
    return Returns(source=source("backtest.parquet"), dates=days, returns=returns)


def record(days=DAYS, symbols=SYMBOLS, predicted=None):
    predicted = days if predicted is None else predicted
    rows = predicted.size * len(symbols)
    said = Predictions(
        source=source("predictions.parquet"),
        timestamps=np.repeat(predicted, len(symbols)).astype("datetime64[us]"),
        symbols=np.array(list(symbols) * predicted.size),
        prediction=np.ones(rows),
        realized=np.ones(rows),
    )
    return Evidence(backtest=backtest(days), predictions=said)


def bars(days=DAYS, symbols=SYMBOLS):
    rng = np.random.default_rng(2)
    when = [datetime(day.year, day.month, day.day, 21, tzinfo=UTC) for day in days.tolist()]
    return pl.concat(
        pl.DataFrame({"timestamp": when, "symbol": symbol, "close": rng.uniform(50, 150, len(when))})
        for symbol in symbols
    )


def compute(inputs):
    return inputs["bars"].select("timestamp", "symbol", pl.col("close").alias("close"))


def covered(inputs, evidence, compute=compute, **options):
    return check(compute, inputs, sample=options.pop("sample", 12), decisions=decisions(evidence), **options).covered


def test_whole_inputs_cover_every_decision():
    found = covered({"bars": bars()}, record())

    assert (found.dates, found.of, found.gaps, found.symbols) == (500, 500, (), ())
    assert (found.pairs, found.of_pairs) == (1000, 1000)


@pytest.mark.parametrize(
    ("kept", "dates", "gaps"),
    [
        pytest.param(DAYS[200:], 300, [(0, 199)], id="inputs that begin late"),
        pytest.param(DAYS[:450], 450, [(450, 499)], id="inputs that end early"),
        pytest.param(np.r_[DAYS[:100], DAYS[180:]], 420, [(100, 179)], id="a hole in the middle"),
        pytest.param(np.r_[DAYS[50:100], DAYS[101:300]], 249, [(0, 49), (100, 100), (300, 499)], id="all three"),
    ],
)
def test_the_missing_part_is_counted_and_named(kept, dates, gaps):
    found = covered({"bars": bars(kept)}, record())

    assert found.dates == dates
    assert [(gap.first, gap.last) for gap in found.gaps] == [(DAYS[i].item(), DAYS[j].item()) for i, j in gaps]


def test_one_symbol_that_begins_late_is_counted_by_dates_and_symbols():
    late = pl.concat([bars(symbols=("AAA",)), bars(DAYS[400:], ("BBB",))])

    found = covered({"bars": late}, record())

    assert (found.dates, found.of) == (500, 500)
    assert (found.pairs, found.of_pairs) == (600, 1000)
    assert [(one.symbol, one.replayed, one.of, one.first) for one in found.symbols] == [
        ("BBB", 100, 500, DAYS[400].item())
    ]


def test_a_second_input_that_begins_late_is_seen_though_the_features_fill_it_with_zeros():
    def filled(inputs):
        made = inputs["bars"].join(inputs["vintages"], on=("timestamp", "symbol"), how="left")
        return made.select("timestamp", "symbol", pl.col("close") + pl.col("gdp").fill_null(0.0))

    whole = bars()
    found = covered({"bars": whole, "vintages": bars(DAYS[300:]).rename({"close": "gdp"})}, record(), filled)

    assert found.first > date(2020, 2, 1)
    assert 200 <= found.dates <= 206


def test_a_market_wide_input_that_begins_late_is_seen():
    index = bars(DAYS[300:], ("INDEX",)).drop("symbol")

    assert 200 <= covered({"bars": bars(), "index": index}, record()).dates <= 206


def test_one_symbol_of_a_second_input_that_begins_late_is_seen():
    second = pl.concat([bars(symbols=("AAA",)), bars(DAYS[400:], ("BBB",))])

    found = covered({"bars": bars(), "vintages": second.rename({"close": "gdp"})}, record())

    assert found.dates == 500
    assert 600 <= found.pairs <= 606


def test_features_that_are_carried_past_the_end_of_the_inputs_are_no_replay():
    def carried_on(inputs):
        made = inputs["bars"].select("timestamp", "symbol", "close")
        later = bars(DAYS[400:]).with_columns(close=pl.lit(1.0))
        return pl.concat([made, later]).unique(("timestamp", "symbol"), keep="first")

    assert covered({"bars": bars(DAYS[:400])}, record(), carried_on).dates == 400


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param({"bars": bars(DAYS[:-1])}, id="the last session is decided on the day before"),
        pytest.param({"bars": bars(), "sectors": bars(DAYS[:1]).rename({"close": "sector"})}, id="a table of one day"),
        pytest.param({"bars": bars(), "index": bars(symbols=("INDEX",)).drop("symbol")}, id="an input of no symbol"),
        pytest.param({"bars": bars(), "quarters": bars(DAYS[::15])}, id="a second input of fewer days"),
        pytest.param({"bars": bars(np.r_[np.arange("2010-01-04", "2018-12-31", 7, "datetime64[D]"), DAYS])}, id="more"),
    ],
)
def test_ordinary_inputs_are_no_gap(inputs):
    found = covered(inputs, record())

    assert found.dates >= 499


def test_features_of_month_ends_serve_the_decisions_of_the_days_between():
    ends = DAYS[::21]

    assert covered({"bars": bars(ends)}, record(), sample=5).dates == 500
    assert covered({"bars": bars(ends[8:])}, record(), sample=5).dates == 500 - 8 * 21


def test_predictions_that_leave_out_the_first_year_make_no_shorter_record():
    found = covered({"bars": bars(DAYS[200:])}, record(predicted=DAYS[200:]))

    assert (found.dates, found.of) == (300, 495)  # the week before the first prediction is no gap


def test_rebalances_count_where_nothing_is_predicted_and_sessions_where_nothing_is_held():
    months = DAYS[::21]
    held = Positions(
        source=source("positions.parquet"),
        dates=months,
        symbols=np.full(months.size, "AAA"),
        weight=np.ones(months.size),
    )

    assert decisions(Evidence(backtest=backtest(), positions=held)).days.size == months.size
    assert decisions(Evidence(backtest=backtest())).days.size == DAYS.size


def test_zeros_before_the_first_position_are_no_decisions():
    flat = backtest()
    flat = replace(flat, returns=np.where(np.arange(DAYS.size) < 60, 0.0, flat.returns))

    assert decisions(Evidence(backtest=flat)).days.size == DAYS.size - 60


def test_a_long_history_before_the_record_draws_no_date():
    before = np.busday_offset(np.datetime64("1990-01-02"), np.arange(7000), roll="forward")
    inputs = {"bars": bars(np.union1d(before, DAYS), ("AAA",))}

    def leaks_in_the_record(inputs):
        late = pl.col("timestamp").dt.date() >= DAYS[0].item()
        made = inputs["bars"].with_columns(ahead=pl.col("close").shift(-1))
        return made.select("timestamp", "symbol", value=pl.when(late).then("ahead").otherwise("close"))

    report = check(leaks_in_the_record, inputs, sample=10, decisions=decisions(record(symbols=("AAA",))))

    assert {(found.kind, found.n) for found in report} == {("truncation", 10)}


def test_each_part_of_the_record_gives_a_date():
    drawn = [
        int(np.searchsorted(DAYS, np.datetime64(found.first_date.date())) // 125)
        for seed in range(20)
        for found in check(
            lambda inputs: inputs["bars"].select("timestamp", "symbol", ahead=pl.col("close").shift(-1)),
            {"bars": bars(symbols=("AAA",))},
            sample=4,
            seed=seed,
            decisions=decisions(record(symbols=("AAA",))),
        )
    ]

    assert drawn == [0] * 20


def test_the_replay_of_a_folder_says_its_range(tmp_path):
    bars(DAYS[200:]).write_parquet(tmp_path / "bars.parquet")
    (tmp_path / "features_of_the_folder.py").write_text(FEATURES)
    declared = PitDeclaration(
        compute="features_of_the_folder:compute", inputs={"bars": "bars.parquet"}, sample_dates=12
    )

    found = FeatureReplays(Sandbox(isolation=Isolation.TRUSTED))(tmp_path, declared, None, seed=1, record=record())

    assert found.error is None
    assert (found.replayed.dates, found.replayed.of, found.replayed.record_dates) == (300, 500, 500)
