"""How far apart rows of one symbol are, and which rows are repeated a moment later.

A row is of one symbol and bar. Two rows within half of the usual distance are of one bar, although their stamps differ.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Instants, Symbols

# Nine in ten distances are at least the cadence: a last bar may be shorter.
SHORT_SHARE: Final = 0.1
MICROSECONDS: Final = 1e6


def cadence_s(at: Instants, symbols: Symbols | None) -> float | None:
    """The distance in seconds that nine in ten rows of a symbol keep from the row before; None without two rows.

    Rows of the same moment are duplicates and do not count.
    """
    order, is_first, apart = _in_order(at, symbols)
    gaps = apart[~is_first & (apart > 0)]
    return float(np.quantile(gaps, SHORT_SHARE, method="lower")) / MICROSECONDS if order.size and gaps.size else None


def bars(at: Instants, symbols: Symbols | None, apart_s: float) -> NDArray[np.intp]:
    """The number of each row's bar: rows of a symbol closer than this are of one bar."""
    order, is_first, apart = _in_order(at, symbols)
    of = np.empty(order.size, dtype=np.intp)
    of[order] = np.cumsum(is_first | ((apart > 0) & (apart >= apart_s * MICROSECONDS))) - 1
    return of


def _in_order(at: Instants, symbols: Symbols | None) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.int64]]:
    """Rows by symbol and time, whether each is its symbol's first, and its distance from the one before."""
    code = (
        np.zeros(at.size, dtype=np.intp) if symbols is None else np.unique(symbols, return_inverse=True)[1].reshape(-1)
    )
    stamp = at.astype("datetime64[us]").astype(np.int64)
    order = np.lexsort((stamp, code))
    is_first = np.ones(order.size, dtype=np.bool_)
    is_first[1:] = code[order][1:] != code[order][:-1]
    apart = np.zeros(order.size, dtype=np.int64)
    apart[1:] = np.diff(stamp[order])
    return order, is_first, apart
