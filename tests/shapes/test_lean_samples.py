"""Results of LEAN as they come: times in milliseconds, samples without a value, weekends that were sampled too."""

import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

NEW_YORK = ZoneInfo("America/New_York")
# Friday 2020-01-10 to Wednesday 2020-01-15: the midnight that ends a day samples its close.
CLOSES = {10: 100.0, 11: 100.0, 12: 100.0, 13: 101.0, 14: 100.0, 15: 103.0}
SESSIONS = {date(2020, 1, 13): 0.01, date(2020, 1, 14): 100 / 101 - 1, date(2020, 1, 15): 0.03}


def midnight_after(day):
    return int((datetime(2020, 1, day, tzinfo=NEW_YORK) + timedelta(days=1)).timestamp())


def points(closes=CLOSES, scale=1):
    return [[midnight_after(day) * scale, value] for day, value in closes.items()]


def imported(tmp_path, values, **options):
    result = {"charts": {"Strategy Equity": {"series": {"Equity": {"values": values}}}}}
    (tmp_path / "lean.json").write_text(json.dumps(result))
    return convert(ConversionRequest(format="lean", source=tmp_path / "lean.json", **options))


def with_noon(value):
    """A sample at noon of Tuesday, before that day's close."""
    found = points()
    found.insert(4, [midnight_after(14) - 12 * 3600, value])
    return found


READ = {
    "seconds": points(),
    "milliseconds": points(scale=1000),
    "milliseconds as objects": [{"x": time, "y": value} for time, value in points(scale=1000)],
    "candles in milliseconds": [[time, 1, 2, 1, value] for time, value in points(scale=1000)],
    "no value before the first": [[midnight_after(8), None], [midnight_after(9), float("nan")], *points()],
    "no value at noon": with_noon(None),
    "NaN at noon": with_noon(float("nan")),
    "NaN as a text at noon": with_noon("NaN"),
}


@pytest.mark.parametrize("name", READ)
def test_samples_of_this_shape_give_the_sessions(tmp_path, name):
    found = imported(tmp_path, READ[name])
    assert found.frame["date"].to_list() == list(SESSIONS)
    np.testing.assert_allclose(found.frame["return"], list(SESSIONS.values()), rtol=0, atol=1e-12)
    assert "2 days of weekends without any change of equity were left out" in found.notes


def test_a_market_that_trades_on_weekends_keeps_them(tmp_path):
    found = imported(tmp_path, points({**CLOSES, 11: 102.0, 12: 100.0}))
    assert found.frame["date"].to_list() == [date(2020, 1, day) for day in (11, 12, 13, 14, 15)]
    assert any("2 days fall on a weekend and were kept" in note for note in found.notes)


REFUSED = {
    "no value at a close": (points({**CLOSES, 14: None}), ("finite number of equity", "2020-01-14")),
    "NaN at a close": (points({**CLOSES, 14: float("nan")}), ("finite number of equity", "2020-01-14")),
    "infinity at a close": (points({**CLOSES, 15: float("inf")}), ("finite number of equity", "2020-01-15")),
    "microseconds": (points(scale=1_000_000), ("seconds or milliseconds",)),
    "seconds beside milliseconds": (points()[:3] + points(scale=1000)[3:], ("seconds or milliseconds",)),
    "a text for a value": (with_noon("many"), ("point 5 of equity", "many")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_samples_of_this_shape_are_refused_with_the_cause(tmp_path, name):
    values, words = REFUSED[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, values)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
