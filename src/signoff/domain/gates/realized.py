"""Whether `realized` of the predictions is what the assets returned over the declared horizon.

Accuracy compares two columns of one file, and its author wrote both. Where the release also has the returns of the
same assets, the realised returns are those, compounded over the horizon. The compounding may begin on the day of a
prediction or one or two sessions later; one beginning holds for the whole table.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import AssetReturns, CodedSymbols, Evidence, Floats, Predictions
from signoff.domain.quantity import Quantity, Unit, number, percent

BEGINNINGS: Final = (0, 1, 2)
"""Sessions from a prediction's day to the first return of its horizon."""
FEWEST: Final = 30
FEWEST_OF_DAY: Final = 3
WITHIN: Final = 1e-6
ROUGHLY: Final = 6e-5
"""Within which a cause explains a row: percentages are often written with two decimals."""
COARSEST: Final = 4
FINEST: Final = 8
"""Decimals to which returns may be rounded."""
MOSTLY: Final = 0.5
"""The share of rows on which a cause has to hold to be named."""
SMALLEST: Final = -1 + 1e-12
UNROUNDED: Final = 1e-12
MOST_OF_ASSETS: Final = 1_000_000
FEW_ASSETS: Final = 20
MOST_SAMPLED: Final = 100_000
"""Rows that are compared where nothing is decided: five million are not spread out for one printed share."""

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """On which share of the `rows` that both tables have `realized` is the assets' return, and why it may not be.

    `others` are the places of the predictions on which it is another return.
    """

    share: float
    rows: int
    horizon: int
    cause: str
    others: Places

    @property
    def found(self) -> str:
        """The share with its rows."""
        return f"{number(self.share, Unit.PERCENT, 1)}% of {self.rows:,} rows that both have"

    def words(self, limit: float, predictions: str, assets: str) -> str:
        """Why the predictions are not judged."""
        sessions = "1 session" if self.horizon == 1 else f"{self.horizon} sessions"
        return (
            f"Column realized of {predictions} is the return of {assets}, compounded over the {sessions} of "
            f"validation.prediction_horizon, on {self.found}; expected at least {number(limit, Unit.PERCENT, 0)}% "
            f"(gates.spa.realized_agreement). {self.cause} Write the returns that came after each prediction as "
            "fractions, or correct the horizon."
        )

    def figures(self) -> Iterator[Quantity]:
        yield percent("gates.spa.realized_agrees", self.share, n=self.rows)


def sampled_agreement(evidence: Evidence, horizon: int) -> Agreement | None:
    """The agreement at a horizon that nobody declared, on a random sample where rows or assets are many."""
    predictions, assets = evidence.predictions, evidence.asset_returns
    if predictions is None or assets is None:
        return None
    rng, symbols = np.random.default_rng(0), predictions.symbols
    rows = np.arange(0)
    if assets.returns.size > MOST_OF_ASSETS:
        names = symbols.names if isinstance(symbols, CodedSymbols) else np.unique(symbols[:MOST_SAMPLED])
        few = rng.permutation(names)[:FEW_ASSETS]
        assets = _of_assets(assets, few)
        coded = _coded(names, np.sort(few)) >= 0
        rows = np.flatnonzero(coded[symbols.codes] if isinstance(symbols, CodedSymbols) else _is_any(symbols, few))
    elif predictions.prediction.size > MOST_SAMPLED:
        rows = np.unique(rng.integers(0, predictions.prediction.size, MOST_SAMPLED))
    if rows.size > MOST_SAMPLED:
        rows = rows[np.unique(rng.integers(0, rows.size, MOST_SAMPLED))]
    told = predictions if not rows.size else _of_rows(predictions, rows)
    return agreement(replace(evidence, predictions=told, asset_returns=assets), horizon)


def _of_rows(predictions: Predictions, rows: NDArray[np.intp]) -> Predictions:
    return replace(
        predictions,
        timestamps=predictions.timestamps[rows],
        symbols=predictions.symbols[rows],
        prediction=predictions.prediction[rows],
        realized=predictions.realized[rows],
        confidence=None,
    )


def _of_assets(assets: AssetReturns, names: NDArray[np.str_]) -> AssetReturns:
    kept = _is_any(assets.symbols, names)
    return replace(assets, dates=assets.dates[kept], symbols=assets.symbols[kept], returns=assets.returns[kept])


def _is_any(symbols: NDArray[np.str_], names: NDArray[np.str_]) -> Flags:
    """Where a long column of names has one of a few; one name at a time, since sorting it would copy it."""
    found = np.zeros(symbols.size, dtype=np.bool_)
    for name in names:
        found |= symbols == name
    return found


def agreement(evidence: Evidence, horizon: int | None) -> Agreement | None:
    """How far the realised returns are those of the assets; None where nothing was declared, or too few rows are."""
    predictions, assets = evidence.predictions, evidence.asset_returns
    if predictions is None or assets is None or horizon is None:
        return None
    table = _Compounded.of(assets, horizon)
    first, coded = table.rows_of(predictions)
    begun = [
        found for each in BEGINNINGS if (found := _Realized.of(table, first + each, coded, predictions)) is not None
    ]
    if not begun:
        return None
    best = max(begun, key=lambda one: one.share)
    earlier = _Realized.of(table, first - horizon, coded, predictions)
    cause = next((said for one in begun if (said := one.cause)), "")
    if not cause and earlier is not None and earlier.share > MOSTLY:
        cause = "It is the return before each prediction."
    return Agreement(
        share=best.share,
        rows=best.rows,
        horizon=horizon,
        cause=cause or "No unit explains it.",
        others=best.others,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Realized:
    """Realised returns beside what they should be, on the rows of one beginning that say anything."""

    told: Flags
    came: Floats
    should: Floats
    days: NDArray[np.datetime64]
    within: float

    @classmethod
    def of(cls, table: "_Compounded", begin: Places, coded: Places, predictions: Predictions) -> "_Realized | None":
        """None where too few rows have an asset's whole horizon; rows that are zero on both sides agree on nothing."""
        expected, told = table.over(begin, coded)
        within = _rounding(predictions.realized) + table.rounding + WITHIN
        told[told] = np.maximum(np.abs(predictions.realized[told]), np.abs(expected[told])) > within
        if told.sum() < FEWEST:
            return None
        return cls(
            told=told,
            came=predictions.realized[told],
            should=expected[told],
            days=predictions.timestamps[told].astype("datetime64[D]"),
            within=within,
        )

    @property
    def rows(self) -> int:
        return int(self.came.size)

    @property
    def share(self) -> float:
        return self._share(self.came, self.within)

    @property
    def others(self) -> Places:
        """The places of the rows whose realised return is another one."""
        is_other = self.told.copy()
        is_other[self.told] = np.abs(self.came - self.should) > self.within
        return np.flatnonzero(is_other).astype(np.int64)

    @property
    def cause(self) -> str:
        """The unit or convention in which most rows agree, as a sentence; empty where none does."""
        if self.share > MOSTLY:
            return "The other rows have returns of their own."
        units = (
            (self.came / 100, "It looks like percent: divide column realized by 100."),
            (self.came / 10_000, "It looks like basis points: divide column realized by 10,000."),
            (self.came * 100, "The asset returns look like percent, and column realized like fractions."),
            (np.expm1(np.minimum(self.came, 10.0)), "It looks like logarithmic returns: write exp(x) − 1."),
            (-self.came, "It is the return with the opposite sign, as of a short position."),
            (self._centred, "It is the assets' return less one figure for each day, as in excess of a market."),
        )
        return next((said for values, said in units if self._share(values, max(self.within, ROUGHLY)) > MOSTLY), "")

    def _share(self, values: Floats, within: float) -> float:
        return float(np.mean(np.abs(values - self.should) <= within))

    @property
    def _centred(self) -> Floats:
        """Less the mean difference of each day; a day of fewer than 3 rows explains nothing."""
        _, codes, counts = np.unique(self.days, return_inverse=True, return_counts=True)
        means = np.bincount(codes, weights=self.came - self.should) / counts
        return np.asarray(self.came - np.where(counts >= FEWEST_OF_DAY, means, 0.0)[codes], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Compounded:
    """Asset returns in the order of symbol and day; `growth` is the log worth before each row, and after the last."""

    names: NDArray[np.str_]
    symbols: Places
    keys: Places
    growth: Floats
    first: int
    span: int
    horizon: int
    rounding: float

    @classmethod
    def of(cls, assets: AssetReturns, horizon: int) -> "_Compounded":
        names, codes = np.unique(assets.symbols, return_inverse=True)
        days = assets.dates.astype("datetime64[D]").astype(np.int64)
        first, span = int(days.min()), int(np.ptp(days)) + 2
        keys = codes.astype(np.int64) * span + (days - first)
        order = np.argsort(keys, kind="stable")
        logs = np.log1p(np.maximum(assets.returns[order], SMALLEST))
        return cls(
            names=names,
            symbols=codes[order].astype(np.int64),
            keys=keys[order],
            growth=np.concatenate([[0.0], np.cumsum(logs)]),
            first=first,
            span=span,
            horizon=horizon,
            rounding=horizon * _rounding(assets.returns),
        )

    def rows_of(self, predictions: Predictions) -> tuple[Places, Places]:
        """The first row of each prediction's asset that is not before its day, and the asset; −1 where unknown."""
        symbols = predictions.symbols
        if isinstance(symbols, CodedSymbols):
            coded = _coded(symbols.names, self.names)[symbols.codes]
        else:
            coded = _coded(symbols, self.names)
        days = predictions.timestamps.astype("datetime64[D]").astype(np.int64) - self.first
        keys = np.maximum(coded, 0) * self.span + np.clip(days, 0, self.span - 1)
        found = np.searchsorted(self.keys, keys)
        return found.astype(np.int64), np.where(days >= 0, coded, -1)

    def over(self, begin: Places, coded: Places) -> tuple[Floats, Flags]:
        """The compounded return of the horizon's rows from `begin` on, and where the asset has them all."""
        end = begin + self.horizon
        held = np.asarray((coded >= 0) & (begin >= 0) & (end <= self.keys.size), dtype=np.bool_)
        inside = np.flatnonzero(held)
        held[inside] = (self.symbols[begin[inside]] == coded[inside]) & (self.symbols[end[inside] - 1] == coded[inside])
        found = np.full(begin.size, np.nan)
        found[held] = np.expm1(self.growth[end[held]] - self.growth[begin[held]])
        return found, held


def _coded(symbols: NDArray[np.str_], names: NDArray[np.str_]) -> Places:
    """Each symbol's place among the names, −1 where it is none of them."""
    places = np.minimum(np.searchsorted(names, symbols), names.size - 1)
    return np.where(names[places] == symbols, places, -1).astype(np.int64)


def _rounding(values: Floats) -> float:
    """Half a unit of the last decimal that a column is rounded to; 0 where it is not rounded, or too coarsely."""
    for decimals in range(COARSEST, FINEST):
        if np.abs(values - np.round(values, decimals)).max(initial=0.0) <= UNROUNDED:
            return float(0.5 * 10.0**-decimals)
    return 0.0
