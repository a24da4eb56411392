"""How often the deflated Sharpe ratio passes honest and shaped families, by its figure alone and by its parts as well.

Prints a table in some minutes. "figure" is the share of families whose figure reaches the threshold, "gate" that which
passes with every part of the family held against it. Honest families must not lose more than Monte Carlo error between
the two; shaped ones should.
"""

import sys
from dataclasses import replace
from math import sqrt

import numpy as np

from signoff.domain.evidence import Evidence, Returns, Source, Trials
from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy

REPETITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SIZES = (20, 100, 500)
SESSIONS = 1600
THRESHOLD = 0.95
YEAR = 252
SOURCE = Source(name="trials.parquet", sha256="0" * 64, size=1, rows=1)


def noise(rng, n):
    return rng.standard_normal((SESSIONS, n))


def skilled(ratios):
    return lambda rng, n: noise(rng, n) + ratios(rng, n) / sqrt(YEAR)


def first(ratio):
    return lambda _, n: ratio * (np.arange(n) == 0)


def related(rho, ratios):
    def made(rng, n):
        mixed = sqrt(rho) * rng.standard_normal((SESSIONS, 1)) + sqrt(1 - rho) * noise(rng, n)
        return mixed + ratios(rng, n) / sqrt(YEAR)

    return made


def grids(rng, n):
    """Five strategies with a grid of parameters each."""
    ideas = rng.standard_normal((SESSIONS, 5))[:, np.arange(n) % 5]
    skill = np.repeat(rng.normal(0.3, 0.7, (1, 5)), n // 5, axis=0).ravel()[:n]
    return sqrt(0.7) * ideas + sqrt(0.3) * noise(rng, n) + (skill + rng.normal(0, 0.2, n)) / sqrt(YEAR)


def crowded(ratio, scatter=0.0):
    """Twenty trials from −1.5 to 2, and unrelated ones of one ratio over the record."""

    def made(rng, n):
        drawn = noise(rng, n)
        drawn = (drawn - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1)
        ratios = np.concatenate([np.linspace(2, -1.5, 20), ratio + scatter * rng.standard_normal(n - 20)])
        return drawn + ratios / sqrt(YEAR)

    return made


HONEST = {
    "no skill": noise,
    "one of skill 1.8": skilled(first(1.8)),
    "skill N(0.4, 0.4)": skilled(lambda rng, n: rng.normal(0.4, 0.4, n)),
    "skill t3": skilled(lambda rng, n: 0.4 + 0.4 * rng.standard_t(3, n)),
    "one of skill 1.8, rho .3": related(0.3, first(1.8)),
    "grid 0 to 2.5, rho .5": related(0.5, lambda _, n: np.linspace(0, 2.5, n)),
    "five grids": grids,
}
SHAPED = {
    "crowd at 0.3": crowded(0.3),
    "crowd at 0.3, scatter 0.05": crowded(0.3, 0.05),
    "crowd at 0.6, scatter 0.2": crowded(0.6, 0.2),
    "crowd at 0, scatter 0.4": crowded(0.0, 0.4),
}


def judged(returns, policy):
    best = int(np.argmax(returns.mean(axis=0) / returns.std(axis=0)))
    dates = np.busday_offset(np.datetime64("2012-01-02", "D"), np.arange(SESSIONS), roll="forward")
    backtest = Returns(source=replace(SOURCE, name="backtest.parquet"), dates=dates, returns=returns[:, best].copy())
    names = tuple(f"run-{column}" for column in range(returns.shape[1]))
    trials = Trials(source=SOURCE, dates=dates, names=names, returns=returns)
    found = deflated_sharpe(Evidence(backtest=backtest, trials=trials), None, policy)
    figure = found.statistic.value >= THRESHOLD and "nearly alike" not in found.reason
    return figure, found.outcome is Outcome.PASS


def main():
    policy = Policy(name="Monte Carlo", version="1")
    print(f"{REPETITIONS} families each; Monte Carlo error at most {0.5 / sqrt(REPETITIONS):.3f}")
    for kind, worlds, sizes in (("honest", HONEST, SIZES), ("shaped", SHAPED, (60, 150, 400))):
        for name, made in worlds.items():
            for n in sizes:
                rng = np.random.default_rng([n, len(name)])
                repetitions = REPETITIONS if n <= 150 else max(20, REPETITIONS // 4)
                passed = np.array([judged(0.01 * made(rng, n), policy) for _ in range(repetitions)])
                figure, gate = passed.mean(axis=0)
                print(f"{kind:7} {name:28} {n:4} trials  figure {figure:.3f}  gate {gate:.3f}", flush=True)


if __name__ == "__main__":
    main()
