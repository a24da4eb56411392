"""How often each printed interval holds, and how often each test rejects what is true, by simulation.

Prints a table in about two minutes: rows are the statistics that the memo, `check` and monitoring print with an
interval or a p-value, columns the returns that they were tried on. The Monte Carlo error stands beneath. Every figure
below 93% (or a size above 7%) is marked; the statistic's docstring says the same.
"""

import sys
from math import sqrt

import numpy as np

from signoff import stats
from signoff.stats.autocorrelation import annual_scale
from signoff.stats.clusters import clusters
from signoff.stats.dispersion import volatility_ratio
from signoff.stats.sharpe import lo_standard_error

REPETITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SESSIONS = 1260
WORLDS = ("independent", "AR(1) .2", "AR(1) .5", "t3", "skewness -2")
MEAN = 0.05


def shocks(rng, world, shape):
    """Mean 0 and deviation 1, in time along the first axis."""
    if world == "t3":
        return rng.standard_t(3, shape) / sqrt(3)
    if world == "skewness -2":
        return 1 - rng.exponential(1, shape)
    persistence = {"AR(1) .2": 0.2, "AR(1) .5": 0.5}.get(world, 0.0)
    found = rng.normal(size=(shape[0] + 60, *shape[1:]))
    for row in range(1, found.shape[0]):
        found[row] += persistence * found[row - 1]
    return found[60:] * sqrt(1 - persistence**2)


def true_scale(world, periods=252):
    """Lo's η(q) of an AR(1)."""
    persistence = {"AR(1) .2": 0.2, "AR(1) .5": 0.5}.get(world, 0.0)
    lags = np.arange(1, periods)
    return periods / sqrt(periods + 2 * float(((periods - lags) * persistence**lags).sum()))


def sharpe(world, sessions=SESSIONS):
    rng = np.random.default_rng(1)
    truth = MEAN * true_scale(world)
    hits = []
    for column in (0.01 * (MEAN + shocks(rng, world, (sessions, REPETITIONS)))).T:
        found = stats.annual_sharpe(column)
        hits.append(abs(found.value - truth) <= found.half_width)
    return np.mean(hits)


def plain_sharpe(world, method="hac"):
    rng = np.random.default_rng(2)
    hits = []
    for column in (MEAN + shocks(rng, world, (SESSIONS, REPETITIONS))).T:
        found = stats.sharpe_error(column, periods=1, method=method)
        hits.append(abs(found.sharpe - MEAN) <= (2.0129 if method == "hac" else 1.96) * found.standard_error)
    return np.mean(hits)


def rolling_band(world):
    """One window of a year, its band widened by what the whole record shows."""
    rng = np.random.default_rng(3)
    hits = []
    for column in (MEAN + shocks(rng, world, (SESSIONS, REPETITIONS))).T:
        window = column[-252:]
        ratio = window.mean() / window.std(ddof=1)
        whole = stats.sharpe_error(column, periods=1)
        wide = 2.0129 * whole.standard_error / lo_standard_error(whole.sharpe, whole.n)
        hits.append(abs(ratio - MEAN) <= wide * lo_standard_error(ratio, 252))
    return np.mean(hits)


def difference(world):
    rng = np.random.default_rng(4)
    drawn = shocks(rng, world, (SESSIONS, REPETITIONS, 3))
    hits = []
    for run in range(REPETITIONS):
        market, own, other = drawn[:, run].T
        found = stats.sharpe_difference_test(market + own + 0.05, 2 * (market + other + 0.05))
        hits.append(abs(found.difference) <= found.half_width)
    return np.mean(hits)


def correlation(world, n=60, method="hac"):
    """Pairs with a correlation of .7; under t₃ the two share their volatility."""
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(REPETITIONS):
        if world == "t3":
            drawn = rng.normal(size=(n, 2)) / np.sqrt(rng.chisquare(3, (n, 1)) / 3)
        else:
            drawn = shocks(rng, world, (n, 2))
        x, y = drawn.T
        found = stats.pearson_correlation(x, 0.7 * x + sqrt(0.51) * y, method=method)
        hits.append(found.low <= 0.7 <= found.high)
    return np.mean(hits)


def slippage(world):
    """The mean cost of five orders a day, the orders of a day sharing half of their variance."""
    rng = np.random.default_rng(6)
    days = np.repeat(np.arange(60), 5)
    hits = []
    for _ in range(REPETITIONS):
        costs = np.repeat(shocks(rng, world, (60,)), 5) + shocks(rng, world, (300,))
        held = clusters(300, days)
        known = held.variance(held.sums(costs - costs.mean()))
        hits.append(abs(costs.mean()) <= known.half_width() * 60 / 300)
    return np.mean(hits)


def volatility(world):
    """Bonett's 99% interval of two periods that vary alike."""
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(REPETITIONS):
        found = volatility_ratio(shocks(rng, world, (1000,)), shocks(rng, world, (60,)))
        hits.append(found.low <= 1 <= found.high)
    return np.mean(hits)


def sequence(world, dependence="autoregressive"):
    """Ever, over 500 sessions, looked at every session from the 20th on."""
    rng = np.random.default_rng(8)
    still = np.zeros(500)
    found = (
        stats.mean_difference_sequence(column, still, dependence=dependence)
        for column in shocks(rng, world, (500, REPETITIONS)).T
    )
    return 1 - np.mean([f.first_above is not None or f.first_below is not None for f in found])


def portmanteau(world):
    """The share of records that the test of autocorrelation rejects."""
    rng = np.random.default_rng(9)
    drawn = shocks(rng, world, (SESSIONS, REPETITIONS)).T
    return np.mean([stats.autocorrelation_test(column).p_value < 0.05 for column in drawn])


def scaled_by_lo(world):
    rng = np.random.default_rng(9)
    drawn = shocks(rng, world, (SESSIONS, REPETITIONS)).T
    return np.mean([annual_scale(column, periods=252).order > 0 for column in drawn])


PANELS = {
    "20 symbols, 5 sessions": (20, 252, 5, 0.9),
    "20 symbols, 1 session": (20, 252, 1, 0.9),
    "50 symbols, 20 sessions": (50, 504, 20, 0.9),
    "1 symbol, 5 sessions": (1, 252, 5, 0.9),
    "100 symbols, 10 years, 5": (100, 2520, 5, 0.5),
}


def panel(rng, symbols, sessions, horizon, persistence, correlation=0.3):
    """Predictions without skill that persist and are shared, and the overlapping returns of correlated symbols."""
    own, market = rng.normal(size=(sessions + horizon, symbols)), rng.normal(size=(sessions + horizon, 1))
    total = np.cumsum(np.vstack([np.zeros(symbols), sqrt(correlation) * market + sqrt(1 - correlation) * own]), axis=0)
    realized = total[horizon:][: sessions - 1] - total[:-horizon][: sessions - 1]
    mood = rng.normal(size=sessions - 1)
    for row in range(1, sessions - 1):
        mood[row] += persistence * mood[row - 1]
    return mood[:, None] + 0.5 * rng.normal(size=realized.shape), realized


def accuracy(symbols, sessions, horizon, persistence, runs):
    """Size of Pesaran and Timmermann's test, and how often each side's 95% bound exceeds the true half."""
    rng = np.random.default_rng(10)
    found = []
    for _ in range(runs):
        said, came = panel(rng, symbols, sessions, horizon, persistence)
        days = np.repeat(np.arange(said.shape[0]), symbols)
        names = np.tile(np.arange(symbols), said.shape[0])
        result = stats.symmetric_prediction_accuracy(said.ravel(), came.ravel(), dates=days, symbols=names)
        found.append(
            (
                result.pesaran_timmermann_p_value < 0.05,
                result.long_bound > 0.5,
                result.short_bound > 0.5,
                result.horizon,
                result.long_effective_n / result.long_n,
            )
        )
    return np.mean(found, axis=0)


def main():
    print(
        f"coverage of 95% intervals, {REPETITIONS} repetitions, T = {SESSIONS}; Monte Carlo error of 95%: "
        f"±{1.96 * sqrt(0.95 * 0.05 / REPETITIONS):.3f}"
    )
    print(f"{'':44s}" + "".join(f"{world:>13s}" for world in WORLDS))
    rows = {
        "annual Sharpe (memo, check, paper)": sharpe,
        "  the same, T = 60": lambda world: sharpe(world, 60),
        "  the same, T = 252": lambda world: sharpe(world, 252),
        "Sharpe by the square root, HAC (regimes)": plain_sharpe,
        "  before: iid error": lambda world: plain_sharpe(world, "iid"),
        "rolling Sharpe band": rolling_band,
        "Sharpe difference": difference,
        "correlation, n = 60": correlation,
        "  n = 250": lambda world: correlation(world, 250),
        "  before: Fisher, n = 60": lambda world: correlation(world, method="fisher"),
        "slippage per trade, by date": slippage,
        "volatility ratio (99%, independent)": volatility,
        "confidence sequence, every day of 500": sequence,
        "  before: uncorrelated": lambda world: sequence(world, "independent"),
    }
    for name, measure in rows.items():
        found = [measure(world) for world in WORLDS]
        print(f"{name:44s}" + "".join(f"{value:12.3f}{'*' if value < 0.93 else ' '}" for value in found), flush=True)
    print("\nshare rejected or scaled at 5%")
    for name, measure in {"autocorrelation test": portmanteau, "annual ratio scaled by Lo": scaled_by_lo}.items():
        print(f"{name:44s}" + "".join(f"{measure(world):12.3f} " for world in WORLDS), flush=True)
    runs = max(REPETITIONS // 2, 1)
    print(
        f"\naccuracy without skill, correlation .3, {runs} panels (the last {max(runs // 10, 1)}): size of Pesaran-"
        f"Timmermann at 5% and escapes of both bounds; Monte Carlo error ±{1.96 * sqrt(0.05 * 0.95 / runs):.3f}"
    )
    for name, shape in PANELS.items():
        test, long, short, horizon, worth = accuracy(*shape, runs if shape[1] < 1000 else max(runs // 10, 1))
        print(
            f"{name:28s} size {test:.3f}  long {long:.3f}  short {short:.3f}  horizon inferred {horizon:.2f}  "
            f"a row is worth {worth:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
