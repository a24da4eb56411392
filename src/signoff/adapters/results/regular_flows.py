"""Finds jumps of an account's value that recur with the calendar, such as monthly deposits or a payment plan.

One deposit of 3% is not conspicuous; twelve on the first session of each month are. The returns of each day of the
month, of the week and of each fixed lag are compared with the others by ranks, so that extreme days decide nothing.
A strategy that truly earns on such days looks the same, so the user is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.stats.sample import Floats

Days = NDArray[np.datetime64]
Rows = NDArray[np.int64]

FEWEST: Final = 6
ONE_SIGN: Final = 0.9
"""The share of a rhythm's returns that have the same sign."""
OF_A_CALENDAR: Final = 4.6
"""Standard errors from which a day of the month or of the week stands out: with about 130 of them, chance
reaches this in one table of 2,000."""
OF_ANY_LAG: Final = 5.3
"""The same for the several thousand other rhythms."""
STRIDES: Final = (1, 2, 3, 6, 12)
"""Months between two payments."""
SPANS: Final = (7, 14, 21, 28, 30)
"""Days between two payments."""
LONGEST_LAG: Final = 66
"""Rows between two payments: a quarter of sessions."""
REST: Final = 5
"""Days by which a payment moves if the market is shut."""
_SECOND_OF: Final = ("", "", "second", "third", "", "", "sixth")
_WEEKDAYS: Final = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regular:
    """Returns that recur in one rhythm (`on`), far from those of the other days."""

    on: str
    rows: Rows
    share: float
    median: float
    others: float

    @property
    def words(self) -> str:
        """The finding, as a part of a sentence."""
        side = "above" if self.median > self.others else "below"
        return (
            f"{self.rows.size} returns on {self.on}, {100 * self.share:.0f}% of them {side} the other days' and with a "
            f"median of {100 * self.median:+.2g}% where that of the other days is {100 * self.others:+.2g}%"
        )


@dataclass(frozen=True, slots=True)
class _Rhythm:
    on: str
    rows: Rows
    limit: float


def regular(days: Days, returns: Floats) -> Regular | None:
    """The rhythm whose returns are farthest from the others; None if none is far.

    `days` are those of the values, one more than there are returns. A rhythm must be far both with and without the
    interest that accrues between two values, since a weekend's interest is not a payment.
    """
    if returns.size < 2 * FEWEST:
        return None
    gaps: Rows = np.diff(days.astype(np.int64)).astype(np.int64)
    views = [_View.of(returns - np.median(returns)), _View.of(returns - gaps * np.median(returns / gaps))]
    best, farthest = None, 0.0
    for one in _rhythms(days):
        if one.rows.size < FEWEST or 2 * one.rows.size > returns.size:
            continue
        far = [view.far(one.rows) for view in views]
        least = min(map(abs, far))
        if least < one.limit or least <= farthest + 1e-9 or far[0] * far[1] < 0:
            continue
        if all(view.one_sign(one.rows) >= ONE_SIGN for view in views):
            best, farthest = one, least
    return None if best is None else _told(best, returns, views)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """Returns less the usual, with the normal scores of their ranks."""

    beyond: Floats
    scores: Floats
    spread: float

    @classmethod
    def of(cls, beyond: Floats) -> "_View":
        scores = _scores(beyond)
        return cls(beyond, scores, float(scores.std()))

    def far(self, rows: Rows) -> float:
        """The distance in standard errors between the mean score of these rows and that of all."""
        if self.spread == 0:
            return 0.0
        share = rows.size / self.scores.size
        return float(self.scores[rows].sum() / (self.spread * np.sqrt(rows.size * (1 - share))))

    def one_sign(self, rows: Rows) -> float:
        """The share of these rows with their majority sign."""
        values = self.beyond[rows]
        return float(max(np.mean(values > 0), np.mean(values < 0)))


def _told(one: _Rhythm, returns: Floats, views: list[_View]) -> Regular:
    others = np.ones(returns.size, dtype=np.bool_)
    others[one.rows] = False
    return Regular(
        on=one.on,
        rows=one.rows,
        share=min(view.one_sign(one.rows) for view in views),
        median=float(np.median(returns[one.rows])),
        others=float(np.median(returns[others])),
    )


def _scores(values: Floats) -> Floats:
    """Normal scores of the ranks, ties averaged."""
    from scipy.special import ndtri  # noqa: PLC0415 - half a second, needed for accounts alone

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2 + 0.5)[place]
    scores = np.asarray(ndtri(ranks / values.size), dtype=np.float64)
    scores -= scores.mean()
    return scores


def _rhythms(days: Days) -> Iterator[_Rhythm]:
    """Every rhythm to test, named ones first."""
    own, before = days[1:], days[0]
    for on, rows, months in _of_months(own, before):
        for stride in STRIDES:
            for phase in range(stride):
                chosen = rows[months % stride == phase]
                yield _Rhythm(f"{on} of {_every(stride)}", chosen, OF_A_CALENDAR if stride == 1 else OF_ANY_LAG)
    first = int(own[0].astype(np.int64))
    for span in SPANS:
        for phase in range(span):
            weekday = _WEEKDAYS[(first + phase) % 7]
            on = f"every {weekday}" if span == 7 else f"every {span}th day from {own[0] + phase} on"
            targets = np.arange(own[0] + phase, own[-1] + 1, span)
            limit = OF_A_CALENDAR if span == 7 else OF_ANY_LAG
            yield _Rhythm(f"{on} or the next day with a row", _at(own, targets)[0], limit)
            yield _Rhythm(f"{on} or the last day with a row before it", _at(own, targets, is_back=True)[0], limit)
    for lag in range(2, LONGEST_LAG + 1):
        for phase in range(lag):
            rows = np.arange(phase, own.size, lag)
            if rows.size >= FEWEST:
                yield _Rhythm(f"every {lag}th row from {own[phase]} on", rows, OF_ANY_LAG)


def _every(stride: int) -> str:
    if stride == 12:
        return "one month of each year"
    return "each month" if stride == 1 else f"every {_SECOND_OF[stride]} month"


def _of_months(own: Days, before: np.datetime64) -> Iterator[tuple[str, Rows, Rows]]:
    """One row of each month and its number: by its position from either end, and by its day of the month."""
    month = own.astype("datetime64[M]").astype(np.int64)
    numbers = np.arange(month[0], month[-1] + 1)
    is_begun = before.astype("datetime64[M]").astype(np.int64) < month[0]
    is_ended = (own[-1] + np.timedelta64(3, "D")).astype("datetime64[M]").astype(np.int64) > month[-1]
    places = np.arange(own.size)
    begins = np.searchsorted(month, month)
    ends = np.searchsorted(month, month, side="right") - 1
    whole = (month > month[0]) | is_begun, (month < month[-1]) | is_ended
    for name, place, sound in (("first", places - begins, whole[0]), ("last", ends - places, whole[1])):
        for at in range(int(place.max()) + 1):
            rows = np.flatnonzero((place == at) & sound)
            on = f"the {name} session" if at == 0 else f"the session {at} after the first"
            yield on if name == "first" or at == 0 else f"the session {at} before the last", rows, month[rows]
    lengths = np.diff(np.arange(month[0], month[-1] + 2).astype("datetime64[M]").astype("datetime64[D]"))
    begin = numbers.astype("datetime64[M]").astype("datetime64[D]")
    for day in range(1, 32):
        targets = begin + np.minimum(np.timedelta64(day - 1, "D"), lengths - np.timedelta64(1, "D"))
        for is_back, moved in ((False, "the next day with a row"), (True, "the last day with a row before it")):
            rows, which = _at(own, targets, is_back=is_back)
            yield f"day {day} (or {moved})", rows, numbers[which]


def _at(own: Days, targets: Days, *, is_back: bool = False) -> tuple[Rows, Rows]:
    """The row of each target or the nearest one within a market closure, and which targets have one."""
    places = np.searchsorted(own, targets, side="right") - 1 if is_back else np.searchsorted(own, targets)
    inside = (places >= 0) & (places < own.size)
    apart = np.abs((own[np.clip(places, 0, own.size - 1)] - targets).astype(np.int64))
    reached = np.flatnonzero(inside & (apart <= REST))
    rows, first = np.unique(places[reached], return_index=True)
    return rows, reached[first]
