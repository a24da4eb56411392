"""Anomalies of paper trading are computed: each says its figure and its n, and what could not be checked says so."""

from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, paper_log
from releases import paper_row as row

from signoff.domain.assessment import AnomalyKind
from signoff.domain.gates.paper import paper_summary

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
SESSIONS = 24
RNG = np.random.default_rng(11)
ROWS = [row(day, symbol, quantity=100.0 + day) for day in range(SESSIONS) for symbol in SYMBOLS]
VALUES = RNG.normal(0, 0.01, len(ROWS))
FILLS = np.array([given[7] for given in ROWS])
BARS = {"bar_low": FILLS - 1, "bar_high": FILLS + 1}


@pytest.fixture
def judged(evidence):
    returns = backtest(np.random.default_rng(5).normal(0.0004, 0.01, 500), start="2017-01-02")
    paper = backtest(np.random.default_rng(6).normal(0.0004, 0.01, 40), start="2018-03-01")

    def judge(said=VALUES, rows=ROWS, paper_returns=paper, **bars):
        log = paper_log(rows, said, **(BARS | bars))
        return paper_summary(replace(evidence, backtest=returns, paper=log, paper_returns=paper_returns))

    return judge


def kinds(summary):
    return {anomaly.kind: anomaly for anomaly in summary.anomalies}


def changed(**at):
    """The predictions, with those of some sessions or symbols replaced: `(symbol, first, last) → value`."""
    said = VALUES.copy().reshape(SESSIONS, len(SYMBOLS))
    for symbol, (first, last, value) in at.items():
        said[first:last, SYMBOLS.index(symbol)] = value
    return said.reshape(-1)


def unable(summary):
    return {check.name: check.not_checked for check in summary.checks if check.not_checked}


def test_none_is_found_only_where_every_check_ran_and_each_is_named(judged):
    summary = judged()
    assert summary.anomalies == ()
    assert unable(summary) == {}
    assert summary.anomalies_text.startswith("None found. Checked: errors and rows without a figure (n = 144), ")
    assert "returns against the backtest (n = 40)" in summary.anomalies_text


def test_predictions_that_are_all_one_number_are_found(judged):
    summary = judged(np.full(len(ROWS), 123.0))
    assert "All 144 predictions are 123 (n = 144)." in summary.anomalies_text
    assert "None" not in summary.anomalies_text
    assert len(kinds(summary)[AnomalyKind.CONSTANT_PREDICTION].rows) == 144


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        (
            changed(BBB=(0, SESSIONS, 0.5)),
            AnomalyKind.CONSTANT_PREDICTION,
            "Constant predictions in 1 symbol of 6: BBB 0.5 (n = 24).",
        ),
        (
            np.repeat(RNG.normal(0, 1, SESSIONS), len(SYMBOLS)),
            AnomalyKind.CONSTANT_PREDICTION,
            "24 sessions of 24 with one prediction for every symbol; first 2018-03-01",
        ),
        (
            changed(CCC=(5, 11, 0.02)),
            AnomalyKind.REPEATED_PREDICTION,
            "1 run of 3 or more equal predictions in a row; longest 6 in CCC from 2018-03-06, 0.02 (n = 144).",
        ),
        (
            changed(**dict.fromkeys(SYMBOLS, (15, SESSIONS, 123.0))),
            AnomalyKind.REPEATED_PREDICTION,
            "6 runs of 3 or more equal predictions in a row; longest 9 in FFF from 2018-03-16, 123",
        ),
        (
            np.concatenate([VALUES[:60], VALUES[54:60], VALUES[66:]]),
            AnomalyKind.REPEATED_PREDICTION,
            "1 session of 23 with the predictions of the session before in every symbol; first 2018-03-11 (n = 6).",
        ),
        (
            np.where(np.arange(len(ROWS)) < 2, [np.nan], VALUES),
            AnomalyKind.NOT_FINITE,
            "2 predictions of 144 without an error that are no number.",
        ),
        (
            np.where(np.arange(len(ROWS)) == 7, [np.inf], VALUES),
            AnomalyKind.NOT_FINITE,
            "1 prediction of 144 without an error that are no number.",
        ),
    ],
)
def test_predictions_that_stand_still_or_are_none_are_found(said, kind, sentence, judged):
    summary = judged(said)
    assert any(sentence in anomaly.text for anomaly in summary.anomalies if anomaly.kind is kind), summary.anomalies


def test_a_model_that_answers_with_few_values_is_not_accused_of_repeating_them(judged):
    summary = judged(np.random.default_rng(3).choice([-1.0, 0.0, 1.0], len(ROWS)))
    assert AnomalyKind.REPEATED_PREDICTION not in kinds(summary)
    assert unable(summary)["repeated predictions"] == "predictions take 3 values, so that repeats say nothing"


@pytest.mark.parametrize(
    ("bars", "sentence"),
    [
        ({"bar_high": np.where(np.arange(len(ROWS)) == 8, FILLS - 0.5, FILLS + 1)}, "1 fill of 144 outside the bar's"),
        ({"bar_low": np.where(np.arange(len(ROWS)) < 3, FILLS + 0.5, FILLS - 1)}, "3 fills of 144 outside the bar's"),
        ({"bar_low": np.full(len(ROWS), np.nan) * FILLS}, None),
        ({"bar_high": np.where(np.arange(len(ROWS)) == 8, np.nan, FILLS + 1)}, "1 fill of 144 without a bar"),
        ({"bar_low": np.where(np.arange(len(ROWS)) == 9, FILLS + 2, FILLS - 1)}, "1 fill of 144 without a bar"),
    ],
)
def test_fills_at_prices_that_nobody_traded_at_are_found(bars, sentence, judged):
    summary = judged(**bars)
    if sentence is None:
        assert unable(summary)["fills outside the bar"] == "no fill has a bar"
    else:
        assert sentence in summary.anomalies_text


def test_a_fill_at_the_bars_edge_is_inside_it(judged):
    assert judged(bar_low=FILLS, bar_high=FILLS).anomalies == ()


@pytest.mark.parametrize(
    ("returns", "kind"),
    [
        (np.random.default_rng(1).normal(0.0004, 0.04, 40), AnomalyKind.VOLATILITY),
        (np.random.default_rng(2).normal(0.0004, 0.002, 40), AnomalyKind.VOLATILITY),
        (np.random.default_rng(3).normal(0.02, 0.01, 40), AnomalyKind.DISTRIBUTION),
        (np.full(40, 0.001), AnomalyKind.DISTRIBUTION),
    ],
)
def test_paper_returns_unlike_the_backtests_are_found_with_figure_and_n(returns, kind, judged):
    found = kinds(judged(paper_returns=backtest(returns, start="2018-03-01")))
    assert "n = 40 against 500" in found[kind].text


@pytest.mark.parametrize(
    ("changes", "check", "reason"),
    [
        ({"paper_returns": None}, "returns against the backtest", "no paper returns were given"),
        ({"paper_returns": None}, "volatility against the backtest", "no paper returns were given"),
        (
            {"paper_returns": backtest(np.random.default_rng(1).normal(0, 0.01, 12), start="2018-03-01")},
            "returns against the backtest",
            "12 sessions of paper returns, at least 20 are needed",
        ),
        ({"rows": ROWS[:6], "said": VALUES[:6]}, "constant predictions", "6 predictions, at least 12 are needed"),
        (
            {"rows": [(*given[:4], "", 0.0, np.nan, np.nan) for given in ROWS]},
            "fills outside the bar",
            "no fills were given",
        ),
        (
            {"rows": [(*given[:4], "", 0.0, np.nan, np.nan) for given in ROWS]},
            "duplicate orders",
            "no orders were given",
        ),
    ],
)
def test_a_check_without_its_data_reads_not_checked_and_never_none(changes, check, reason, judged):
    given = {"bar_low": np.full(6, 90.0), "bar_high": np.full(6, 110.0)} if len(changes.get("rows", ROWS)) == 6 else {}
    summary = judged(**changes, **given)
    assert unable(summary)[check] == reason
    assert f"not checked: {reason}" in summary.anomalies_text
    assert "None found" not in summary.anomalies_text


def test_a_paper_period_after_the_backtest_is_no_proof_that_no_session_is_missing(evidence):
    summary = paper_summary(replace(evidence, backtest=backtest(VALUES, start="2010-01-04"), paper=paper_log(ROWS)))
    assert unable(summary)["missing sessions"] == (
        "neither the backtest nor paper returns have a session of the paper period"
    )


def test_sessions_that_only_the_paper_returns_know_are_counted_as_looked_at(evidence):
    log = paper_log(ROWS)
    sessions = np.unique(log.timestamps.astype("datetime64[D]"))
    returns = backtest(VALUES[: sessions.size], start=str(sessions[0]))
    given = replace(evidence, backtest=backtest(VALUES, start="2010-01-04"), paper=log, paper_returns=returns)
    (looked,) = [check for check in paper_summary(given).checks if check.name == "missing sessions"]
    assert looked.n > 0
    assert not looked.not_checked


def test_a_period_without_any_check_is_not_called_clean(judged):
    assert replace(judged(), checks=()).anomalies_text == "Not checked."


@pytest.mark.parametrize("noise", [0.0, 1e-9, 5e-8])
def test_a_symbol_that_stands_still_but_for_a_little_noise_is_constant(judged, noise):
    frozen = np.tile(VALUES[: len(SYMBOLS)], SESSIONS) + noise * np.arange(VALUES.size)
    said = judged(frozen).anomalies_text
    assert f"Constant predictions in {len(SYMBOLS)} symbols of {len(SYMBOLS)}" in said
