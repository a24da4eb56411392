"""Which trials are the same bet, and so the number of independent ones.

Trials are identified by their returns and not by their names. Two are one bet if their returns are equal up to
leverage, sign, noise and a constant: if the absolute value of their correlation is above a limit. A constant is a cost
or a rate and not another idea. It may apply to all rows, or only to those on which the trial was not at rest; so rows
of rest count as 0, and the others are taken less their mean.

López de Prado and Lewis (2019, "Detection of false investment strategies using unsupervised learning methods",
Quantitative Finance 19) count clusters of correlated trials as the effective number of trials, which the deflated
Sharpe ratio needs. They cluster by k-means from random beginnings. Here it is complete linkage on 1 − |ρ|: it draws
nothing at random, the order of the trials does not matter, and every two trials of a cluster are above the limit.
Single linkage would join a whole grid of parameters, whose ends have nothing in common, through its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.stats.errors import InputError
from signoff.stats.sample import Floats, matrix

Similarity = NDArray[np.float32]
_GONE: Final = -1.0
STRIP: Final = 256
_REST_ROWS: Final = 64
_RESTING: Final = 0.25
"""The least share of rows with the same return on which a trial is at rest."""
_STILL: Final = 1e-6
_EQUALLY_GOOD: Final = 1e-9
_EQUALLY_CENTRAL: Final = 1e-5
"""Members whose mean correlation with their cluster differs by less are equally central."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """The trials that are one bet: their columns, the most central one, and which of them are its reversal.

    `central` is, of the most central ones, the first with the largest Sharpe ratio, so that a copy with costs does not
    represent a trial without. `reversed` are those with the opposite sign of the first column.
    """

    columns: tuple[int, ...]
    central: int
    reversed: tuple[int, ...]

    @property
    def sign(self) -> float:
        """The factor that gives the central trial the sign of the first column."""
        return -1.0 if self.central in self.reversed else 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resemblance:
    """The similarity of trials, and the order in which complete linkage joins them, down to `lowest`.

    `alike` are the columns that resemble another one; `similarity` is of these alone.
    """

    trials: int
    alike: NDArray[np.int64]
    similarity: Similarity
    sharpes: Floats
    joined: tuple[tuple[int, int, float], ...]
    lowest: float

    def bets(self, limit: float) -> tuple[Bet, ...]:
        """The clusters within which every two trials have |ρ| above `limit`, in the order of their first columns."""
        if limit < self.lowest:
            raise InputError(
                f"limit: expected at least {self.lowest:g}, down to which trials were joined; found {limit:g}."
            )
        parent = list(range(self.alike.size))
        for one, other, similarity in self.joined:
            if similarity > limit:
                first, second = sorted((_root(parent, one), _root(parent, other)))
                parent[second] = first
        members: dict[int, list[int]] = {}
        for place in range(len(parent)):
            members.setdefault(_root(parent, place), []).append(place)
        alone = np.setdiff1d(np.arange(self.trials), self.alike)
        single = (Bet(columns=(column,), central=column, reversed=()) for column in alone.tolist())
        bets = (*single, *(self._bet(places) for places in members.values()))
        return tuple(sorted(bets, key=lambda bet: bet.columns))

    def _bet(self, places: Sequence[int]) -> Bet:
        columns = self.alike[places].tolist()
        within = self.similarity[np.ix_(places, places)]
        mean = np.abs(within).mean(axis=0)
        equally = np.flatnonzero(mean >= mean.max() - _EQUALLY_CENTRAL)
        sharpes = self.sharpes[self.alike[places][equally]]
        central = int(equally[np.flatnonzero(sharpes >= sharpes.max() - _EQUALLY_GOOD)[0]])
        turned = tuple(column for column, rho in zip(columns, within[0].tolist(), strict=True) if rho < 0)
        return Bet(columns=tuple(columns), central=columns[central], reversed=turned)


def resemblance(trials: Floats, *, lowest: float) -> Resemblance:
    """Correlations of (T, N) `trials`, and their complete linkage as far as |ρ| stays above `lowest`.

    Single precision is enough for any limit. The N by N correlations are computed in strips, and kept only for columns
    that resemble another one.

    Raises
    ------
    InputError
        NaN or infinite entries, with row and column.
    """
    unit, sharpes = _at_unit_length(trials)
    alike = _with_a_like(unit, lowest)
    chosen = unit if alike.size == unit.shape[1] else np.ascontiguousarray(unit[:, alike])
    similarity = np.asarray(chosen.T @ chosen, dtype=np.float32)
    joined = tuple(_joined(np.abs(similarity), lowest))
    return Resemblance(
        trials=unit.shape[1], alike=alike, similarity=similarity, sharpes=sharpes, joined=joined, lowest=lowest
    )


def _at_unit_length(trials: Floats) -> tuple[Similarity, Floats]:
    """The columns less their constants at unit length, and their Sharpe ratios before that."""
    scale = np.maximum(trials.max(axis=0, initial=0.0), -trials.min(axis=0, initial=0.0))
    if not np.isfinite(scale).all():
        matrix(trials, "trials")
    scaled = trials / np.where(scale > 0, scale, 1.0)
    deviations = scaled.std(axis=0)
    sharpes = np.asarray(scaled.mean(axis=0) / np.where(deviations > 0, deviations, np.inf), dtype=np.float64)
    resting = _at_rest(scaled)
    for column in np.flatnonzero(np.isfinite(resting)):
        _center_active(scaled[:, column], resting[column])
    scaled -= scaled.mean(axis=0) * ~np.isfinite(resting)
    unit = scaled.astype(np.float32)
    norms = np.sqrt(np.einsum("tn,tn->n", unit, unit))
    unit /= np.where(norms > 0, norms, np.float32(1.0))
    return np.asarray(unit, dtype=np.float32), sharpes


def _at_rest(scaled: Floats) -> Floats:
    """The return that each column repeats on at least a quarter of its rows; NaN if there is none.

    A few rows give the candidate, and all rows confirm it.
    """
    rows = scaled.shape[0]
    few = np.sort(scaled[np.unique(np.linspace(0, max(rows - 1, 0), min(_REST_ROWS, rows)).astype(np.int64))], axis=0)
    resting = np.full(scaled.shape[1], np.nan)
    lag = max(int(few.shape[0] * _RESTING / 2), 1)
    for column in np.flatnonzero((few[lag:] == few[:-lag]).any(axis=0)):
        value = few[:-lag, column][few[lag:, column] == few[:-lag, column]][0]
        if np.mean(scaled[:, column] == value) >= _RESTING:
            resting[column] = value
    return resting


def _center_active(column: Floats, rest: float) -> None:
    """Write 0 on the rows of rest and the others less their mean; if these do not vary, all less the whole mean."""
    active = column != rest
    others = column[active]
    if others.size and np.ptp(others) > _STILL:
        column[active] = others - others.mean()
        column[~active] = 0.0
    else:
        column -= column.mean()


def _with_a_like(unit: Similarity, lowest: float) -> NDArray[np.int64]:
    """The columns whose correlation with another is above `lowest` in size."""
    has = np.zeros(unit.shape[1], np.bool_)
    for begin in range(0, unit.shape[1], STRIP):
        strip = np.abs(unit[:, begin : begin + STRIP].T @ unit[:, begin:])
        strip[np.arange(strip.shape[0]), np.arange(strip.shape[0])] = _GONE
        close = strip > lowest
        has[begin : begin + STRIP] |= close.any(axis=1)
        has[begin:] |= close.any(axis=0)
    return np.flatnonzero(has)


def _joined(left: Similarity, lowest: float) -> list[tuple[int, int, float]]:
    """Complete linkage by nearest-neighbour chains: every pair that is joined, and the smallest |ρ| across the two.

    `left` is overwritten. A cluster's similarity to others only falls as they grow, so one without a neighbour above
    `lowest` is finished.
    """
    np.fill_diagonal(left, _GONE)
    joined: list[tuple[int, int, float]] = []
    for start in range(left.shape[0]):
        chain = [start]
        while chain:
            top = chain[-1]
            row = left[top]
            nearest = int(np.argmax(row))
            before = chain[-2] if len(chain) > 1 else None
            if before is not None and row[before] == row[nearest]:
                joined.append((before, top, float(row[before])))
                _join(left, before, top)
                del chain[-2:]
                if not chain:
                    chain.append(before)
            elif row[nearest] > lowest:
                chain.append(nearest)
            else:
                left[top, :] = left[:, top] = _GONE
                chain.pop()
    return joined


def _join(left: Similarity, one: int, other: int) -> None:
    both = np.minimum(left[one], left[other])
    left[one, :] = left[:, one] = both
    left[other, :] = left[:, other] = _GONE
    left[one, one] = _GONE


def _root(parent: list[int], column: int) -> int:
    while parent[column] != column:
        parent[column] = parent[parent[column]]
        column = parent[column]
    return column
