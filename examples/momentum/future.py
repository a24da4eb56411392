"""2019 to 2022 as the rollout lives through it: both versions, as registered at the end of 2018, on every session.

The journal is what a trading process would have written day by day; whoever reads it up to a session sees nothing
from after it.
"""

import time
from pathlib import Path
from typing import Final

import lightgbm as lgb
import numpy as np
import polars as pl

from momentum.evidence import put
from momentum.models import Configuration
from momentum.registry import FROM_2019, registered, versions
from momentum.research import Progress, Research
from momentum.walkforward import predict_rows, track

BASELINE_FROM: Final = np.datetime64("2009-01-01")


def write(research: Research, uri: str, folder: Path, progress: Progress) -> None:
    """The journal's files, by the models in the registry at `uri`; what this study wrote is not written again."""
    complete = folder / "complete"
    key = f"{research.key} with every feature"
    if complete.exists() and complete.read_text() == key:
        return
    complete.unlink(missing_ok=True)
    data = research.panel
    rows = np.flatnonzero(data.dates >= np.datetime64(FROM_2019))
    returns, predictions, exposure, weights, history = [], [], [], [], []
    named: dict[str, None] = {}
    for done, version in enumerate(versions(research)):
        progress(f"living through 2019-2022 with v{version.version}", done, 2)
        configuration = version.configuration
        model = registered(uri, version.version)
        named |= dict.fromkeys(configuration.features)
        scores, latency = _predicted(model, research, configuration, rows)
        lived = track(data, configuration, scores)
        days = data.dates[lived.rows]
        returns.append(_daily(version.version, days, lived.returns, data.benchmark[lived.rows]))
        before = research.tracks[configuration.name]
        history.append(_daily(version.version, data.dates[before.rows], before.returns, data.benchmark[before.rows]))
        gross = 100.0 * np.abs(lived.weights).sum(axis=1)
        exposure.append(pl.DataFrame({"date": days, "version": version.version, "gross_exposure_pct": gross}))
        weights.append(_long(research, version.version, lived.rows, {"weight": lived.weights}))
        each = {"prediction": scores[rows], "latency_ms": np.repeat(latency[:, None], len(data.symbols), axis=1)}
        predictions.append(
            _long(research, version.version, rows, each).with_columns(error=pl.col("prediction").is_nan())
        )
    put(folder / "returns.parquet", pl.concat(returns))
    put(folder / "history.parquet", pl.concat(history))
    put(folder / "predictions.parquet", pl.concat(predictions))
    put(folder / "exposure.parquet", pl.concat(exposure))
    put(folder / "weights.parquet", pl.concat(weights))
    features = list(named)
    columns = data.columns(tuple(features))
    put(folder / "features.parquet", _features(research, rows, features, columns))
    inside = (data.dates >= BASELINE_FROM) & (data.dates < np.datetime64(FROM_2019))
    put(folder / "baseline_features.parquet", _features(research, np.flatnonzero(inside), features, columns))
    complete.write_text(key)
    progress("journal written", 2, 2)


def _predicted(
    model: lgb.Booster, research: Research, configuration: Configuration, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and what each session's one call for the whole universe took in milliseconds."""
    scores = np.full(research.panel.closes.shape, np.nan)
    latency = np.zeros(rows.size)
    for k, row in enumerate(rows):
        began = time.perf_counter()
        scores[row] = predict_rows(model, research.panel, configuration, np.array([row]))[0]
        latency[k] = 1000.0 * (time.perf_counter() - began)
    return scores, latency


def _daily(version: str, days: np.ndarray, returns: np.ndarray, benchmark: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"date": days, "version": version, "return": returns, "benchmark": benchmark})


def _long(research: Research, version: str, rows: np.ndarray, columns: dict[str, np.ndarray]) -> pl.DataFrame:
    data = research.panel
    return pl.DataFrame(
        {
            "timestamp": data.stamps(rows),
            "version": version,
            "symbol": list(data.symbols) * rows.size,
        }
        | {name: values.reshape(-1) for name, values in columns.items()}
    )


def _features(research: Research, rows: np.ndarray, names: list[str], columns: list[int]) -> pl.DataFrame:
    data = research.panel
    values = data.features[rows][:, :, columns].reshape(-1, len(columns))
    return pl.DataFrame(
        {"timestamp": data.stamps(rows), "symbol": list(data.symbols) * rows.size}
        | {name: values[:, k] for k, name in enumerate(names)}
    )
