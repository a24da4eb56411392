"""Features known at each close: momentum, risk, trend and where a stock stands among the others.

Every column at t uses closes up to t only. Version 1 looks back a year at most, version 2 two years, and adds ranks
across the twenty stocks.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

MOMENTUM: Final = (1, 2, 3, 5, 10, 15, 21, 42, 63, 126, 189, 252)
RISK: Final = (5, 10, 21, 63, 126, 252)
TREND: Final = (5, 10, 20, 50, 100, 200, 250)
RANKED: Final = (5, 21, 63, 126, 252, 504)
LONG: Final = (315, 378, 504)


def compute(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`timestamp`, `symbol` and the 75 features of version 2; rows before a feature exists are null there."""
    table = _prepared(inputs).with_columns(*_own_v1(), *_own_v2())
    table = table.with_columns(*_across_v1()).with_columns(*_across_v2())
    return table.select("timestamp", "symbol", *FEATURES_V2).sort("timestamp", "symbol")


def compute_v1(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`timestamp`, `symbol` and the 50 features of version 1."""
    table = _prepared(inputs).with_columns(*_own_v1()).with_columns(*_across_v1())
    return table.select("timestamp", "symbol", *FEATURES_V1).sort("timestamp", "symbol")


def _prepared(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    market = inputs["index"].sort("timestamp").select("timestamp", market=pl.col("close").log().diff())
    own = inputs["prices"].sort("symbol", "timestamp").with_columns(log=pl.col("close").log())
    own = own.with_columns(r=pl.col("log").diff().over("symbol"))
    return own.join(market, on="timestamp", how="left").sort("symbol", "timestamp")


def _own_v1() -> Iterator[pl.Expr]:
    for n in MOMENTUM:
        yield _momentum(n)
    for n in RISK:
        yield pl.col("r").rolling_std(n).over("symbol").alias(f"volatility_{n}")
    for n in TREND:
        yield (pl.col("close") / pl.col("close").rolling_mean(n) - 1).over("symbol").alias(f"above_mean_{n}")
    for n in (21, 63, 126, 252):
        yield (pl.col("close") / pl.col("close").rolling_max(n) - 1).over("symbol").alias(f"below_high_{n}")
        yield (pl.col("close") / pl.col("close").rolling_min(n) - 1).over("symbol").alias(f"above_low_{n}")
    for n in (10, 21, 63):
        yield (pl.col("r") > 0).cast(pl.Float64).rolling_mean(n).over("symbol").alias(f"up_days_{n}")
    for n in (21, 63):
        yield pl.col("r").rolling_min(n).over("symbol").alias(f"worst_day_{n}")
        yield pl.col("r").rolling_max(n).over("symbol").alias(f"best_day_{n}")
    for n in (63, 126, 252):
        yield _beta(n)


def _own_v2() -> Iterator[pl.Expr]:
    for n in LONG:
        yield _momentum(n)
        yield pl.col("r").rolling_std(n).over("symbol").alias(f"volatility_{n}")
        yield (pl.col("close") / pl.col("close").rolling_max(n) - 1).over("symbol").alias(f"below_high_{n}")
        yield (pl.col("close") / pl.col("close").rolling_mean(n) - 1).over("symbol").alias(f"above_mean_{n}")
    yield _beta(504)
    for n in (63, 252):
        yield pl.col("r").rolling_skew(n).over("symbol").alias(f"skew_{n}")


def _across_v1() -> Iterator[pl.Expr]:
    for n in (1, 5, 21, 63, 252):
        mean = pl.col(f"momentum_{n}").mean().over("timestamp")
        yield (pl.col(f"momentum_{n}") - mean).alias(f"relative_{n}")
    for n in (21, 252):
        spread = pl.col(f"momentum_{n}").std().over("timestamp")
        yield spread.alias(f"dispersion_{n}")


def _across_v2() -> Iterator[pl.Expr]:
    for n in RANKED:
        yield _rank(f"momentum_{n}")
    for n in (21, 252):
        yield _rank(f"volatility_{n}")
    yield _rank("beta_252")
    yield _rank("below_high_252")


def _momentum(n: int) -> pl.Expr:
    return (pl.col("log") - pl.col("log").shift(n)).over("symbol").alias(f"momentum_{n}")


def _beta(n: int) -> pl.Expr:
    r, m = pl.col("r"), pl.col("market")
    covariance = (r * m).rolling_mean(n) - r.rolling_mean(n) * m.rolling_mean(n)
    return (covariance / m.rolling_var(n)).over("symbol").alias(f"beta_{n}")


def _rank(name: str) -> pl.Expr:
    return (pl.col(name).rank() / pl.col(name).count()).over("timestamp").alias(f"rank_{name}")


FEATURES_V1: Final = tuple(e.meta.output_name() for e in (*_own_v1(), *_across_v1()))
FEATURES_V2: Final = (*FEATURES_V1, *(e.meta.output_name() for e in (*_own_v2(), *_across_v2())))
