"""The family of configurations that were tried, each counted once.

A copy of a configuration is not another trial: padding a family with copies of its worst member would otherwise lower
its probability of overfitting, and the spread of the Sharpe ratios that deflation rests on. Neither is the same
configuration at another leverage, where Sharpe ratios are all that is compared. Copies are dropped, and their number is
printed.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from signoff.domain.evidence import Evidence, Floats, Trials
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.verdict import Lack
from signoff.stats.returns import is_steady

MIN_FAMILY: Final = 2
AT_A_TIME: Final = 64


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
    positions, still = _looked_at(trials, at_any_leverage=at_any_leverage)
    whole = trials.returns if len(positions) == trials.returns.shape[1] else trials.returns[:, positions]
    distinct = np.ascontiguousarray(whole)
    if distinct.shape[1] < MIN_FAMILY:
        return Lack(
            f"The file `trials` holds {_configurations(distinct.shape[1])} (of {trials.returns.shape[1]} columns); "
            "overfitting shows only against at least two. Add every configuration that was tried."
        )
    if still:
        return Lack(
            f"The returns of {len(still)} of the {len(trials.names)} configurations in the file `trials` never vary "
            f"(first {still[0]}), so they have no Sharpe ratio; run them again, or record why they could not run."
        )
    return Family(returns=distinct, copies=trials.returns.shape[1] - distinct.shape[1], source=trials.source.name)


def _looked_at(trials: Trials, *, at_any_leverage: bool) -> tuple[list[int], list[str]]:
    """Where each distinct column stands first, and the names of those that never vary; a few columns at a time.

    A family takes hundreds of megabytes: a digest stands for each column, and nothing holds it a second time.
    """
    first: dict[bytes, int] = {}
    still: list[str] = []
    for begin in range(0, trials.returns.shape[1], AT_A_TIME):
        part = trials.returns[:, begin : begin + AT_A_TIME]
        columns = np.ascontiguousarray(part.T + 0.0)  # -0.0 becomes 0.0, so that equal values have equal bytes
        kinds = _at_unit_leverage(columns) if at_any_leverage else columns
        for position, (column, kind) in enumerate(zip(columns, kinds, strict=True), begin):
            first.setdefault(sha256(kind.tobytes()).digest(), position)
            if _never_varies(column):
                still.append(trials.names[position])
    return sorted(first.values()), still


def _at_unit_leverage(columns: Floats) -> Floats:
    """Each row over its largest finite size, to twelve digits: equal for multiples of one another."""
    sizes = np.where(np.isfinite(columns), np.abs(columns), 0.0).max(axis=1, initial=0.0)
    return np.round(columns / np.where(sizes > 0, sizes, 1.0)[:, np.newaxis], 12) + 0.0


def _never_varies(returns: Floats) -> bool:
    return bool(np.isfinite(returns).all()) and is_steady(returns)


def _configurations(size: int) -> str:
    return f"{size} distinct configuration" if size == 1 else f"{size} distinct configurations"
