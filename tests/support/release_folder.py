"""A whole small dossier folder, made fast: four years of two invented models, every file, a feature function."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

EXAMPLE = Path(__file__).parents[2] / "examples" / "momentum"
DAYS = 1100
FEATURES = """import polars as pl

def compute(inputs):
    own = pl.col("close")
    table = inputs["prices"].sort("symbol", "timestamp")
    return table.select("timestamp", "symbol", (own / own.shift(5) - 1).over("symbol").alias("momentum_5"))
"""


def make(folder: Path, *, sessions: int = DAYS, trials: int = 8) -> Path:
    """Write the folder; the same content each time."""
    rng = np.random.default_rng(11)
    folder.mkdir(parents=True, exist_ok=True)
    days = weekdays(sessions)
    market = rng.normal(0.0005, 0.009, sessions)
    family = {f"try{k}": 0.6 * market + rng.normal(0.0003, 0.004, sessions) for k in range(trials)}
    returns(folder / "backtest.parquet", days, family["try0"], market)
    returns(folder / "backtest_previous.parquet", days, family["try1"], market)
    pl.DataFrame({"date": days} | family).write_parquet(folder / "trials.parquet")
    stamps = [datetime.combine(d, datetime.min.time()) + timedelta(hours=21) for d in days]
    symbols = ["AAA", "BBB", "CCC"]
    rows = len(days) * len(symbols)
    predicted, realized = rng.normal(0, 1, rows), rng.normal(0, 0.02, rows)
    lines = pl.DataFrame(
        {
            "timestamp": np.repeat(pl.Series(stamps), len(symbols)),
            "symbol": symbols * len(days),
            "prediction": predicted,
            "realized": realized,
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    lines.write_parquet(folder / "predictions.parquet")
    last = lines.tail(60 * len(symbols))
    n = last.height
    ordered = np.arange(n) % 7 == 0
    price = 100 + rng.normal(0, 1, n)
    last.select("timestamp", "symbol", "prediction").with_columns(
        pl.Series("latency_ms", rng.gamma(2.0, 5.0, n)),
        pl.Series("error", np.zeros(n, dtype=bool)),
        pl.Series("side", np.where(ordered, "buy", "")),
        pl.Series("quantity", np.where(ordered, 10.0, 0.0)),
        pl.Series("decision_price", np.where(ordered, price, np.nan)),
        pl.Series("fill_price", np.where(ordered, price * 1.0001, np.nan)),
    ).write_parquet(folder / "paper.parquet")
    returns(folder / "paper_returns.parquet", days[-60:], family["try0"][-60:] - 0.0001, market[-60:])
    (folder / "inputs").mkdir(exist_ok=True)
    prices = lines.select("timestamp", "symbol").with_columns(
        pl.Series("close", 100 + np.cumsum(rng.normal(0, 1, rows)) % 50)
    )
    prices.tail(600).write_parquet(folder / "inputs" / "prices.parquet")
    (folder / "example_features.py").write_text(FEATURES)
    text = (EXAMPLE / "dossier" / "dossier.yaml").read_text()
    text = text.replace("momentum.features:compute", "example_features:compute")
    text = text.replace(
        "{prices: inputs/prices.parquet, index: inputs/index.parquet}", "{prices: inputs/prices.parquet}"
    )
    text = "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(("    audits: ", "evidence: "))
    )
    (folder / "dossier.yaml").write_text(text)
    for name in ("policy.yaml", "model_card.md"):
        shutil.copy(EXAMPLE / name, folder / name)
    return folder


def weekdays(count):
    """Sessions that end on 2018-12-31."""
    days = np.arange(np.datetime64("1980-01-01"), np.datetime64("2019-01-01"))
    days = days[np.is_busday(days)]
    return days[-count:].astype("datetime64[D]").tolist()


def returns(path, days, values, benchmark):
    """A returns file."""
    pl.DataFrame({"date": days, "return": values, "benchmark": benchmark}).write_parquet(path)
