"""Whether the backtest is one of its trials, since deflation must apply to the selected configuration.

Overfitting is judged by comparing the chosen configuration with all that were tried. If the backtest is not among them,
it was chosen from another family and the trials say nothing about it. The backtest is a trial if it equals one column
on nearly all of its dates and has the same result over the shared dates: a few days make or break a record. Otherwise
the finding names the nearest column with the likeliest cause.
"""

from dataclasses import dataclass
from math import isfinite, isnan, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Floats, Returns, Trials
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.quantity import Unit, number
from signoff.domain.sampling import Sampling

EQUAL_WITHIN: Final = 1e-6
SHARE_NEEDED: Final = 0.95
SHARPE_WITHIN: Final = 0.02
"""The largest difference of the annual Sharpe ratios, or as a share of the trial's if that is more."""
GROWTH_WITHIN: Final = 0.002
"""The largest difference of log growth for each year of the record."""
GROWTH_SHARE_WITHIN: Final = 0.02
"""The same as a share of the trial's growth if that is more."""
PROBES: Final = 64
PROMISING: Final = 0.75
"""A column that is equal on `SHARE_NEEDED` of all dates is equal on at least this share of the probed dates."""
ROWS_AT_A_TIME: Final = 256
LARGEST_COST: Final = 0.01
"""Of capital a session, on average; a larger deduction is not a trading cost."""
ALIKE: Final = 0.98
COARSEST_ROUNDING: Final = range(2, 6)

_ADD: Final = "Add the configuration that was backtested as a column of `trials`, with the returns of the backtest."

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one record earned: its annual Sharpe ratio, and its total log growth."""

    sharpe: float
    growth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The trial nearest to the backtest: how often they are equal, and their largest difference.

    `share` is of all dates of the backtest; a date that the trials lack counts as unequal. `differing` counts the
    shared dates on which they differ. `own` and `other` are the results of backtest and trial over the `years` of the
    shared dates. `cause` is empty if no likely one was found.
    """

    name: str
    share: float
    largest: float
    dates: int
    differing: int
    missing: int
    trials: int
    own: Result
    other: Result
    years: float
    cause: str

    @property
    def is_the_backtest(self) -> bool:
        """Whether the backtest is this trial."""
        return self.share >= SHARE_NEEDED and self.earned_the_same

    @property
    def earned_the_same(self) -> bool:
        """Whether both have the same result; equal records do, even if it is NaN."""
        return self.largest == 0 or (self._has_same_sharpe and self._has_same_growth)

    @property
    def _has_same_sharpe(self) -> bool:
        within = SHARPE_WITHIN * max(1.0, abs(self.other.sharpe))
        return abs(self.own.sharpe - self.other.sharpe) <= within

    @property
    def _has_same_growth(self) -> bool:
        if self.own.growth == self.other.growth:  # both may have lost everything
            return True
        within = max(GROWTH_WITHIN * self.years, GROWTH_SHARE_WITHIN * abs(self.other.growth))
        return isfinite(within) and abs(self.own.growth - self.other.growth) <= within

    @property
    def difference(self) -> str:
        """On how many dates the backtest differs from the trial, in a sentence; empty if it never does."""
        if not self.differing:
            return ""
        return (
            f"The backtest differs from its trial {self.name} on {self.differing:,} of their "
            f"{self.dates - self.missing:,} dates, by up to {self.largest:.2g}."
        )

    @property
    def words(self) -> str:
        """Why the backtest is not a trial."""
        return self._unequal_result if self.share >= SHARE_NEEDED else self._unequal_dates

    @property
    def _unequal_result(self) -> str:
        if self._has_same_sharpe:
            named, own, other = "total log growth", self.own.growth, self.other.growth
            expected = (
                f"a total log growth within {number(GROWTH_WITHIN, Unit.PERCENT, 1)}% a year or "
                f"{number(GROWTH_SHARE_WITHIN, Unit.PERCENT, 0)}% of the trial's"
            )
        else:
            named, own, other = "Sharpe ratio", self.own.sharpe, self.other.sharpe
            expected = f"an annual Sharpe ratio within {SHARPE_WITHIN:g} or {number(SHARPE_WITHIN, Unit.PERCENT, 0)}%"
        others = {0: f"differences of at most {EQUAL_WITHIN:f}", 1: "the other date"}.get(
            self.differing, f"the other {self.differing:,} dates"
        )
        verb = ("raise" if own > other else "lower") + "s" * (self.differing == 1)
        return (
            f"The backtest is not one of its {self.trials:,} trials: it equals {self.name} on "
            f"{number(self.share, Unit.PERCENT, 1)}% of dates, and {others} {verb} its {named} from "
            f"{_ratio(other)} to {_ratio(own)}; expected {expected}. They differ by up to "
            f"{self.largest:.2g}. {_ADD}"
        )

    @property
    def _unequal_dates(self) -> str:
        gap = f", {number(self.missing, Unit.COUNT)} of which the trials lack" if self.missing else ""
        cause = self.cause or "No cost, leverage, rounding or shift in time explains the difference."
        return (
            f"The backtest is not one of its {self.trials:,} trials: the nearest, {self.name}, equals it on "
            f"{number(self.share, Unit.PERCENT, 1)}% of its {self.dates:,} dates{gap}, expected at least "
            f"{number(SHARE_NEEDED, Unit.PERCENT, 0)}%, and differs by up to {self.largest:.2g}. {cause} {_ADD}"
        )


def nearest_trial(backtest: Returns, trials: Trials) -> Nearest:
    """The closest of the trials that equal the backtest on nearly all dates, else the one most like it.

    Raises `InputError` if the backtest's numbers cannot be returns.
    """
    plausible_returns(backtest.returns, "backtest")
    rows, present = shared_rows(backtest, trials)
    own = np.ascontiguousarray(backtest.returns[present], dtype=np.float64)
    with np.errstate(all="ignore"):  # broken numbers equal nothing here; the statistic that reads them names the row
        column, share = _most_equal(own, trials.returns, rows)
        if column is None or share < SHARE_NEEDED:
            column = _most_alike(own, trials.returns, rows) if column is None or share < 0.5 else column
        other = np.asarray(trials.returns[rows, column], dtype=np.float64)
        apart = np.abs(own - other)
        equal = int((apart <= EQUAL_WITHIN).sum())
        missing = backtest.dates.size - own.size
        whole = equal / backtest.dates.size if backtest.dates.size else 0.0
        finite = np.isfinite(own) & np.isfinite(other)
        results = [_result(values[finite], backtest.time) for values in (own, other)]
        cause = "" if whole >= SHARE_NEEDED else _cause(own, other, trials, rows, missing=missing, equal=equal)
    return Nearest(
        name=trials.names[column],
        share=whole,
        largest=float(apart[np.isfinite(apart)].max(initial=0.0)),
        dates=backtest.dates.size,
        differing=own.size - equal,
        missing=missing,
        trials=trials.returns.shape[1],
        own=results[0],
        other=results[1],
        years=own.size / backtest.time.rows_a_year,
        cause=cause,
    )


def _ratio(value: float) -> str:
    return "undefined" if isnan(value) else number(value, Unit.RATIO)


def _result(returns: Floats, time: Sampling) -> Result:
    """The ratio is NaN if returns never vary; the growth is −∞ after a total loss."""
    deviation = float(returns.std(ddof=1)) if returns.size > 1 else 0.0
    mean = float(time.excess(returns).mean()) if returns.size else 0.0
    return Result(
        sharpe=mean / deviation * sqrt(time.rows_a_year) if deviation > 0 else nan,
        growth=float(np.log1p(np.maximum(returns, -1.0)).sum()),
    )


def shared_rows(backtest: Returns, trials: Trials) -> tuple[Places, NDArray[np.bool_]]:
    """The places of the backtest's dates among the trials', and which of them are there."""
    dates = trials.dates[: trials.returns.shape[0]]
    if dates.size == 0:
        return np.empty(0, np.int64), np.zeros(backtest.dates.size, np.bool_)
    place = np.minimum(np.searchsorted(dates, backtest.dates), dates.size - 1)
    present = dates[place] == backtest.dates
    return place[present], present


def _most_equal(own: Floats, family: Floats, rows: Places) -> tuple[int | None, float]:
    """The column that is equal on most rows, and its share of them; None if no column is a candidate."""
    if own.size == 0:
        return None, 0.0
    probes = np.unique(np.linspace(0, own.size - 1, min(PROBES, own.size)).astype(np.int64))
    close = np.abs(family[rows[probes]] - own[probes, np.newaxis]) <= EQUAL_WITHIN
    promising = np.flatnonzero(close.mean(axis=0) >= min(PROMISING, close.mean(axis=0).max()))
    if close[:, promising].mean() == 0:
        return None, 0.0
    shares, apart = _shares(own, family, rows, promising)
    enough = shares >= SHARE_NEEDED
    best = int(np.argmin(np.where(enough, apart, np.inf)) if enough.any() else np.argmax(shares))
    return int(promising[best]), float(shares[best])


def _shares(own: Floats, family: Floats, rows: Places, columns: Places) -> tuple[Floats, Floats]:
    """The share of rows on which each of these columns is equal, and its total difference; a few rows at a time."""
    equal, apart = np.zeros(columns.size), np.zeros(columns.size)
    for begin in range(0, own.size, ROWS_AT_A_TIME):
        part = family[np.ix_(rows[begin : begin + ROWS_AT_A_TIME], columns)]
        gap = np.abs(part - own[begin : begin + ROWS_AT_A_TIME, np.newaxis])
        equal += (gap <= EQUAL_WITHIN).sum(axis=0)
        apart += np.where(np.isfinite(gap), gap, 0.0).sum(axis=0)
    return equal / max(own.size, 1), apart


def _most_alike(own: Floats, family: Floats, rows: Places) -> int:
    """The column with the largest absolute correlation with the backtest; the first if nothing varies."""
    dots, squares = np.zeros(family.shape[1]), np.zeros(family.shape[1])
    centred = np.nan_to_num(own - own.mean()) if own.size else own
    for begin in range(0, own.size, ROWS_AT_A_TIME):
        part = np.nan_to_num(family[rows[begin : begin + ROWS_AT_A_TIME]])
        dots += centred[begin : begin + part.shape[0]] @ part
        squares += (part**2).sum(axis=0)
    return int(np.argmax(np.abs(dots) / np.sqrt(np.where(squares > 0, squares, np.inf))))


def _cause(own: Floats, other: Floats, trials: Trials, rows: Places, *, missing: int, equal: int) -> str:
    """The likeliest reason for the difference, in a sentence; empty if none was found."""
    if own.size and equal >= SHARE_NEEDED * own.size:
        return f"The trials have no return on {missing:,} of the backtest's dates; run them over its whole period."
    return (
        _as_multiple(own, other)
        or _as_logarithm(own, other)
        or _as_rounding(own, other)
        or _as_cost(own, other)
        or _as_delay(own, trials, rows)
    )


def _agree(one: Floats, other: Floats, within: float = EQUAL_WITHIN) -> bool:
    return one.size > 0 and float(np.mean(np.abs(one - other) <= within)) >= SHARE_NEEDED


def _as_multiple(own: Floats, other: Floats) -> str:
    traded = np.abs(other) > np.median(np.abs(other)) if other.size else np.zeros(0, np.bool_)
    if not traded.any():
        return ""
    multiple = float(np.median(own[traded] / other[traded]))
    if not (np.isfinite(multiple) and multiple != 0 and _agree(own, multiple * other, EQUAL_WITHIN * abs(multiple))):
        return ""
    factor = f"{multiple:.4g}".replace("-", "−")
    turned = " with its sign reversed" if multiple < 0 else ""
    return f"The backtest is {factor} times that trial: another leverage or unit{turned}."


def _as_logarithm(own: Floats, other: Floats) -> str:
    if _agree(np.log1p(own), other) or _agree(own, np.log1p(other)):
        return "One of the two holds logarithmic returns; both are to be simple ones."
    return ""


def _as_rounding(own: Floats, other: Floats) -> str:
    for decimals in COARSEST_ROUNDING:
        unit = 10.0**-decimals
        is_rounded = any(_agree(values, np.round(values, decimals), 1e-12) for values in (own, other))
        if is_rounded and _agree(own, other, 0.5 * unit + EQUAL_WITHIN):
            return f"One of the two was rounded to {decimals} decimals; write returns in full."
    return ""


def _as_cost(own: Floats, other: Floats) -> str:
    """One of the two less a small amount that is never negative: gross against net."""
    gap = other - own
    spread = np.std(own) * np.std(other)
    if not (spread > 0 and np.mean((own - own.mean()) * (other - other.mean())) >= ALIKE * spread):
        return ""
    for sign, gross, net in ((1, "The trial", "the backtest"), (-1, "The backtest", "the trial")):
        cost = sign * gap
        is_cost = np.mean(cost >= -EQUAL_WITHIN) >= SHARE_NEEDED and EQUAL_WITHIN < cost.mean() <= LARGEST_COST
        if is_cost:
            return (
                f"{gross} looks gross of costs and {net} net of them: it is lower by {cost.mean():.2g} a session on "
                f"average and higher on {number(float(np.mean(cost < -EQUAL_WITHIN)), Unit.PERCENT, 1)}% of the "
                "dates. Give both after the same costs."
            )
    return ""


def _as_delay(own: Floats, trials: Trials, rows: Places) -> str:
    if own.size <= 1:
        return ""
    for side, first, second in (("after", 1, 0), ("before", 0, 1)):
        mine, places = own[first : own.size - second], rows[second : own.size - first]
        column, share = _most_equal(mine, trials.returns, places)
        if column is not None and share >= SHARE_NEEDED:
            return f"The backtest is the trial {trials.names[column]} one row {side}: the dates of one are shifted."
    return ""
