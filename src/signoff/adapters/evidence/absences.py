"""Counts the predictions that a symbol lacks between its first and last; absences are never refused.

A symbol may leave an index and come back, and markets differ in holidays and closing hours. So a symbol is expected
only at hours of the day at which at least a tenth of the possible predictions exist.
"""

from datetime import datetime
from typing import Final

import numpy as np

from signoff.domain.evidence import Absences, CodedSymbols, Instants

HOURS: Final = 24
OFTEN: Final = 0.1
PIECE: Final = 1 << 20


def absences_of(times: Instants, symbols: CodedSymbols) -> Absences | None:
    """The absences of ordered predictions; None if there are none."""
    is_new = times[1:] != times[:-1]
    moment = np.zeros(times.size, np.int32)
    np.cumsum(is_new, out=moment[1:])
    starts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
    hour = (times[starts].astype("datetime64[h]").astype(np.int64) % HOURS).astype(np.intp)
    codes, count = symbols.codes, symbols.names.size
    first, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    predicted = np.zeros((count, HOURS), np.int64)
    for at in reversed(range(0, codes.size, PIECE)):
        first[codes[at : at + PIECE][::-1]] = moment[at : at + PIECE][::-1]
    for at in range(0, codes.size, PIECE):
        last[codes[at : at + PIECE]] = moment[at : at + PIECE]
        cells = codes[at : at + PIECE].astype(np.int64) * HOURS + hour[moment[at : at + PIECE]]
        predicted += np.bincount(cells, minlength=predicted.size).reshape(predicted.shape)
    possible = np.zeros_like(predicted)
    for one in np.unique(hour):
        rows = np.flatnonzero(hour == one)
        possible[:, one] = np.searchsorted(rows, last, "right") - np.searchsorted(rows, first)
    expected = np.where(predicted >= OFTEN * possible, possible, 0) * (predicted > 0)
    lacking = np.maximum(expected - predicted, 0)
    if not lacking.any():
        return None
    worst = int(np.argmax(lacking.sum(axis=1)))
    at = np.isin(hour, np.flatnonzero(lacking[worst])) & (np.arange(hour.size) > first[worst])
    at[moment[codes == worst]] = False
    when = times[starts[np.argmax(at)]].astype("datetime64[us]").item()
    assert isinstance(when, datetime)
    return Absences(
        expected=int(expected.sum()),
        absent=int(lacking.sum()),
        symbols=int((lacking.sum(axis=1) > 0).sum()),
        example=(str(symbols.names[worst]), when),
    )
