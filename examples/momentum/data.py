"""Prices of twenty S&P 500 stocks and the index, 1990-2022, adjusted closes, from the package that ships them."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import polars as pl

SECTORS: Final = {
    "AAPL": "Information Technology",
    "AMD": "Information Technology",
    "BAC": "Financials",
    "BBY": "Consumer Discretionary",
    "CVX": "Energy",
    "GE": "Industrials",
    "HD": "Consumer Discretionary",
    "JNJ": "Health Care",
    "JPM": "Financials",
    "KO": "Consumer Staples",
    "LLY": "Health Care",
    "MRK": "Health Care",
    "MSFT": "Information Technology",
    "PEP": "Consumer Staples",
    "PFE": "Health Care",
    "PG": "Consumer Staples",
    "RRC": "Energy",
    "UNH": "Health Care",
    "WMT": "Consumer Staples",
    "XOM": "Energy",
}


def prices() -> pl.DataFrame:
    """`timestamp` (the New York close, in UTC), `symbol`, `close`, ordered by both."""
    wide = _stamped(pl.read_csv(_shipped("sp500_dataset.csv.gz"), try_parse_dates=True))
    return wide.unpivot(index="timestamp", variable_name="symbol", value_name="close").sort("timestamp", "symbol")


def index() -> pl.DataFrame:
    """`timestamp`, `close` of the S&P 500."""
    return _stamped(pl.read_csv(_shipped("sp500_index.csv.gz"), try_parse_dates=True)).rename({"SP500": "close"})


def inputs() -> dict[str, pl.DataFrame]:
    """What the feature function takes."""
    return {"prices": prices(), "index": index()}


def _stamped(table: pl.DataFrame) -> pl.DataFrame:
    close = pl.col("Date").cast(pl.Datetime("us")).dt.offset_by("16h")
    stamp = close.dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC").alias("timestamp")
    return table.select(stamp, pl.exclude("Date")).sort("timestamp")


def _shipped(name: str) -> Path:
    """A data file inside the installed skfolio, found without importing it (which takes seconds)."""
    spec = find_spec("skfolio")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Expected the package skfolio, which ships the prices; install signoff[demo].")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name
    if not path.is_file():
        raise FileNotFoundError(f"Expected {name} inside skfolio, found none; install skfolio 0.6 to 1.x.")
    return path
