from datetime import date

import numpy as np
import polars as pl
import pytest
import small_study

from momentum import features, walkforward
from momentum.models import PREVIOUS, Book
from momentum.walkforward import (
    COST_BPS,
    EMBARGO,
    HORIZON,
    TARGET_VOLATILITY,
    fit_before,
    panel,
    training_rows,
    weights,
)

BEFORE = date(2018, 1, 1)
NEWEST = small_study.TRIED[0]


def disturbed_from(inputs, day):
    """The same past, another future: every close from `day` on is squared."""
    is_future = pl.col("timestamp").dt.date() >= day
    close = pl.when(is_future).then(pl.col("close") ** 2).otherwise(pl.col("close"))
    return {name: table.with_columns(close=close) for name, table in inputs.items()}


def lined_up(inputs):
    return panel(features.compute(inputs), inputs["prices"], inputs["index"])


@pytest.mark.parametrize("year", [2014, 2017, 2018, 2019])
@pytest.mark.parametrize("configuration", [PREVIOUS, NEWEST])
def test_every_training_label_is_known_an_embargo_before_the_first_predicted_session(study, configuration, year):
    rows = training_rows(study.panel, configuration, date(year, 1, 1))
    first_predicted = int(np.argmax(study.panel.dates >= np.datetime64(f"{year}-01-01")))
    label_known = rows + HORIZON
    assert label_known.max() + EMBARGO < first_predicted


def test_training_reaches_back_as_many_years_as_the_configuration_says(study):
    rows = training_rows(study.panel, PREVIOUS, BEFORE)
    assert study.panel.dates[rows[0]] >= np.datetime64("2013-01-01")


@pytest.mark.parametrize("configuration", [PREVIOUS, NEWEST])
def test_another_future_gives_the_same_model(study, configuration):
    other = lined_up(disturbed_from(study.inputs, BEFORE))
    model, again = fit_before(study.panel, configuration, BEFORE), fit_before(other, configuration, BEFORE)
    assert again.model_to_string() == model.model_to_string()


def test_another_past_gives_another_model(study):
    other = lined_up(disturbed_from(study.inputs, date(2016, 1, 1)))
    model, again = fit_before(study.panel, NEWEST, BEFORE), fit_before(other, NEWEST, BEFORE)
    assert again.model_to_string() != model.model_to_string()


@pytest.mark.parametrize("configuration", small_study.EVERY, ids=lambda c: c.name)
def test_a_day_earns_what_the_close_before_held_less_the_cost_of_its_own_trades(study, configuration):
    lived = study.tracks[configuration.name]
    change = study.panel.closes[1:] / study.panel.closes[:-1] - 1
    gross = (lived.weights[:-1] * change[lived.rows[1:] - 1]).sum(axis=1)
    np.testing.assert_allclose(lived.returns[1:], gross - lived.turnover[1:] * COST_BPS / 10_000, atol=1e-12)


@pytest.mark.parametrize("configuration", small_study.EVERY, ids=lambda c: c.name)
def test_turnover_is_the_distance_from_what_prices_made_of_yesterdays_weights(study, configuration):
    lived = study.tracks[configuration.name]
    change = study.panel.closes[1:] / study.panel.closes[:-1] - 1
    grown = lived.weights[:-1] * (1 + change[lived.rows[1:] - 1])
    cash = 1 - lived.weights[:-1].sum(axis=1)
    drifted = grown / (cash + grown.sum(axis=1))[:, None]
    np.testing.assert_allclose(lived.turnover[1:], np.abs(lived.weights[1:] - drifted).sum(axis=1), atol=1e-12)


def test_every_session_of_the_predicted_years_is_predicted_once(study):
    years = study.panel.dates.astype("datetime64[Y]").astype(int) + 1970
    inside = (years >= small_study.PREDICTED_FROM) & (years <= walkforward.LAST_YEAR)
    np.testing.assert_array_equal(study.tracks[NEWEST.name].rows, np.flatnonzero(inside))


def test_long_only_is_scaled_to_the_volatility_target_and_never_levered():
    rng = np.random.default_rng(1)
    scores, calm, wild = rng.normal(size=20), rng.normal(0, 0.001, (64, 20)), rng.normal(0, 0.05, (64, 20))
    assert weights(Book.LONG_ONLY, scores, calm).sum() == pytest.approx(1)
    scaled = weights(Book.LONG_ONLY, scores, wild)
    assert np.std(wild @ scaled, ddof=1) * np.sqrt(252) == pytest.approx(TARGET_VOLATILITY, rel=0.01)


def test_long_short_is_dollar_neutral_with_a_gross_of_one():
    found = weights(Book.LONG_SHORT, np.arange(20.0), np.zeros((64, 20)))
    assert (found.sum(), np.abs(found).sum()) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
