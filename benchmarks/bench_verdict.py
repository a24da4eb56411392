"""The time to a first verdict from a cold shell, beside one HTML report of quantstats, in one run.

Run by `make bench`. Ours judges 2,520 returns by 100 trials and writes a page with pictures; theirs reads the same
returns and writes its report. Each is a new process, they take turns, and the median counts. Compare ratios: times are
of one machine. `--peers PYTHON` names the interpreter that has the peers.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
SESSIONS, TRIALS, TURNS = 2520, 100, 3
TARGET = 0.5
THEIRS = """
import logging, warnings; warnings.filterwarnings("ignore"); logging.disable()
import matplotlib; matplotlib.use("Agg")
import pandas as pd, quantstats as qs
returns = pd.read_csv("returns.csv", index_col="date", parse_dates=True)["return"]
qs.reports.html(returns, output="theirs.html", title="report")
"""
ALONE = "import pandas as pd; pd.read_csv('returns.csv', index_col='date', parse_dates=True)"


def data(folder):
    """Ten years of weekdays, a family without an edge, and its best member."""
    days = np.arange(np.datetime64("2008-01-01"), np.datetime64("2018-12-31"))
    days = days[np.is_busday(days)][-SESSIONS:]
    tried = np.random.default_rng(0).normal(0.0002, 0.01, (SESSIONS, TRIALS))
    frame = pl.DataFrame({"date": days, **{f"t{n}": tried[:, n] for n in range(TRIALS)}})
    frame.write_csv(folder / "grid.csv")
    best = tried[:, tried.mean(axis=0).argmax()]
    pl.DataFrame({"date": days, "return": best}).write_csv(folder / "returns.csv")


def took(line, folder, allowed):
    began = time.perf_counter()
    done = subprocess.run(line, cwd=folder, capture_output=True, check=False, timeout=600)
    seconds = time.perf_counter() - began
    assert done.returncode in allowed, done.stderr.decode()[-2000:]
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=str(ROOT / ".venv-bench" / "bin" / "python"))
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    ours = [sys.executable, "-m", "signoff", "verdict", "returns.csv", "--trials", "grid.csv"]
    lines = {
        "signoff verdict": (ours, {0, 1}),
        "signoff verdict --html": ([*ours, "--html", "ours.html"], {0, 1}),
        "quantstats.reports.html": ([given.peers, "-c", THEIRS], {0}),
        "pandas alone reads the returns": ([given.peers, "-c", ALONE], {0}),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data(folder)
        took(ours, folder, {0, 1})  # kernels are compiled once for an installation
        times = {said: [] for said in lines}
        for _ in range(given.turns):
            for said, (line, allowed) in lines.items():
                times[said].append(took(line, folder, allowed))
    median = {said: statistics.median(found) for said, found in times.items()}
    print(f"from a cold shell, T = {SESSIONS}, N = {TRIALS}, median of {given.turns}")
    for said, seconds in median.items():
        print(f"    {said:<32} {seconds:6.2f} s")
    report = median["quantstats.reports.html"]
    for said in ("signoff verdict", "signoff verdict --html"):
        ratio = median[said] / report
        print(f"    {said} / quantstats: {ratio:.2f} (target {TARGET:g}: {'reached' if ratio <= TARGET else 'MISSED'})")


if __name__ == "__main__":
    main()
