import subprocess
import sys
from datetime import date

import polars as pl
import pytest

from momentum import data


def test_twenty_stocks_each_have_a_sector_and_one_price_a_session():
    prices = data.prices()
    assert set(prices["symbol"]) == set(data.SECTORS)
    assert prices.group_by("timestamp").len()["len"].unique().to_list() == [20]
    assert not prices.select("timestamp", "symbol").is_duplicated().any()


def test_the_crises_that_the_memo_asks_for_are_inside():
    days = set(data.index()["timestamp"].dt.date())
    assert {date(2008, 9, 15), date(2010, 5, 6), date(2020, 3, 16)} <= days


def test_timestamps_are_the_new_york_close_in_utc():
    stamps = data.prices()["timestamp"]
    assert stamps.dtype == pl.Datetime("us", "UTC")
    assert set(stamps.dt.convert_time_zone("America/New_York").dt.hour()) == {16}


def test_a_machine_without_the_prices_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(data, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"signoff\[demo\]"):
        data.prices()


def test_reading_prices_does_not_import_the_package_that_ships_them():
    code = "import sys; from momentum import data; data.inputs(); sys.exit('skfolio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
