"""Whether paper returns are copied from the backtest, less costs or plus a constant.

Such returns correlate with the backtest by construction and say nothing about the market. The check looks for a
multiple of the backtest plus a constant, with every stated cost, up to the rounding of the files. A fit on more than
half of the days counts, so that a few altered days hide nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Floats

FEWEST: Final = 10
MOST_DECIMALS: Final = 10
NEARLY_ONE: Final = 0.9999
EXACT: Final = 1e-9
COARSEST: Final = 0.02
"""Of the standard deviation; more coarsely rounded files show nothing."""
STARTS: Final = 10
STEPS: Final = 12
WITHOUT_COSTS: Final = 2
"""Columns of a fit without costs: the constant and the multiple."""
SEED: Final = 20190102

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A multiple of the backtest plus a constant, perhaps less stated costs, with the days on which it is exact."""

    multiple: float
    constant: float
    days: int
    of: int
    has_costs: bool
    form: str

    @property
    def words(self) -> str:
        """The fit in words."""
        constant = (
            "" if abs(self.constant) < EXACT else f" {'−' if self.constant < 0 else '+'} {abs(self.constant):.2g}"
        )
        costs = " less costs" if self.has_costs else ""
        multiple = f"{self.multiple:.4g}".replace("-", "−")
        return f"on {self.days} of {self.of} days they are {multiple} × {self.form}{constant}{costs}"


def own_returns(paper: Floats, backtest: Floats, costs: Sequence[Floats] = ()) -> str | None:
    """Why paper returns are the backtest's own; None if nothing indicates it.

    Parameters
    ----------
    paper, backtest : (n,) finite returns of the same days, in order.
    costs : (n,) each, what was stated as turnover, cost or slippage of these days; one that is not finite is left out.
    """
    moved = (backtest != 0) | (paper != 0)
    paper, backtest = paper[moved], backtest[moved]
    if paper.size < FEWEST or not (np.ptp(backtest) > 0 and np.ptp(paper) > 0):
        return None
    stated = [one[moved] for one in costs]
    usable = [one for one in (*stated, np.abs(backtest)) if np.isfinite(one).all() and np.ptp(one) > 0]
    if (fit := next(filter(None, _fits(paper, backtest, usable)), None)) is not None:
        return fit.words
    correlation = float(np.corrcoef(paper, backtest)[0, 1])
    if correlation > NEARLY_ONE:
        return f"their correlation of {correlation:.6f} over {paper.size} days leaves no room for a market's fills"
    return None


def _fits(paper: Floats, backtest: Floats, costs: Sequence[Floats]) -> Iterator[Fit | None]:
    forms = (
        (backtest, "the backtest's"),
        (np.log1p(np.maximum(backtest, -0.999)), "the logarithm of the backtest's"),
        (np.expm1(backtest), "the exponential of the backtest's"),
    )
    tolerance = _tolerance(paper, backtest)
    beside = [(), *((cost,) for cost in costs), *([tuple(costs)] if len(costs) > 1 else [])]
    for taken_off in beside:
        for values, form in forms if len(taken_off) != 1 else forms[:1]:
            yield _fit(paper, np.column_stack([np.ones(values.size), values, *taken_off]), tolerance, form)


def _fit(paper: Floats, columns: Columns, tolerance: float, form: str) -> Fit | None:
    """The fit that is exact on the most days; None if these are at most half, or too few for its parameters."""
    n, width = columns.shape
    needed = max(n // 2 + 1, 2 * width + 3)
    if n < needed:
        return None
    best, days = max(((one, _exact(paper, columns, one, tolerance)) for one in _starts(paper, columns)), key=_days)
    if days < needed or not best[1] > 0:
        return None
    return Fit(
        multiple=float(best[1]), constant=float(best[0]), days=days, of=n, has_costs=width > WITHOUT_COSTS, form=form
    )


def _starts(paper: Floats, columns: Columns) -> Iterator[Floats]:
    """Least squares over the best-fitting half of the days, from several starts (Rousseeuw's concentration)."""
    rng = np.random.default_rng(SEED)
    n, width = columns.shape
    half = n // 2 + 1
    for start in range(STARTS + 1):
        rows = np.arange(n) if start == 0 else rng.choice(n, size=width + 1, replace=False)
        chosen = _solved(paper, columns, rows)
        for _ in range(STEPS):
            rows = np.argpartition(np.abs(paper - columns @ chosen), half - 1)[:half]
            refined = _solved(paper, columns, rows)
            if np.array_equal(refined, chosen):
                break
            chosen = refined
        yield chosen


def _solved(paper: Floats, columns: Columns, rows: NDArray[np.intp]) -> Floats:
    solution, *_ = np.linalg.lstsq(columns[rows], paper[rows], rcond=None)
    return np.asarray(solution, dtype=np.float64)


def _exact(paper: Floats, columns: Columns, solution: Floats, tolerance: float) -> int:
    return int((np.abs(paper - columns @ solution) <= tolerance).sum())


def _days(one: tuple[Floats, int]) -> int:
    return one[1]


def _tolerance(paper: Floats, backtest: Floats) -> float:
    """How far rounding of both files can move an exact relation, capped so that chance does not fit."""
    scale = float(np.std(paper) / np.std(backtest))
    rounding = _half_unit(paper) + scale * _half_unit(backtest)
    return min(2 * rounding + EXACT, COARSEST * float(np.std(paper)))


def _half_unit(values: Floats) -> float:
    """Half of the last decimal of these values; 0 if they were not rounded."""
    for decimals in range(2, MOST_DECIMALS + 1):
        if np.abs(values - np.round(values, decimals)).max() < EXACT * 10.0**-decimals:
            return float(0.5 * 10.0**-decimals)
    return 0.0
