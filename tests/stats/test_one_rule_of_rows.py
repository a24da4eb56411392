"""Python's functions and the gates read the rows a year by one rule: the same answer over any calendar."""

import numpy as np
import pandas as pd
import pytest

from signoff import stats
from signoff.domain.sampling import Sampling, inferred
from signoff.stats.errors import InputError
from signoff.stats.rows import rows_a_year

KINDS = (
    *("weekdays", "holidays", "every day", "six days", "Sunday to Thursday", "weeks", "wandering weeks", "fortnights"),
    *("four weeks", "month ends", "first weekdays", "wandering months", "quarters", "half-years", "years", "a rest"),
    *("picked days", "two days a week"),
)


def calendar(seed):
    """One of eighteen kinds, of a random length, from a random day."""
    rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    first = np.datetime64("1990-01-01") + int(rng.integers(0, 5000))
    size = int(rng.integers(3, 900))
    every = first + np.arange(size)
    business = every[np.is_busday(every)]
    weekday = (every.astype(int) + 3) % 7
    weeks = np.arange(min(size, 400))
    months = (first.astype("datetime64[M]") + np.arange(min(size, 300) + 1)).astype("datetime64[D]")
    return {
        "weekdays": business,
        "holidays": business[rng.random(business.size) > 0.05],
        "every day": every,
        "six days": every[weekday != 6],
        "Sunday to Thursday": every[(weekday < 4) | (weekday == 6)],
        "weeks": first + 7 * weeks,
        "wandering weeks": first + 7 * weeks + rng.integers(0, 5, weeks.size),
        "fortnights": first + 14 * weeks,
        "four weeks": first + 28 * weeks,
        "month ends": months[1:] - 1,
        "first weekdays": np.busday_offset(months, 0, roll="forward").astype("datetime64[D]"),
        "wandering months": months + np.sort(rng.integers(0, 27, months.size)) % 27,
        "quarters": months[1::3] - 1,
        "half-years": months[1::6] - 1,
        "years": months[::12],
        "a rest": np.concatenate([business[: size // 3], business[size // 3 :] + 364]),
        "picked days": np.sort(rng.choice(business, max(2, business.size // 2), replace=False))
        if business.size
        else every,
        "two days a week": every[(weekday == 0) | (weekday == 3)],
    }[kind]


@pytest.mark.parametrize("seed", range(72))
def test_both_say_the_same_of_a_generated_calendar(seed):
    dates = calendar(seed)
    series = pd.Series(np.zeros(dates.size), index=pd.DatetimeIndex(dates.astype("datetime64[ns]")))
    found = inferred(dates)
    if isinstance(found, Sampling):
        assert rows_a_year(None, series) == found.rows_a_year
    elif dates.size > 1:
        with pytest.raises(InputError, match="expected it to be given"):
            rows_a_year(None, series)


def test_half_years_are_a_frequency_of_both():
    dates = calendar(13 + 18 * 3)
    assert dates.size > 4
    assert inferred(dates).rows_a_year == 2
    assert inferred(dates).frequency == "half-yearly"


@pytest.mark.parametrize("periods", [220, 270, 300])
def test_periods_are_held_to_the_dates_within_a_twentieth(periods):
    own = pd.Series(np.random.default_rng(1).normal(0, 0.01, 600), index=pd.bdate_range("2020-01-01", periods=600))
    with pytest.raises(InputError, match=f"expected about 252 rows a year.*found {periods}"):
        stats.sharpe_ratio(own, periods=periods)
    assert stats.sharpe_ratio(own, periods=260) == stats.sharpe_ratio(own.to_numpy(), periods=260)
