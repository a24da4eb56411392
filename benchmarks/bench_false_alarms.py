"""How many healthy sessions each rule about damaged live data holds against the example, and what it finds of damage.

    python benchmarks/bench_false_alarms.py LIVE [--version 2.0.0] [--every 1]

LIVE is a journal of the example, such as `live/momentum` in the home that `signoff demo` leaves: real prices of 2019 to
2022, both versions, every session. A session is judged as the worker judges it; then one thing is damaged in it.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from signoff.adapters.live_folder import LiveFolder
from signoff.domain.monitoring import Level, Measurement, observe
from signoff.domain.policy import PhasePolicy, Policy

POLICY = Policy(name="bench", version="1")
RULES = (
    "features_out_of_range",
    "features_jumped",
    "features_frozen",
    "predictions_alike",
    "predictions_frozen",
    "predictions_out_of_range",
    "returns_implausible",
    "duplicate_rows",
    "future_rows",
    "gross_exposure_pct",
    "reference_changed",
)
BAD = {Level.UNKNOWN, Level.CRITICAL}
FIRST_LIVED = 40


def feature(measured: Measurement, name: str, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Measurement:
    """The session with one feature changed: `change` is given its values, and those of the session before."""
    rows = measured.features
    days = np.unique(rows.sessions)
    today, before = rows.sessions == days[-1], rows.sessions == days[-2]
    column = rows.columns[name].copy()
    column[today] = change(column[today], column[before])
    return replace(measured, features=replace(rows, columns={**rows.columns, name: column}))


def said(measured: Measurement, change: Callable[[np.ndarray], np.ndarray]) -> Measurement:
    """The session with other predictions."""
    rows = measured.predictions
    assert rows.values is not None
    return replace(measured, predictions=replace(rows, values=change(rows.values)))


def earned(measured: Measurement, factor: float, *, of: str = "returns") -> Measurement:
    """The session with a return, or its benchmark, times a factor."""
    values = getattr(measured.live, of).copy()
    values[-1] *= factor
    return replace(measured, live=replace(measured.live, **{of: values}))


def damages(measured: Measurement) -> Iterator[tuple[str, str, Measurement]]:
    """What is done to a session, the rule that should see it, and the session."""
    for name in list(measured.features.columns)[:: max(1, len(measured.features.columns) // 12)]:
        yield f"{name} times 100", "features", feature(measured, name, lambda now, _: 100 * now)
        yield f"{name} times 0.01", "features", feature(measured, name, lambda now, _: now / 100)
        yield f"{name} with its sign turned", "features", feature(measured, name, lambda now, _: -now)
        yield f"{name} as the session before", "features", feature(measured, name, lambda _, before: before)
        yield f"{name} 1e9 for one symbol", "features", feature(measured, name, lambda now, _: np.append(1e9, now[1:]))
    yield "one prediction for all", "predictions", said(measured, lambda now: np.full(now.size, now[0]))
    yield "two predictions", "predictions", said(measured, lambda now: np.where(now > np.median(now), 0.01, -0.01))
    yield "one prediction and noise", "predictions", said(measured, lambda now: now[0] + 1e-9 * np.arange(now.size))
    yield "predictions times 100", "predictions", said(measured, lambda now: 100 * now)
    yield "a return in percent", "returns", earned(measured, 100.0)
    yield "a benchmark in percent", "returns", earned(measured, 100.0, of="benchmark")


def _spread(days: dict[date, str]) -> str:
    """How many of these sessions each month has, and what was said of the first."""
    if not days:
        return ""
    by_month = Counter(f"{day:%Y-%m}" for day in sorted(days))
    months = ", ".join(f"{month} {n}" for month, n in by_month.items())
    return f"{months}; first {min(days)} {days[min(days)]}".rstrip()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("live", type=Path)
    parser.add_argument("--version", default="2.0.0")
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    feed = LiveFolder(asked.live)
    phases = PhasePolicy()
    sessions = feed.sessions("m", phases)
    since = sessions[0]
    seen, tried = Counter[str](), Counter[str]()
    alarms: dict[str, dict[date, str]] = {key: {} for key in RULES}
    judged = sessions[:: asked.every]
    for n, session in enumerate(judged):
        measured = feed.measure("m", asked.version, session, since, phases=phases)
        for each in observe(measured, POLICY, {}).readings:
            if each.key in RULES and each.level in BAD and not each.is_young:
                alarms[each.key][session] = each.detail
        if n % 25 == 0 and n * asked.every >= FIRST_LIVED:
            for kind, rule, damaged in damages(measured):
                tried[kind] += 1
                found = observe(damaged, POLICY, {}).readings
                seen[kind] += any(r.level in BAD for r in found if r.key.startswith(rule) and r.key in RULES)
    print(f"{len(judged)} healthy sessions of v{asked.version}, {judged[0]} to {judged[-1]}: unknown or critical in")
    for key, days in alarms.items():
        print(f"  {key:<26}{len(days):>5}  {_spread(days)}")
    every = {day for days in alarms.values() for day in days}
    print(f"  {'any of them':<26}{len(every):>5}  {_spread(dict.fromkeys(every, ''))}")
    print("\ndamage found, of the sessions in which it was tried")
    for kind in tried:
        print(f"  {kind:<48}{seen[kind]:>4} of {tried[kind]}")


if __name__ == "__main__":
    main()
