"""The family of configurations that were tried, each counted once.

A copy of a configuration is not another trial: padding a family with copies of its worst member would otherwise lower
its probability of overfitting, and the spread of the Sharpe ratios that deflation rests on. Neither is the same
configuration at another leverage, where Sharpe ratios are all that is compared. Copies are dropped, and their number is
printed.

Nor is one with noise added or with its sign reversed: these are one *bet*, and `bets_of` says how many bets there were.
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
    """Returns of the distinct trials, T by N, in the order they were given; `nearest` is the one that is the backtest.

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
    """What the trials of a family amount to: one column for each bet, T by K.

    A bet is its most central trial. Where it was tried with both signs, `returns` has it with the sign of its first
    trial in the file, and `better` with the sign under which it earned.
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
        """Whether some bet earned with the other sign than that of its first trial."""
        return self.better is not self.returns

    def figures(self, key: str) -> Iterator[Quantity]:
        """How many bets there were, and by which limit."""
        yield count(f"gates.{key}.effective_trials", self.size)
        yield count(f"gates.{key}.near_copies", self.alike)
        yield count(f"gates.{key}.reversals", self.reversals)
        yield Quantity(name=f"gates.{key}.same_trial_correlation", value=self.limit)


def judged_family(evidence: Evidence, key: str, *, at_any_leverage: bool) -> Family | Lack:
    """The distinct trials, one of which is the backtest; or why gate `key` cannot judge the backtest by them.

    Raises `InputError` where they cannot be returns.
    """
    found = family(evidence, at_any_leverage=at_any_leverage)
    if isinstance(found, Lack):
        return found
    assert evidence.trials is not None  # `family` has seen it
    nearest = nearest_trial(evidence.backtest, evidence.trials)
    if not nearest.is_the_backtest:
        return Lack(nearest.words, tuple(membership(nearest, key)))
    return Family(returns=found.returns, copies=found.copies, source=found.source, nearest=nearest)


def membership(nearest: Nearest | None, key: str) -> Iterator[Quantity]:
    """How far the backtest is its nearest trial."""
    if nearest is not None:
        yield percent(f"gates.{key}.backtest_equals_trial", nearest.share, n=nearest.dates)
        yield Quantity(
            name=f"gates.{key}.backtest_largest_difference", value=nearest.largest, digits=6, n=nearest.dates
        )


def difference(nearest: Nearest | None) -> str:
    """Where the backtest and its trial are not equal, as the next sentence of an explanation; empty where nowhere."""
    return f" {nearest.difference}" if nearest is not None and nearest.difference else ""


def family(evidence: Evidence, *, at_any_leverage: bool) -> Family | Lack:
    """The distinct trials, or why there is no family to judge by; `at_any_leverage`, multiples are copies too.

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
    """The bets that the trials amount to, or why there are too few.

    Raises `InputError` on NaN and infinities, with row and column.
    """
    return once("bets", trials.returns, limit, lambda: _bets_of(trials, limit))


def _bets_of(trials: Family, limit: float) -> Bets | Lack:
    alike = resemblance(trials.returns, lowest=min(limit, LOWEST_LIMIT))
    found = alike.bets(limit)
    if len(found) < MIN_FAMILY:
        return Lack(
            f"The {trials.size:,} trials are one bet: the correlation of every two is above {limit:g} in size. "
            "Overfitting shows only against at least two; add every configuration that was tried."
        )
    returns, better = sides(trials.returns, found)
    return Bets(
        returns=returns,
        better=better,
        alike=trials.size - len(found),
        reversals=sum(len(bet.reversed) for bet in found),
        limit=limit,
        resemblance=alike,
    )


def sides(returns: Floats, found: tuple[Bet, ...]) -> tuple[Floats, Floats]:
    """One column for each bet: with the sign of its first trial, and with that under which it earned.

    They are one and the same array where no bet was tried with both signs, or all earned with their first.
    """
    if len(found) == returns.shape[1]:
        return returns, returns
    first = np.ascontiguousarray(returns[:, [bet.central for bet in found]] * np.array([bet.sign for bet in found]))
    losing = first.mean(axis=0) < 0
    turned = losing & np.array([bool(bet.reversed) for bet in found])
    return first, np.where(turned, -first, first) if turned.any() else first


def _distinct(returns: Floats, *, at_any_leverage: bool) -> Columns:
    """Where each distinct column stands first.

    A few probed rows tell nearly all columns apart. Only those that agree there are compared whole: a digest stands for
    each, and nothing holds a family of hundreds of megabytes a second time.
    """
    rows, columns = returns.shape
    repeated: list[int] = []
    for group in _agreeing(_probed(returns, rows, at_any_leverage=at_any_leverage)):
        seen: set[bytes] = set()
        for column in np.sort(group):
            values = returns[:, column] + 0.0  # -0.0 becomes 0.0, so that equal values have equal bytes
            kind = _at_unit_leverage(values) if at_any_leverage else values
            if (known := sha256(kind.tobytes()).digest()) in seen:
                repeated.append(column)
            seen.add(known)
    return np.setdiff1d(np.arange(columns), repeated) if repeated else np.arange(columns)


def _probed(returns: Floats, rows: int, *, at_any_leverage: bool) -> Floats:
    """One number for each column out of a few of its rows, all but equal for copies; at any leverage, for multiples."""
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
    """The names of the trials that never vary; the first row against the last and the middle tells most of them."""
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
