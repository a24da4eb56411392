"""How replays scale over the workers of a Dask cluster, and what a replay costs: serial part, dates, chunks.

Run by `make bench`. Workers are processes of this machine with one thread each, so more of them than cores show
nothing; the model's prediction for two is held against the measured time before it is asked about more. Each figure is
the best of three runs, taken in turn, so that other work on the machine meets all of them. Compare ratios.
"""

import math
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import numpy as np
import polars as pl
from distributed import LocalCluster

from signoff.pit import purge, replay_versions, restatements, skew, survivorship
from signoff.pit.digests import digest_of
from signoff.pit.replay import ReplayPlan

DATES, SYMBOLS, REPLAYED, PER_CHUNK, RUNS = 1250, 100, 160, 4, 2
START, DAY = datetime(2019, 1, 1, 21, tzinfo=UTC), timedelta(days=1)


def bars():
    """Five years of daily closes."""
    rng = np.random.default_rng(0)
    dates = pl.DataFrame({"timestamp": [START + number * DAY for number in range(DATES)]})
    frame = dates.join(pl.DataFrame({"symbol": [f"S{number:04d}" for number in range(SYMBOLS)]}), how="cross")
    return frame.with_columns(close=pl.Series(100 * np.exp(rng.normal(0, 0.01, frame.height))))


def features(inputs):
    """Momentum, volatility, a trailing z-score, and a rank across symbols."""
    close = pl.col("close")
    frame = inputs["bars"].sort("symbol", "timestamp").with_columns(ret=(close / close.shift(1) - 1).over("symbol"))
    made = frame.select(
        "timestamp",
        "symbol",
        momentum=(close / close.shift(20) - 1).over("symbol"),
        volatility=pl.col("ret").rolling_std(20).over("symbol"),
        z=((close - close.rolling_mean(60)) / close.rolling_std(60)).over("symbol"),
    )
    return made.with_columns(rank=pl.col("momentum").rank().over("timestamp"))


def took(work):
    """Seconds of one run."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def cluster_of(workers, inputs):
    """The seconds that a replay takes such a cluster, as a function of the dates in a chunk; it has been warmed up."""
    os.environ["POLARS_MAX_THREADS"] = "1"  # workers inherit it; this process has its threads already
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:

        def replay(dates_per_chunk, sample=REPLAYED):
            settings = {"cluster": cluster.scheduler_address, "dates_per_chunk": dates_per_chunk, "sample": sample}
            return took(lambda: replay_versions({"v1": features}, inputs, **settings))

        replay(1, sample=4 * workers)
        yield replay


def spin(_):
    """A second or so of arithmetic that needs nothing but a core."""
    return sum(number * number for number in range(6_000_000))


def measured(inputs):
    """The best seconds of each, over runs taken in turn."""

    def serial():
        ReplayPlan.of(features, inputs, sample=REPLAYED, seed=0, tolerance=1e-9)
        digest_of(inputs)

    with cluster_of(1, inputs) as one, cluster_of(2, inputs) as two, get_context("spawn").Pool(2) as pool:
        works = {
            "serial": serial,
            "here": lambda: replay_versions({"v1": features}, inputs, sample=REPLAYED),
            "one": lambda: one(PER_CHUNK),
            "two": lambda: two(PER_CHUNK),
            "small chunks": lambda: one(1),
            "one core": lambda: pool.map(spin, [0]),
            "two cores": lambda: pool.map(spin, [0, 0]),
        }
        runs = [{name: took(work) for name, work in works.items()} for _ in range(RUNS)]
    return {name: min(run[name] for run in runs) for name in works}


def scaling():
    print(f"replay of {REPLAYED} dates, {DATES:,} days x {SYMBOLS} symbols, 4 features, chunks of {PER_CHUNK} dates")
    best = measured({"bars": bars()})
    chunks = math.ceil(REPLAYED / PER_CHUNK)
    per_chunk = max(0.0, (best["small chunks"] - best["one"]) / (REPLAYED - chunks))
    per_date = (best["one"] - best["serial"] - chunks * per_chunk) / REPLAYED

    def predicted(workers, dates=REPLAYED, versions=1):
        rounds = math.ceil(versions * math.ceil(dates / PER_CHUNK) / workers)
        return versions * best["serial"] + rounds * (PER_CHUNK * per_date + per_chunk)

    gain, ceiling = best["one"] / best["two"], 2 * best["one core"] / best["two cores"]
    print(f"  in this process, polars on all cores: {best['here']:6.2f} s")
    print(f"  on 1 worker of one thread:            {best['one']:6.2f} s")
    print(f"  on 2 workers of one thread:           {best['two']:6.2f} s, {gain:4.2f} times as fast")
    print(f"  plain arithmetic in 2 processes, here and now: {ceiling:4.2f} times as fast as in 1")
    print("cost model: seconds = serial + ceil(chunks / workers) * (dates per chunk * per date + per chunk)")
    serial = f"serial {best['serial']:.3f} s a version"
    print(f"  {serial}, per date {1000 * per_date:.1f} ms, per chunk {1000 * per_chunk:.1f} ms")
    print(f"  predicted for 2 workers {predicted(2):.2f} s, measured {best['two'] / predicted(2):.2f} times that")
    print(f"predicted for every date of 10 versions, {10 * DATES:,} dates, were there as many cores")
    alone = predicted(1, DATES, 10)
    for workers in (1, 2, 4, 8, 16, 64):
        seconds = predicted(workers, DATES, 10)
        print(f"  {workers:>3} workers {seconds:8.1f} s, {alone / seconds:5.2f} times as fast as 1")
    print(f"  never less than the serial {10 * best['serial']:.1f} s")


def audits():
    frame = bars()
    rows = frame.height
    listed = pl.DataFrame({"symbol": frame["symbol"].unique(), "listed_from": START, "listed_until": None})
    labels = frame.select("timestamp", label_end=pl.col("timestamp") + 5 * DAY)
    opens = [START + number * DAY for number in range(20, DATES, 25)]
    tests = pl.DataFrame({"start": opens, "end": [start + 3 * DAY for start in opens]})
    print(f"audits of {rows:,} rows")
    for name, work in {
        "skew": lambda: skew(frame, frame.reverse()),
        "restatements": lambda: restatements({"bars": frame}, {"bars": frame}),
        "survivorship": lambda: survivorship(listed, frame),
        f"purge, {tests.height} windows": lambda: purge(labels, tests),
    }.items():
        print(f"  {name + ':':<20} {1000 * min(took(work) for _ in range(3)):7.1f} ms")


if __name__ == "__main__":
    scaling()
    audits()
