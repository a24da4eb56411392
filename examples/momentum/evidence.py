"""The evidence that a release of version 2.0.0 rests on, as files; written whole or not at all.

Backtests, trials, predictions and positions are what the walk-forward gave. Paper trading is simulated: the
predictions and their latencies are real, the fills are modelled (half a spread and noise, by a fixed seed), and the
dossier says so.
"""

import hashlib
import os
import time
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from momentum.data import SECTORS
from momentum.models import PREVIOUS, TRIED, Floats, predict
from momentum.research import LAST_DAY, Progress, Research
from momentum.walkforward import FIRST_YEAR, HORIZON, LAST_YEAR, Track, fit_before, training_rows

WARM_UP_YEARS: Final = 2
PAPER_START: Final = np.datetime64("2018-10-01")
PAPER_CAPITAL: Final = 1_000_000.0
HALF_SPREAD_BPS: Final = 1.5
NOISE_BPS: Final = 3.0
SEED: Final = 7


def write(research: Research, folder: Path, progress: Progress) -> None:
    """Every evidence file of the dossier, in Parquet."""
    chosen = research.chosen
    tracks = research.tracks
    progress("writing evidence", 0, 3)
    scores = research.scores(chosen)
    put(folder / "backtest.parquet", _returns(research, tracks[chosen.name]))
    put(folder / "backtest_previous.parquet", _returns(research, tracks[PREVIOUS.name]))
    put(folder / "trials.parquet", _trials(research))
    put(folder / "predictions.parquet", _predictions(research, scores))
    put(folder / "predictions_previous.parquet", _predictions(research, research.scores(PREVIOUS)))
    put(folder / "positions.parquet", _positions(research, tracks[chosen.name]))
    put(folder / "asset_returns.parquet", _asset_returns(research))
    labels, tests = _splits(research)
    put(folder / "inputs" / "training_labels.parquet", labels)
    put(folder / "inputs" / "test_windows.parquet", tests)
    known = pl.col("timestamp").dt.year().is_between(FIRST_YEAR - WARM_UP_YEARS, LAST_YEAR)
    put(folder / "inputs" / "prices.parquet", research.inputs["prices"].filter(known))
    put(folder / "inputs" / "index.parquet", research.inputs["index"].filter(known))
    progress("simulating paper trading", 1, 3)
    log, returns = _paper_once(research, tracks[chosen.name])
    put(folder / "paper.parquet", log)
    put(folder / "paper_returns.parquet", returns)
    progress("evidence written", 3, 3)


def put(path: Path, table: pl.DataFrame) -> None:
    """Write a Parquet file in one step; the same table gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        table.write_parquet(file, statistics=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _returns(research: Research, track: Track) -> pl.DataFrame:
    rows = track.rows
    return pl.DataFrame(
        {
            "date": research.panel.dates[rows],
            "return": track.returns,
            "benchmark": research.panel.benchmark[rows],
            "turnover": track.turnover,
            "cost": track.cost,
        }
    )


def _trials(research: Research) -> pl.DataFrame:
    every = (PREVIOUS, *TRIED)
    rows = research.tracks[PREVIOUS.name].rows
    return pl.DataFrame({"date": research.panel.dates[rows]} | {c.name: research.tracks[c.name].returns for c in every})


def _predictions(research: Research, scores: Floats) -> pl.DataFrame:
    """Predictions whose outcome was known by the last day of 2018."""
    data = research.panel
    last = int(np.searchsorted(data.dates, LAST_DAY, side="right")) - HORIZON
    rows = np.flatnonzero(~np.isnan(scores[:last]).any(axis=1))
    return pl.DataFrame(
        {
            "timestamp": data.stamps(rows),
            "symbol": list(data.symbols) * rows.size,
            "prediction": scores[rows].reshape(-1),
            "realized": data.label[rows].reshape(-1),
        }
    )


def _positions(research: Research, track: Track) -> pl.DataFrame:
    data, n = research.panel, len(research.panel.symbols)
    return pl.DataFrame(
        {
            "date": np.repeat(data.dates[track.rows], n),
            "symbol": list(data.symbols) * track.rows.size,
            "weight": track.weights.reshape(-1),
            "sector": [SECTORS[s] for s in data.symbols] * track.rows.size,
        }
    )


def _splits(research: Research) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each year's training rows with the ends of their labels, and the window that the model of that year predicted."""
    data, labels, tests = research.panel, [], []
    years = data.dates.astype("datetime64[Y]").astype(int) + 1970
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        rows = training_rows(data, research.chosen, date(year, 1, 1))
        inside = np.flatnonzero(years == year)
        labels.append(
            pl.DataFrame(
                {
                    "fold": [str(year)] * rows.size,
                    "timestamp": data.timestamps.gather(rows),
                    "label_end": data.timestamps.gather(rows + HORIZON),
                }
            )
        )
        ends = data.timestamps[int(min(inside[-1] + HORIZON, data.dates.size - 1))]
        tests.append({"fold": str(year), "start": data.timestamps[int(inside[0])], "end": ends})
    return pl.concat(labels), pl.DataFrame(tests)


def _asset_returns(research: Research) -> pl.DataFrame:
    """Daily returns of every stock until the last day of 2018: what today's book would have lived through."""
    day, moved = pl.col("timestamp").dt.date(), pl.col("close").pct_change().over("symbol")
    prices = research.inputs["prices"].sort("timestamp", "symbol")
    known = prices.select(day.alias("date"), "symbol", moved.alias("return")).drop_nulls()
    return known.filter(pl.col("date") <= date(LAST_YEAR, 12, 31))


def _paper_once(research: Research, track: Track) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The paper period as it was first lived: its latencies were measured then, so it is kept and not repeated."""
    said = (research.key, Path(__file__).read_text(), PAPER_CAPITAL, HALF_SPREAD_BPS, NOISE_BPS, SEED)
    name = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
    log, returns = research.cache / f"paper-{name}.parquet", research.cache / f"paper-returns-{name}.parquet"
    if not (log.exists() and returns.exists()):
        lived, earned = _paper(research, track)
        put(returns, earned)
        put(log, lived)
    return pl.read_parquet(log), pl.read_parquet(returns)


def _paper(research: Research, track: Track) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last quarter of 2018: one line a prediction, each timed in a call of its own."""
    data, chosen = research.panel, research.chosen
    model = fit_before(data, chosen, date(LAST_YEAR, 1, 1))
    columns = data.columns(chosen.features)
    rng = np.random.default_rng(SEED)
    inside = np.flatnonzero(data.dates[track.rows] >= PAPER_START)
    lines, earned = [], []
    for k in inside:
        row = track.rows[k]
        grown = 1.0 + float(track.weights[k - 1] @ data.returns[row])
        before = track.weights[k - 1] * (1.0 + data.returns[row]) / grown
        traded = track.weights[k] - before if track.turnover[k] > 0 else np.zeros(len(data.symbols))
        slippage = HALF_SPREAD_BPS + rng.normal(0.0, NOISE_BPS, len(data.symbols))
        for s, symbol in enumerate(data.symbols):
            features = data.features[row, s, columns][None, :]
            began = time.perf_counter()
            score = float(predict(model, features)[0])
            latency = 1000.0 * (time.perf_counter() - began)
            close = float(data.closes[row, s])
            quantity = round(abs(traded[s]) * PAPER_CAPITAL / close)
            sign = 1.0 if traded[s] > 0 else -1.0
            lines.append(
                {
                    "timestamp": data.timestamps[int(row)],
                    "symbol": symbol,
                    "prediction": score,
                    "latency_ms": latency,
                    "error": not np.isfinite(score),
                    "side": ("buy" if sign > 0 else "sell") if quantity else None,
                    "quantity": float(quantity),
                    "decision_price": close if quantity else None,
                    "fill_price": close * (1 + sign * slippage[s] / 10_000) if quantity else None,
                }
            )
        paid = float(np.abs(traded) @ slippage) / 10_000
        earned.append(float(track.returns[k] + track.cost[k] - paid))
    returns = pl.DataFrame({"date": data.dates[track.rows[inside]], "return": earned})
    return pl.DataFrame(lines, infer_schema_length=None), returns
