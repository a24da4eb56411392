"""The effective information of rows that share a day or overlap in time.

A thousand symbols on one day are not a thousand observations, nor are five-session returns of every session. Rows are
summed by date, and the dates are a series with dependent neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError
from signoff.stats.long_run import LongRunVariance, automatic_degrees, long_run_variance
from signoff.stats.sample import Floats, vector, whole

MIN_DATES: Final = 8
UNDATED_DEGREES: Final = 8
"""Without dates the series is cut coarsely, to allow for dependence up to about a tenth of the record."""
MOST_HORIZON: Final = 60
_ROWS_LOOKED_AT: Final = 50_000
_SYMBOLS_LOOKED_AT: Final = 20

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """The date of each of n rows (0 to `dates` − 1, in time), and the number of dates that one return covers.

    Without dates each row is a date, in order.
    """

    codes: Codes
    dates: int
    horizon: int
    is_dated: bool

    def kept(self, rows: NDArray[np.bool_]) -> "Clusters":
        """These rows alone, over their dates."""
        if rows.all():
            return self
        chosen = self.codes[rows]
        is_present = np.bincount(chosen, minlength=self.dates) > 0
        place = np.cumsum(is_present) - 1
        return Clusters(
            codes=place[chosen].astype(np.int64, copy=False),
            dates=int(is_present.sum()),
            horizon=self.horizon,
            is_dated=self.is_dated,
        )

    def sums(self, values: Floats) -> Floats:
        """(dates,) the sum of each date's values."""
        return np.asarray(np.bincount(self.codes, weights=values, minlength=self.dates), dtype=np.float64)

    def counts(self, kinds: NDArray[np.uint8], many: int) -> Floats:
        """(dates, many) the number of rows of each kind on a date."""
        cells = self.codes * many
        cells += kinds
        return np.bincount(cells, minlength=self.dates * many).reshape(self.dates, many).astype(np.float64)

    def variance(self, sums: Floats) -> LongRunVariance | None:
        """The long-run variance of sums by date; None with too few dates."""
        if self.dates < MIN_DATES:
            return None
        most = automatic_degrees(self.dates, self.horizon)
        return long_run_variance(sums, degrees=most if self.is_dated else min(most, UNDATED_DEGREES))

    @property
    def words(self) -> str:
        if not self.is_dated:
            return "no dates given: rows taken in their order, oldest first, neighbours as dependent"
        covers = f", realised returns cover {self.horizon} of them" if self.horizon > 1 else ""
        return f"clustered by date ({self.dates:,} dates{covers})"


def clusters(n: int, dates: ArrayLike | None = None, *, horizon: int = 1) -> Clusters:
    """The clusters of n rows.

    Parameters
    ----------
    n : rows.
    dates : (n,) the day of each row, in any order; an instant counts by its UTC day, a number or text as it is. Without
        them each row is a date.
    horizon : dates that a realised return covers.
    """
    whole(horizon, "horizon", at_least=1)
    if dates is None:
        return Clusters(codes=np.arange(n, dtype=np.int64), dates=n, horizon=horizon, is_dated=False)
    codes = date_codes(dates, n)
    return Clusters(codes=codes, dates=int(codes.max()) + 1 if n else 0, horizon=horizon, is_dated=True)


def date_codes(dates: ArrayLike, n: int) -> Codes:
    """(n,) the place of each row's date among the dates."""
    days = np.asarray(dates)
    if days.ndim != 1 or days.size != n:
        raise InputError(f"dates: expected one for each of {n} rows, found shape {days.shape}.")
    if days.dtype.kind == "O":
        days = days.astype(np.str_)
    if days.dtype.kind == "M":
        days = days.astype("datetime64[D]", copy=False)
        if np.isnat(days).any():
            raise InputError(f"dates: row {int(np.argmax(np.isnat(days)))} has none; give every row its date.")
    if n and (days[1:] >= days[:-1]).all():  # as in a table of evidence, so that a million dates need no sorting
        places = np.zeros(n, dtype=np.int64)
        np.cumsum(days[1:] != days[:-1], out=places[1:])
        return places
    return np.unique(days, return_inverse=True)[1].astype(np.int64, copy=False)


def inferred_horizon(realized: ArrayLike, dates: ArrayLike, symbols: ArrayLike | None = None) -> int:
    """The number of dates that one realised return covers, by the autocorrelation of overlapping sums.

    Returns over h periods that are seen every period correlate by 1 − k/h at a lag of k; the h up to 60 whose line is
    nearest, by least squares, to the autocorrelations within symbols. 1 with too few dates.

    Parameters
    ----------
    realized : (n,) realised returns.
    dates : (n,) the day of each, as in `clusters`.
    symbols : (n,) the symbol of each, as an array or similar; without them the means by date are used.
    """
    came = vector(realized, "realized")
    codes = date_codes(dates, came.size)
    looked_at = codes <= np.searchsorted(np.cumsum(np.bincount(codes)), _ROWS_LOOKED_AT)
    table, is_there = _by_symbol(came[looked_at], codes[looked_at], _of_rows(symbols, looked_at))
    most = min(MOST_HORIZON, table.shape[0] // 4)
    if most < 2:
        return 1
    own = float((table**2).sum() / max(is_there.sum(), 1))
    if own == 0:
        return 1
    lags = np.arange(1, most + 1)
    rho = np.array([_at_lag(table, is_there, lag) for lag in lags]) / own
    lines = np.maximum(0.0, 1 - lags[np.newaxis, :] / lags[:, np.newaxis])
    finite = np.isfinite(rho)
    return 1 + int(np.argmin(((lines - rho)[:, finite] ** 2).sum(axis=1))) if finite.any() else 1


def _of_rows(symbols: ArrayLike | None, rows: NDArray[np.bool_]) -> NDArray[np.generic] | None:
    """The symbols of these rows alone, without decoding a long column."""
    if symbols is None:
        return None
    column = np.asarray(symbols) if isinstance(symbols, Sequence) else symbols
    return np.asarray(cast("Any", column)[rows])


def _by_symbol(came: Floats, codes: Codes, symbols: NDArray[np.generic] | None) -> tuple[Floats, NDArray[np.bool_]]:
    """(dates, symbols) realised returns less the symbol's mean, 0 if missing, and a mask of those present."""
    if symbols is None:
        counts = np.bincount(codes)
        values = np.bincount(codes, weights=came) / np.maximum(counts, 1)
        return (values - values.mean())[:, np.newaxis], (counts > 0)[:, np.newaxis]
    names, columns = np.unique(symbols.astype(np.str_), return_inverse=True)
    often = np.argsort(-np.bincount(columns, minlength=names.size), kind="stable")[:_SYMBOLS_LOOKED_AT]
    place = np.full(names.size, -1)
    place[often] = np.arange(often.size)
    column = place[columns]
    rows, of, values = codes[column >= 0], column[column >= 0], came[column >= 0]
    size = (int(codes.max()) + 1, often.size)
    flat = rows * often.size + of
    counts = np.bincount(flat, minlength=size[0] * size[1]).reshape(size)
    table = np.bincount(flat, weights=values, minlength=size[0] * size[1]).reshape(size) / np.maximum(counts, 1)
    is_there = counts > 0
    centre = table.sum(axis=0) / np.maximum(is_there.sum(axis=0), 1)
    return np.where(is_there, table - centre, 0.0), is_there


def _at_lag(table: Floats, is_there: NDArray[np.bool_], lag: int) -> float:
    pairs = int((is_there[lag:] & is_there[:-lag]).sum())
    return float((table[lag:] * table[:-lag]).sum()) / pairs if pairs >= MIN_DATES else np.nan
