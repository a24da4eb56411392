"""How long the statistics of the gates take, and how their cost grows; peers follow with their own environment.

Run by `make bench`. Times are of this machine; compare ratios.
"""

import time

import numpy as np

from signoff.stats import probability_of_backtest_overfitting, superior_predictive_ability


def seconds(work, repetitions=3):
    """The best of a few runs, after one that pays for compilation."""
    work()
    best = float("inf")
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def main():
    rng = np.random.default_rng(0)
    base = None
    print("PBO by CSCV, S = 16, 12,870 splits")
    for count in (50, 100, 500, 1000):
        trials = rng.normal(0, 0.01, (2520, count))
        took = seconds(lambda trials=trials: probability_of_backtest_overfitting(trials))
        base = base or took
        print(f"  T = 2520, N = {count:>5}: {1000 * took:8.1f} ms  {took / base:6.1f} times N = 50")
    print("Hansen's SPA, T = 2520, 1,000 repetitions, block 10")
    for count in (100, 1000):
        losses = rng.normal(0, 0.01, (2520, count))
        bench = rng.normal(0, 0.01, 2520)
        took = seconds(
            lambda losses=losses, bench=bench: superior_predictive_ability(
                bench, losses, block=10, repetitions=1000, seed=1
            ),
            repetitions=1,
        )
        print(f"  K = {count:>5}: {1000 * took:8.1f} ms")


if __name__ == "__main__":
    main()
