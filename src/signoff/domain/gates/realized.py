"""Whether the predictions' `realized` equals the assets' returns over the declared horizon.

Accuracy compares two columns of one file by one author. If the release also has the returns of the same assets, these
must give the realised returns, compounded over the horizon. The compounding may begin on the day of a prediction or one
or two sessions later, the same for the whole table.
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
"""The tolerance for a cause to explain a row: percentages often have two decimals."""
COARSEST: Final = 4
FINEST: Final = 8
"""Decimals to which returns may be rounded."""
MOSTLY: Final = 0.5
"""The least share of rows that a named cause explains."""
SMALLEST: Final = -1 + 1e-12
UNROUNDED: Final = 1e-12
MOST_OF_ASSETS: Final = 1_000_000
FEW_ASSETS: Final = 20
MOST_SAMPLED: Final = 100_000
"""The most rows compared for a share that is only printed."""

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The share of the shared `rows` on which `realized` is the assets' return, and the likely cause of the rest.

    `others` are the places of the predictions with another return.
    """

    share: float
    rows: int
    horizon: int
    cause: str
    others: Places

    @property
    def share_text(self) -> str:
        """The share with its rows."""
        return f"{number(self.share, Unit.PERCENT, 1)}% of {self.rows:,} rows that both have"

    def words(self, limit: float, predictions: str, assets: str) -> str:
        """Why the predictions are not judged."""
        sessions = "1 session" if self.horizon == 1 else f"{self.horizon} sessions"
        return (
            f"Column realized of {predictions} is the return of {assets}, compounded over the {sessions} of "
            f"validation.prediction_horizon, on {self.share_text}; expected at least {number(limit, Unit.PERCENT, 0)}% "
            f"(gates.spa.realized_agreement). {self.cause} Write the returns that came after each prediction as "
            "fractions, or correct the horizon."
        )

    def figures(self) -> Iterator[Quantity]:
        yield percent("gates.spa.realized_agrees", self.share, n=self.rows)


def sampled_agreement(evidence: Evidence, horizon: int) -> Agreement | None:
    """The agreement at an undeclared horizon, on a random sample if rows or assets are many."""
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
    sample = predictions if not rows.size else _of_rows(predictions, rows)
    return agreement(replace(evidence, predictions=sample, asset_returns=assets), horizon)


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
    rows = _is_any(assets.symbols, names)
    return replace(assets, dates=assets.dates[rows], symbols=assets.symbols[rows], returns=assets.returns[rows])


def _is_any(symbols: NDArray[np.str_], names: NDArray[np.str_]) -> Flags:
    """Which entries of a long column are among a few names; one name at a time, since sorting would copy the column."""
    rows = np.zeros(symbols.size, dtype=np.bool_)
    for name in names:
        rows |= symbols == name
    return rows


def agreement(evidence: Evidence, horizon: int | None) -> Agreement | None:
    """The agreement of realised and asset returns; None if no horizon is declared or too few rows are shared."""
    predictions, assets = evidence.predictions, evidence.asset_returns
    if predictions is None or assets is None or horizon is None:
        return None
    table = _Compounded.of(assets, horizon)
    first, coded = table.rows_of(predictions)
    begun = [fit for each in BEGINNINGS if (fit := _Realized.of(table, first + each, coded, predictions)) is not None]
    if not begun:
        return None
    best = max(begun, key=lambda one: one.share)
    earlier = _Realized.of(table, first - horizon, coded, predictions)
    cause = next((unit for one in begun if (unit := one.cause)), "")
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
    """Realised returns beside the expected ones, on the informative rows of one beginning."""

    compared: Flags
    came: Floats
    should: Floats
    days: NDArray[np.datetime64]
    within: float

    @classmethod
    def of(cls, table: "_Compounded", begin: Places, coded: Places, predictions: Predictions) -> "_Realized | None":
        """None if too few rows have an asset's whole horizon; rows that are zero on both sides do not count."""
        expected, compared = table.over(begin, coded)
        within = _rounding(predictions.realized) + table.rounding + WITHIN
        compared[compared] = np.maximum(np.abs(predictions.realized[compared]), np.abs(expected[compared])) > within
        if compared.sum() < FEWEST:
            return None
        return cls(
            compared=compared,
            came=predictions.realized[compared],
            should=expected[compared],
            days=predictions.timestamps[compared].astype("datetime64[D]"),
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
        """The places of the rows with another realised return."""
        is_other = self.compared.copy()
        is_other[self.compared] = np.abs(self.came - self.should) > self.within
        return np.flatnonzero(is_other).astype(np.int64)

    @property
    def cause(self) -> str:
        """The unit or convention in which most rows agree, as a sentence; empty if there is none."""
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
        return next((unit for values, unit in units if self._share(values, max(self.within, ROUGHLY)) > MOSTLY), "")

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
    """Asset returns by symbol and day; `growth` is the log worth before each row, and after the last."""

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
        rows = np.searchsorted(self.keys, keys)
        return rows.astype(np.int64), np.where(days >= 0, coded, -1)

    def over(self, begin: Places, coded: Places) -> tuple[Floats, Flags]:
        """The compounded return of the horizon's rows from `begin` on, and whether the asset has all of them."""
        end = begin + self.horizon
        full = np.asarray((coded >= 0) & (begin >= 0) & (end <= self.keys.size), dtype=np.bool_)
        inside = np.flatnonzero(full)
        full[inside] = (self.symbols[begin[inside]] == coded[inside]) & (self.symbols[end[inside] - 1] == coded[inside])
        returns = np.full(begin.size, np.nan)
        returns[full] = np.expm1(self.growth[end[full]] - self.growth[begin[full]])
        return returns, full


def _coded(symbols: NDArray[np.str_], names: NDArray[np.str_]) -> Places:
    """Each symbol's place among the names, −1 if it is not among them."""
    places = np.minimum(np.searchsorted(names, symbols), names.size - 1)
    return np.where(names[places] == symbols, places, -1).astype(np.int64)


def _rounding(values: Floats) -> float:
    """Half a unit of the last decimal of a rounded column; 0 if it is not rounded, or too coarsely."""
    for decimals in range(COARSEST, FINEST):
        if np.abs(values - np.round(values, decimals)).max(initial=0.0) <= UNROUNDED:
            return float(0.5 * 10.0**-decimals)
    return 0.0
