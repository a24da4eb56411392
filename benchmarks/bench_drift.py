"""How long the drift of five hundred features over twenty thousand rows takes, the first time and again.

    python benchmarks/bench_drift.py [--features 500] [--rows 20000]

The first session computes what is usual of the training period; later ones of the same process reuse it.
"""

import argparse
from datetime import date
from time import process_time

import numpy as np

from signoff.domain.monitoring import Baseline, Features, Measurement
from signoff.domain.monitoring.quality import drifts

SYMBOLS = 667


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=500)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    names = [f"f{n}" for n in range(options.features)]

    def rows(first: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        day = np.arange(options.rows) // SYMBOLS
        sessions = np.datetime64(first, "D") + day
        symbols = np.array([f"S{n}" for n in range(SYMBOLS)])[np.arange(options.rows) % SYMBOLS]
        return sessions.astype("datetime64[us]"), sessions, symbols, {name: rng.normal(size=day.size) for name in names}

    at, sessions, symbols, columns = rows("2019-01-01")
    measured = Measurement(
        session=sessions[-1].item(),
        live_since=date(2019, 1, 1),
        features=Features(timestamps=at, sessions=sessions, symbols=symbols, columns=columns),
        baseline=Baseline.of(*rows("2018-01-01")),
    )
    for what in ("first session", "the next"):
        began = process_time()
        found = drifts(measured)
        print(f"{what}: {len(found)} features x {options.rows:,} rows in {process_time() - began:.2f} s")


if __name__ == "__main__":
    main()
