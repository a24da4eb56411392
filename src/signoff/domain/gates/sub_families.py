"""Parts of a family by which the backtest is judged too: without junk, without a crowd, related trials alone.

A family can be padded with trials that change its figures and would never have been chosen. Leaving them out shows
their effect on a verdict.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Floats
from signoff.domain.gates.trials import MIN_FAMILY, Bets
from signoff.domain.sampling import Sampling
from signoff.stats.crowds import crowd, poor
from signoff.stats.overfitting import unchoosable

AKIN: Final = 0.5
"""The absolute correlation with the backtest above which a bet is akin to it."""
FEWEST_AKIN: Final = 3
ROUNDING: Final = 1e-12
CROWD: Final = "unrelated trials of about equal Sharpe ratios"

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubFamily:
    """Some of the bets: `bets` marks them, `counted` says which they are, and `key` names their figure."""

    key: str
    counted: str
    bets: Flags

    @property
    def size(self) -> int:
        return int(self.bets.sum())

    @property
    def left_out(self) -> int:
        return int(self.bets.size - self.bets.sum())


def junk(bets: Bets, time: Sampling, *, partitions: int, share: float) -> Flags:
    """The bets that would never be chosen, by either of two rules, however many they are.

    The best bet beats them in nearly every half of the record, or they are clearly worse than the better ones.
    """
    earned = time.excess(bets.better)
    sharpes = earned.mean(axis=0) / earned.std(axis=0, ddof=1)
    poorer: Flags = poor(sharpes, sqrt(1 / earned.shape[0]))
    return np.asarray(unchoosable(earned, partitions=partitions, share=share) | poorer, dtype=np.bool_)


def better_half(returns: Floats) -> Flags:
    """The bets whose Sharpe ratio is above the median by more than rounding."""
    sharpes = returns.mean(axis=0) / returns.std(axis=0)
    return np.asarray(sharpes > np.median(sharpes) + ROUNDING, dtype=np.bool_)


def of_deflation(bets: Bets, own: Floats, sharpes: Floats, is_junk: Flags | None) -> Iterator[SubFamily]:
    """The parts by which the backtest is deflated too; `own` are its returns on the trials' rows.

    Each part includes the backtest's own bet.
    """
    unit, likeness = _likeness(bets.returns, own)
    is_own = np.arange(bets.size) == int(np.argmax(likeness))
    akin = (likeness > AKIN) | is_own
    whole = np.ones(bets.size, np.bool_)
    if (left := _uncrowded(whole, akin, unit, sharpes)) is not None:
        yield SubFamily(key="without_crowd", counted=_less(whole, left, CROWD), bets=left)
    if is_junk is not None and not (sound := ~is_junk | is_own).all():
        yield SubFamily(key="without_junk", counted=_less(whole, sound, "junk trials"), bets=sound)
        if (left := _uncrowded(sound, akin, unit, sharpes)) is not None:
            counted = f"{_less(whole, sound, 'junk trials')} and {_less(sound, left, CROWD)}"
            yield SubFamily(key="without_junk_and_crowd", counted=counted, bets=left)
    if FEWEST_AKIN <= akin.sum() < bets.size:
        yield SubFamily(key="akin_alone", counted=f"by the {int(akin.sum()):,} akin to the backtest alone", bets=akin)


def _less(before: Flags, after: Flags, what: str) -> str:
    less = int(before.sum() - after.sum())
    return f"without {less:,} {what if less != 1 else what.replace('trials', 'trial')}"


def _uncrowded(family: Flags, akin: Flags, unit: NDArray[np.float32], sharpes: Floats) -> Flags | None:
    """The family with each crowd counted as one trial; None if it has no crowd."""
    others = np.flatnonzero(family & ~akin)
    crowded = others[_crowd(unit[:, others], sharpes[others])]
    if not crowded.size:
        return None
    left = family.copy()
    left[crowded] = False
    return left


def _likeness(returns: Floats, own: Floats) -> tuple[NDArray[np.float32], Floats]:
    """The bets less their means at unit length, and the size of their correlation with the backtest."""
    unit = (returns - returns.mean(axis=0)).astype(np.float32)
    unit /= np.sqrt(np.einsum("tn,tn->n", unit, unit))
    mine = own - own.mean()
    mine = mine / (np.sqrt(mine @ mine) or 1.0)
    return unit, np.abs(mine.astype(np.float32) @ unit).astype(np.float64)


def _crowd(unit: NDArray[np.float32], sharpes: Floats) -> Flags:
    if sharpes.size < MIN_FAMILY:
        return np.zeros(sharpes.size, np.bool_)

    def correlation(places: NDArray[np.int64]) -> float:
        """Their mean correlation: the sum of K columns of unit length has a square of K + K·(K − 1)·ρ̄."""
        size = places.size
        total = unit[:, places].sum(axis=1, dtype=np.float64)
        return float((total @ total - size) / (size * (size - 1))) if size > 1 else 0.0

    error = sqrt((1 + float(np.median(sharpes**2)) / 2) / unit.shape[0])
    return crowd(sharpes, error, correlation)
