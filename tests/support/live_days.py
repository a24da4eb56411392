"""A healthy measurement of one session, column by column, and ways to damage it."""

from dataclasses import replace
from datetime import date

import numpy as np

from signoff.domain.monitoring import Baseline, DailyReturns, Features, Measurement, SessionPredictions, TrainingFeature
from signoff.domain.monitoring.measurement import Earlier

SESSION = date(2019, 2, 1)
SYMBOLS = tuple(f"S{n:02}" for n in range(20))


def days(n, last=SESSION):
    """So many days up to the last."""
    return np.arange(np.datetime64(last, "D") - n + 1, np.datetime64(last, "D") + 1)


def world(lived=20, n=600):
    """`n` days of a market and of a model that follows it with some skill."""
    rng = np.random.default_rng(7)
    market = rng.normal(0.0004, 0.01, n)
    return 0.8 * market + rng.normal(0.002, 0.002, n), market


def measured(*, returns=None, benchmark=None, lived=20, champion=None, **changes):
    own, market = world()
    own = own if returns is None else np.asarray(returns, dtype=float)
    market = market[-own.size :] if benchmark is None else np.asarray(benchmark, dtype=float)
    at = days(own.size)
    split = own.size - lived
    healthy = Measurement(
        session=SESSION,
        live_since=at[split].item() if lived else date(2019, 2, 2),
        history=DailyReturns(name="history", dates=at[:split], returns=own[:split], benchmark=market[:split]),
        live=DailyReturns(dates=at[split:], returns=own[split:], benchmark=market[split:]),
        champion=champion,
        expected=at[split:],
        predictions=predictions(),
        features=features(),
        baseline=baseline(),
        gross_exposure_pct=np.array([95.0]),
        seen=frozenset(SYMBOLS),
        previous_symbols=frozenset(SYMBOLS),
        earlier=earlier(),
    )
    return replace(healthy, **changes)


def predictions(n=20, *, failed=0, slow=0, **changes):
    """Predictions of the session, one a symbol; the first ones fail, the last ones are slow."""
    errors, latency = np.zeros(n), np.full(n, 12.0)
    errors[:failed] = 1
    if slow:
        latency[-slow:] = 500.0
    found = SessionPredictions(
        timestamps=np.full(n, np.datetime64("2019-02-01T21:00:00", "us")),
        symbols=np.array(SYMBOLS[:n]),
        values=np.linspace(-1, 1, n) if n else np.empty(0),
        latency_ms=latency,
        errors=errors,
    )
    return replace(found, **changes)


def earlier(n_sessions=60):
    """Predictions of the sessions before, of the size and the variety that those of the session have."""
    sessions = np.repeat(days(n_sessions + 1)[:-1], len(SYMBOLS))
    return Earlier(
        timestamps=sessions.astype("datetime64[us]") + np.timedelta64(21, "h"),
        sessions=sessions,
        symbols=np.tile(np.array(SYMBOLS), n_sessions),
        values=np.random.default_rng(5).uniform(-1, 1, sessions.size),
    )


def features(n_sessions=20, **columns):
    """Rows of the window, one a symbol and session; `x` and `y` are as they were in training."""
    rng, n = np.random.default_rng(3), n_sessions * len(SYMBOLS)
    sessions = np.repeat(days(n_sessions), len(SYMBOLS))
    return Features(
        timestamps=sessions.astype("datetime64[us]") + np.timedelta64(21, "h"),
        sessions=sessions,
        symbols=np.array(SYMBOLS * n_sessions),
        columns={"x": rng.normal(size=n), "y": rng.normal(size=n)} | columns,
    )


def baseline(gaps=0.0, **columns):
    """Three hundred sessions of training, of independent normal values, with a share of them missing."""
    rng, n = np.random.default_rng(1), 300 * len(SYMBOLS)
    sessions = np.repeat(days(300, date(2018, 6, 1)), len(SYMBOLS))

    def values():
        found = rng.normal(size=n)
        found[rng.random(n) < gaps] = np.nan
        return found

    named = {"x": values(), "y": values()} | columns
    return Baseline(
        columns={name: TrainingFeature(values=column, sessions=sessions) for name, column in named.items()},
        symbols=frozenset(SYMBOLS),
    )


def with_today(features_, name, values):
    """The same features, with the session's values of one column replaced from its first symbol on."""
    column = features_.columns[name].copy()
    today = np.flatnonzero(features_.sessions == np.datetime64(SESSION, "D"))
    column[today[: len(values)]] = values
    return replace(features_, columns={**features_.columns, name: column})


def doubled(rows, which):
    """A table of a measurement with some of its rows again, right after themselves."""
    order = np.sort(np.concatenate([np.arange(rows.timestamps.size), np.asarray(which, dtype=int)]))
    columns = {name: getattr(rows, name)[order] for name in ("timestamps", "symbols", "values", "latency_ms", "errors")}
    return replace(rows, **columns)


def reading(observed, key):
    return next((r for r in observed.readings if r.key == key), None)
