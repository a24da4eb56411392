"""How far a row of an input serves: gaps are measured against the typical step, and no gap excuses itself."""

import numpy as np
import polars as pl
import pytest

from signoff.pit.coverage import Decisions, coverage

DAYS = np.busday_offset(np.datetime64("2016-09-13"), np.arange(600), roll="forward")
NUMBERS = DAYS.astype(np.int64)
SYMBOLS = ("AAA", "BBB", "CCC")
LATE = 400


def table(*parts):
    """Rows of days and symbols, with a value each."""
    return pl.concat(
        pl.DataFrame({"timestamp": days.astype("datetime64[us]"), "value": np.arange(1.0, days.size + 1)}).with_columns(
            symbol=pl.lit(symbol)
        )
        for days, symbols in parts
        for symbol in symbols
    )


GRID = table((DAYS, SYMBOLS))
PAIRS = pl.DataFrame({"day": np.repeat(NUMBERS, 3), "symbol": list(SYMBOLS) * 600})


def covered(inputs, pairs=PAIRS):
    """The shares of dates, and of dates and symbols, that are covered where the features fill the whole grid."""
    found = coverage(Decisions(days=NUMBERS, pairs=pairs), GRID.select("timestamp", "symbol"), inputs)
    return found.dates / found.of, found.pairs / max(found.of_pairs, 1)


def every(sessions, first=0):
    return DAYS[first::sessions]


def jittered(sessions):
    """A row about every so many sessions, as results of a quarter are published."""
    rng = np.random.default_rng(sessions)
    return DAYS[np.clip(np.arange(0, 600, sessions) + rng.integers(-5, 6, len(range(0, 600, sessions))), 0, 599)]


def events(mean):
    return DAYS[np.random.default_rng(3).random(600) < 1 / mean]


HOLIDAYS = DAYS[~np.isin(np.arange(600), [40, 41, 100, 180, 181, 250, 320, 400, 401, 402, 403, 404, 500, 560])]
BEFORE = np.busday_offset(np.datetime64("1990-01-02"), np.arange(2000) * 3, roll="forward")

ORDINARY = {
    "daily": table((DAYS, SYMBOLS)),
    "daily, of another market's holidays": table((HOLIDAYS, SYMBOLS)),
    "weekly": table((every(5), SYMBOLS)),
    "every second week, on other days": table((jittered(10), SYMBOLS)),
    "monthly": table((every(21), SYMBOLS)),
    "quarterly fundamentals": table(*((jittered(60 + n), (symbol,)) for n, symbol in enumerate(SYMBOLS))),
    "monthly before the record and daily in it": table((np.r_[BEFORE[::7], DAYS], SYMBOLS)),
    "a halt of ten sessions of one symbol": table((DAYS, SYMBOLS[1:]), (np.r_[DAYS[:200], DAYS[210:]], SYMBOLS[:1])),
    "events of every third session": table((events(3), SYMBOLS)),
    "a series of the market": table((DAYS, ("INDEX",))).drop("symbol"),
    "a monthly series of the market": table((every(21), ("CPI",))).drop("symbol"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_input_serves_until_its_next_row_is_due(name):
    dates, pairs = covered({"bars": ORDINARY[name]})

    assert min(dates, pairs) >= 0.97


def thin(step, rest=LATE, symbols=SYMBOLS):
    """Daily rows from `rest` on, and before it a row of each symbol every `step` sessions."""
    return np.r_[DAYS[0:rest:step], DAYS[rest:]], symbols


JUNK = [(DAYS, ("ZZZ",)), *((DAYS[n : n + 1], (f"J{n}",)) for n in range(40))]
GAPS = {
    "three rows before a late beginning": table(thin(133)),
    "monthly rows before it": table(thin(21)),
    "weekly rows before it": table(thin(5)),
    "three rows, and years of thin rows before the record": table((np.r_[BEFORE[::40], thin(133)[0]], SYMBOLS)),
    "three rows, and symbols of no decision beside them": table(thin(133), *JUNK),
    "a hole in the middle": table((np.r_[DAYS[:100], DAYS[500:]], SYMBOLS)),
    "holes that are each too long": table((DAYS[np.arange(600) % 60 < 20], SYMBOLS)),
    "three rows before an input of every second week": table((np.r_[DAYS[0:LATE:133], every(10, LATE)], SYMBOLS)),
    "a series of the market": table(thin(133, symbols=("INDEX",))).drop("symbol"),
    "an end, and three rows after it": table((np.r_[DAYS[:200], DAYS[200::133]], SYMBOLS)),
}


@pytest.mark.parametrize("name", GAPS)
def test_rows_far_apart_fill_no_gap_though_the_features_fill_the_grid(name):
    dates, pairs = covered({"bars": GAPS[name]})

    assert min(dates, pairs) <= 0.65


def test_a_record_that_names_no_symbols_has_the_same_gaps():
    assert covered({"bars": table(thin(133))}, pairs=None)[0] <= 0.36


@pytest.mark.parametrize("days", [thin(133)[0], every(40)], ids=["three rows early", "a thin symbol"])
def test_one_symbol_with_gaps_is_named_and_the_others_are_covered(days):
    found = coverage(
        Decisions(days=NUMBERS, pairs=PAIRS),
        GRID.select("timestamp", "symbol"),
        {"bars": table((DAYS, SYMBOLS[1:]), (days, SYMBOLS[:1]))},
    )

    assert [one.symbol for one in found.symbols] == ["AAA"]
    assert found.symbols[0].replayed <= 220
    assert found.dates == 600
