"""The family of configurations that were tried, each counted once.

A copy of a configuration is not another trial: padding a family with copies of its worst member would otherwise lower
its probability of overfitting, and the spread of the Sharpe ratios that deflation rests on. Neither is the same
configuration at another leverage, where Sharpe ratios are all that is compared. Copies are dropped, and their number is
printed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.domain.evidence import Evidence, Floats
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.verdict import Lack
from signoff.stats.sample import is_constant

MIN_FAMILY: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Returns of the distinct trials, T by N, in the order they were given."""

    returns: Floats
    copies: int
    source: str

    @property
    def size(self) -> int:
        return int(self.returns.shape[1])


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
    plausible_returns(trials.returns, "trials", dimensions=2)
    columns = np.ascontiguousarray(trials.returns.T + 0.0)  # -0.0 becomes 0.0, so that equal values have equal bytes
    kinds = _at_unit_leverage(columns) if at_any_leverage else columns
    first = {kind.tobytes(): position for position, kind in reversed(tuple(enumerate(kinds)))}
    distinct = np.ascontiguousarray(trials.returns[:, sorted(first.values())])
    if distinct.shape[1] < MIN_FAMILY:
        return Lack(
            f"The file `trials` holds {_configurations(distinct.shape[1])} (of {trials.returns.shape[1]} columns); "
            "overfitting shows only against at least two. Add every configuration that was tried."
        )
    if still := [name for name, column in zip(trials.names, columns, strict=True) if _never_varies(column)]:
        return Lack(
            f"The returns of {len(still)} of the {len(trials.names)} configurations in the file `trials` never vary "
            f"(first {still[0]}), so they have no Sharpe ratio; run them again, or record why they could not run."
        )
    return Family(returns=distinct, copies=trials.returns.shape[1] - distinct.shape[1], source=trials.source.name)


def _at_unit_leverage(columns: Floats) -> Floats:
    """Each row over its largest finite size, to twelve digits: equal for multiples of one another."""
    sizes = np.where(np.isfinite(columns), np.abs(columns), 0.0).max(axis=1, initial=0.0)
    return np.round(columns / np.where(sizes > 0, sizes, 1.0)[:, np.newaxis], 12) + 0.0


def _never_varies(returns: Floats) -> bool:
    return bool(np.isfinite(returns).all()) and is_constant(returns)


def _configurations(size: int) -> str:
    return f"{size} distinct configuration" if size == 1 else f"{size} distinct configurations"
