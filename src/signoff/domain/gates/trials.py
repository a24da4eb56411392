"""The family of configurations that were tried, each counted once.

A copy is not another trial: copies of the worst member would lower the probability of overfitting, and the spread of
Sharpe ratios that deflation uses. Where only Sharpe ratios count, the same configuration at another leverage is a copy.
Copies are dropped, and their number is printed.

A configuration with noise added or its sign reversed is the same *bet*; `bets_of` counts bets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Evidence, Floats, Trials
from signoff.domain.gates.among_trials import Nearest, nearest_trial
from signoff.domain.gates.once import once
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.verdict import Lack
from signoff.domain.quantity import Quantity, count, percent
from signoff.stats.bets import Bet, Resemblance, resemblance
from signoff.stats.returns import is_steady

MIN_FAMILY: Final = 2
PROBES: Final = 16
PROBED_ALIKE: Final = 1e-9
LOWEST_LIMIT: Final = 0.5

Columns = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Returns of the distinct trials, T by N, in their order in the file; `nearest` is the one that is the backtest.

    `family` leaves `nearest` out; `judged_family` has found it.
    """

    returns: Floats
    copies: int
    source: str
    nearest: Nearest | None = None

    @property
    def size(self) -> int:
        return int(self.returns.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bets:
    """The bets of a family, one column each, T by K.

    A bet is its most central trial. If it was tried with both signs, `returns` has the sign of its first trial in the
    file, and `better` the profitable sign.
    """

    returns: Floats
    better: Floats
    alike: int
    reversals: int
    limit: float
    resemblance: Resemblance

    @property
    def size(self) -> int:
        return int(self.returns.shape[1])

    @property
    def has_turned(self) -> bool:
        """Whether some bet was profitable with another sign than that of its first trial."""
        return self.better is not self.returns

    def figures(self, key: str) -> Iterator[Quantity]:
        """The number of bets, and the limit used."""
        yield count(f"gates.{key}.effective_trials", self.size)
        yield count(f"gates.{key}.near_copies", self.alike)
        yield count(f"gates.{key}.reversals", self.reversals)
        yield Quantity(name=f"gates.{key}.same_trial_correlation", value=self.limit)


def judged_family(evidence: Evidence, key: str, *, at_any_leverage: bool) -> Family | Lack:
    """The distinct trials, one of which is the backtest; or why gate `key` cannot judge the backtest by them.

    Raises `InputError` where they cannot be returns.
    """
    distinct = family(evidence, at_any_leverage=at_any_leverage)
    if isinstance(distinct, Lack):
        return distinct
    assert evidence.trials is not None  # `family` has seen it
    nearest = nearest_trial(evidence.backtest, evidence.trials)
    if not nearest.is_the_backtest:
        return Lack(nearest.words, tuple(membership(nearest, key)))
    return Family(returns=distinct.returns, copies=distinct.copies, source=distinct.source, nearest=nearest)


def membership(nearest: Nearest | None, key: str) -> Iterator[Quantity]:
    """The figures that show how near the backtest is to its nearest trial."""
    if nearest is not None:
        yield percent(f"gates.{key}.backtest_equals_trial", nearest.share, n=nearest.dates)
        yield Quantity(
            name=f"gates.{key}.backtest_largest_difference", value=nearest.largest, digits=6, n=nearest.dates
        )


def difference(nearest: Nearest | None) -> str:
    """A sentence on the dates on which the backtest and its trial differ; empty if there are none."""
    return f" {nearest.difference}" if nearest is not None and nearest.difference else ""


def family(evidence: Evidence, *, at_any_leverage: bool) -> Family | Lack:
    """The distinct trials, or why there is no family; with `at_any_leverage` multiples are copies too.

    Raises `InputError` where they cannot be returns.
    """
    trials = evidence.trials
    if trials is None:
        return Lack(
            "The file `trials` is missing; add the daily returns of every configuration that was tried, one column "
            "each, the rejected ones too."
        )
    return once("family", trials, at_any_leverage, lambda: _family(trials, at_any_leverage=at_any_leverage))


def _family(trials: Trials, *, at_any_leverage: bool) -> Family | Lack:
    plausible_returns(trials.returns, "trials", dimensions=2)
    positions = _distinct(trials.returns, at_any_leverage=at_any_leverage)
    still = _still(trials)
    whole = trials.returns if positions.size == trials.returns.shape[1] else trials.returns[:, positions]
    distinct = np.ascontiguousarray(whole)
    if distinct.shape[1] < MIN_FAMILY:
        return Lack(
            f"The file `trials` holds {_configurations(distinct.shape[1])} (of {trials.returns.shape[1]} columns); "
            "overfitting shows only against at least two. Add every configuration that was tried."
        )
    if still:
        return Lack(
            f"The returns of {len(still)} of the {len(trials.names)} configurations in the file `trials` never vary "
            f"(first {still[0]}), so they have no Sharpe ratio; run them again. Where they "
            "never traded, take their columns out and declare their number as evidence.never_traded in dossier.yaml."
        )
    return Family(returns=distinct, copies=trials.returns.shape[1] - distinct.shape[1], source=trials.source.name)


def bets_of(trials: Family, limit: float) -> Bets | Lack:
    """The bets of the trials, or why there are too few.

    Raises `InputError` on NaN and infinities, with row and column.
    """
    return once("bets", trials.returns, limit, lambda: _bets_of(trials, limit))


def _bets_of(trials: Family, limit: float) -> Bets | Lack:
    alike = resemblance(trials.returns, lowest=min(limit, LOWEST_LIMIT))
    bets = alike.bets(limit)
    if len(bets) < MIN_FAMILY:
        return Lack(
            f"The {trials.size:,} trials are one bet: the correlation of every two is above {limit:g} in size. "
            "Overfitting shows only against at least two; add every configuration that was tried."
        )
    returns, better = sides(trials.returns, bets)
    return Bets(
        returns=returns,
        better=better,
        alike=trials.size - len(bets),
        reversals=sum(len(bet.reversed) for bet in bets),
        limit=limit,
        resemblance=alike,
    )


def sides(returns: Floats, bets: tuple[Bet, ...]) -> tuple[Floats, Floats]:
    """One column for each bet: with the sign of its first trial, and with the profitable sign.

    Both are the same array if no bet was tried with both signs, or the first sign of each was profitable.
    """
    if len(bets) == returns.shape[1]:
        return returns, returns
    first = np.ascontiguousarray(returns[:, [bet.central for bet in bets]] * np.array([bet.sign for bet in bets]))
    losing = first.mean(axis=0) < 0
    turned = losing & np.array([bool(bet.reversed) for bet in bets])
    return first, np.where(turned, -first, first) if turned.any() else first


def _distinct(returns: Floats, *, at_any_leverage: bool) -> Columns:
    """The first place of each distinct column.

    A few probed rows tell nearly all columns apart. Only columns that agree there are compared whole, by digests, so
    that a family of hundreds of megabytes is not copied.
    """
    rows, columns = returns.shape
    repeated: list[int] = []
    for group in _agreeing(_probed(returns, rows, at_any_leverage=at_any_leverage)):
        seen: set[bytes] = set()
        for column in np.sort(group):
            values = returns[:, column] + 0.0  # -0.0 becomes 0.0, so that equal values have equal bytes
            kind = _at_unit_leverage(values) if at_any_leverage else values
            if (digest := sha256(kind.tobytes()).digest()) in seen:
                repeated.append(column)
            seen.add(digest)
    return np.setdiff1d(np.arange(columns), repeated) if repeated else np.arange(columns)


def _probed(returns: Floats, rows: int, *, at_any_leverage: bool) -> Floats:
    """One number for each column from a few of its rows, nearly equal for copies; at any leverage, for multiples."""
    places = np.unique(np.linspace(0, max(rows - 1, 0), min(PROBES, rows)).astype(np.int64))
    probes = np.asarray(returns[places], dtype=np.float64)
    probes = np.where(np.isfinite(probes), probes, 0.0)
    if at_any_leverage:
        sizes = np.abs(probes).max(axis=0, initial=0.0)
        probes = probes / np.where(sizes > 0, sizes, 1.0)
    weights = np.sqrt(np.arange(2.0, places.size + 2))
    return np.asarray(weights @ probes, dtype=np.float64)


def _agreeing(numbers: Floats) -> list[Columns]:
    """The groups of two or more columns whose numbers agree with their neighbour's."""
    order = np.argsort(numbers, kind="stable")
    breaks = np.flatnonzero(np.diff(numbers[order]) > PROBED_ALIKE) + 1
    edges = np.concatenate([[0], breaks, [order.size]])
    crowded = np.flatnonzero(np.diff(edges) > 1)
    return [order[edges[group] : edges[group + 1]] for group in crowded]


def _at_unit_leverage(column: Floats) -> Floats:
    """The column over its largest finite size, to twelve digits: equal for multiples of one another."""
    size = np.where(np.isfinite(column), np.abs(column), 0.0).max(initial=0.0)
    return np.asarray(np.round(column / (size if size > 0 else 1.0), 12) + 0.0, dtype=np.float64)


def _still(trials: Trials) -> list[str]:
    """The names of the trials that never vary; comparing first, middle and last row settles most of them."""
    returns = trials.returns
    rows = returns.shape[0]
    if rows == 0:
        return []
    few = np.asarray(returns[:: max(1, rows // PROBES)], dtype=np.float64)
    low, high = few.min(axis=0), few.max(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        varies = high - low > PROBED_ALIKE * np.maximum(np.abs(low), np.abs(high))
    return [trials.names[column] for column in np.flatnonzero(~varies) if _never_varies(returns[:, column])]


def _never_varies(returns: Floats) -> bool:
    return bool(np.isfinite(returns).all()) and is_steady(returns)


def _configurations(size: int) -> str:
    return f"{size} distinct configuration" if size == 1 else f"{size} distinct configurations"
