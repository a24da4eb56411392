"""Reads the charts in the JSON result of a QuantConnect LEAN backtest.

LEAN samples the portfolio at each midnight of the algorithm's zone, and between; times are Unix seconds, or
milliseconds in exports of its web site. A sample at midnight is the close of the day before. Points are
`[time, open, high, low, close]`, `[time, value]` or `{"x": time, "y": value}`; keys begin with a capital or not.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from signoff.adapters.results.flows import settled
from signoff.adapters.results.series import DAY, Labelled, changes, last_of_day, numbers, zone_of
from signoff.domain.errors import BadInputError

ZONE: Final = "America/New_York"
EQUITY: Final = ("Strategy Equity", "Equity")
BENCHMARK: Final = ("Benchmark", "Benchmark")
TURNOVER: Final = ("Portfolio Turnover", "Portfolio Turnover")
MAX_BYTES: Final = 500_000_000
# Each parsed value takes up to a hundred bytes.
MAX_VALUES: Final = 10_000_000
# Seconds reach this in the year 5138; milliseconds passed it in March 1973.
MILLISECONDS: Final = 100_000_000_000
OLDEST: Final = datetime(1900, 1, 2, tzinfo=UTC).timestamp()
NEWEST: Final = datetime(2261, 12, 31, tzinfo=UTC).timestamp()


def read_lean(content: bytes, path: Path, zone: str | None, *, flows_complete: bool = False) -> Labelled:
    """Daily returns of the strategy, with its benchmark and turnover if the file has them.

    Equity with regular deposits is asked about; `flows_complete` declares that there were none.
    """
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{path}: expected a result of at most {MAX_BYTES:,} bytes, found {len(content):,}.")
    if (count := sum(content.count(mark) for mark in (b",", b"[", b"{"))) > MAX_VALUES:
        raise BadInputError(
            f"{path}: expected a result of at most {MAX_VALUES:,} values, found about {count:,}. Sample the charts of "
            "the backtest less often."
        )
    charts = _charts(content, path)
    clock = zone or ZONE
    equity = _daily(_series(charts, EQUITY), clock, path, "equity")
    if equity is None:
        raise BadInputError(
            f"{path}: expected the chart 'Strategy Equity' with the series 'Equity', found the charts "
            f"{', '.join(sorted(charts))[:200] or 'none'}. Is it LEAN's result of a backtest?"
        )
    returns = changes(numbers(equity, "equity"))
    returns = settled(returns, equity.frame[DAY].to_numpy(), is_declared=flows_complete)
    frame, notes = returns.frame.rename({"equity": "return"}), [*returns.notes, f"days end at midnight of {clock}"]
    benchmark = _daily(_series(charts, BENCHMARK), clock, path, "benchmark")
    if benchmark is not None and (benchmark.frame["benchmark"] > 0).all():
        frame = _joined(frame, changes(numbers(benchmark, "benchmark")), path)
    turnover = _daily(_series(charts, TURNOVER), clock, path, "turnover")
    if turnover is not None:
        frame = frame.join(turnover.frame, on=DAY, how="left").with_columns(pl.col("turnover").fill_null(0.0))
    frame, weekend_notes = _without_idle_weekends(frame)
    notes += weekend_notes
    return Labelled(frame, str(path), tuple(notes))


def _without_idle_weekends(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Drop weekends if equity never changes on them: LEAN samples closed markets too."""
    is_weekend = frame[DAY].dt.weekday() > 5
    count = int(is_weekend.sum())
    if not count:
        return frame, []
    if (frame["return"].filter(is_weekend) == 0).all() and (frame["return"].filter(~is_weekend) != 0).any():
        return frame.filter(~is_weekend), [f"{count} days of weekends without any change of equity were left out"]
    return frame, [f"{count} days fall on a weekend and were kept, since the equity changes on some of them"]


def _charts(content: bytes, path: Path) -> Mapping[str, Any]:
    try:
        result = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"{path}: expected the JSON of a LEAN backtest, found none or a truncated one ({str(error)[:100]})."
        ) from error
    charts = _get(result, "charts")
    if charts is None:
        charts = _get(_get(_get(result, "backtest"), "result") or _get(result, "result"), "charts")
    if not isinstance(charts, dict):
        shape = ", ".join(sorted(result)[:8]) if isinstance(result, dict) else type(result).__name__
        raise BadInputError(f"{path}: expected LEAN's result with 'charts', found {shape}. It is JSON of another tool.")
    return charts


def _series(charts: Mapping[str, Any], place: tuple[str, str]) -> list[Any]:
    values = _get(_get(_get(_get(charts, place[0]), "series"), place[1]), "values")
    return values if isinstance(values, list) else []


def _get(holder: Any, key: str) -> Any:  # noqa: ANN401 - JSON
    """A key in either capitalisation."""
    if not isinstance(holder, dict):
        return None
    return next((value for name, value in holder.items() if str(name).lower() == key.lower()), None)


def _daily(points: list[Any], clock: str, path: Path, name: str) -> Labelled | None:
    """The last point of every day; None where there is no point."""
    samples = list(_points(points, path, name))
    if not samples:
        return None
    per_second = 1000 if all(time >= MILLISECONDS for time, _ in samples) else 1
    rows = [(_day(time / per_second, clock, path, name), value) for time, value in samples]
    frame = pl.DataFrame(rows, schema={DAY: pl.Date, name: pl.Float64}, orient="row")
    if not frame[DAY].is_sorted():
        raise BadInputError(f"{path}: expected the series {name} in order of time, found it out of order.")
    return Labelled(last_of_day(Labelled(_without_gaps(frame, name, path), str(path))).frame, str(path))


def _without_gaps(frame: pl.DataFrame, name: str, path: Path) -> pl.DataFrame:
    """Drop samples without a value before the first value, and those with a later sample on the same day."""
    is_known = frame[name].is_finite().fill_null(value=False)
    if is_known.all() or not is_known.any():
        return frame
    first = int(is_known.arg_true()[0])
    frame, is_known = frame.slice(first), is_known.slice(first)
    is_last = frame[DAY] != frame[DAY].shift(-1)
    lost = frame.filter(is_last.fill_null(value=True) & ~is_known)
    if lost.height:
        raise BadInputError(
            f"{path}: expected a finite number of {name} at the end of every day that was sampled, found none on "
            f"{lost[DAY][0]} and in all on {lost.height} days. Run the backtest again. Nothing was written."
        )
    return frame.filter(is_known)


def _points(points: list[Any], path: Path, name: str) -> Iterator[tuple[float, float | None]]:
    for number, point in enumerate(points, start=1):
        time, value = (
            (_get(point, "x"), _get(point, "y"))
            if isinstance(point, dict)
            else (point[0], point[-1])
            if isinstance(point, list) and len(point) in (2, 5)
            else (None, None)
        )
        if isinstance(value, str) and value.strip().lower() in {"nan", "infinity", "-infinity"}:
            value = None
        if not isinstance(time, int | float) or not isinstance(value, int | float | None):
            raise BadInputError(
                f"{path}: point {number} of {name}: expected [time, value], [time, open, high, low, close] or an "
                f"object of x and y, found {str(point)[:60]}."
            )
        yield time, value


def _day(seconds: float, clock: str, path: Path, name: str) -> object:
    """The day that a sample closes: at midnight, the day before."""
    if not OLDEST <= seconds < NEWEST:
        raise BadInputError(
            f"{path}: series {name}: expected Unix times in seconds or milliseconds from 1900 to 2261, found "
            f"{seconds:.0f}."
        )
    return (datetime.fromtimestamp(seconds, UTC).astimezone(zone_of(clock)) - timedelta(seconds=1)).date()


def _joined(frame: pl.DataFrame, benchmark: Labelled, path: Path) -> pl.DataFrame:
    joined = frame.join(benchmark.frame, on=DAY, how="left")
    missing = joined.filter(pl.col("benchmark").is_null())[DAY]
    if missing.len():
        raise BadInputError(
            f"{path}: expected the benchmark on every day of the equity, found none on {missing[0]}. Correct it there."
        )
    return joined
