"""Takes deposits and withdrawals out of an account's values, since they are not returns.

With a column of flows, a return is (value - flow) / value of the day before - 1. That is the time-weighted return of
an account whose flows come at the end of the day, before its valuation. Without one, a jump far beyond the other
days is asked about, and so are jumps that recur with the calendar.
"""

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.adapters.results.extremes import Declared, is_declared
from signoff.adapters.results.partial_days import of_whole_days
from signoff.adapters.results.regular_flows import Regular, regular
from signoff.adapters.results.series import DAY, Labelled, changes, last_of_day, refuse_repeats, to_days
from signoff.stats.sample import Floats

FLOW: Final = "flow"
FORMULA: Final = "(value - flow) / value of the day before - 1"
PAID: Final = frozenset(
    {
        *("flow", "flows", "cash flow", "cash flows", "cashflow", "cashflows", "net flow", "net flows"),
        *("external flows", "net deposit", "net deposits", "net contributions", "net inflow", "net inflows"),
    }
)
IN: Final = frozenset({"deposit", "deposits", "contribution", "contributions", "subscriptions", "inflow", "inflows"})
OUT: Final = frozenset({"withdrawal", "withdrawals", "redemption", "redemptions", "outflow", "outflows"})
FLOWS: Final = PAID | IN | OUT
JUMP: Final = 10.0
"""The multiple of the median size of a return from which a jump is asked about."""
AROUND: Final = 10
"""The rows on each side that a jump is also compared with: markets are volatile for weeks at a time."""
FEWEST: Final = 8
FEWEST_FLOWS: Final = 3
MOST_NAMED: Final = 3
MOST_LOOKED_AT: Final = 40
"""Columns that are searched for regular flows, evenly spaced among many trials: one takes 25 ms."""


def net_flows(table: Labelled, amounts: Collection[str] = ()) -> Labelled:
    """The table with net payments in one column `flow`; unchanged without columns of payments."""
    kinds = {name: kind for name in table.columns if (kind := _kind(name)) is not None}
    if not kinds:
        return table
    values = [name for name in table.columns if name not in kinds and name not in amounts]
    if len(values) != 1:
        raise table.refuse(
            f"expected one column of values beside {', '.join(kinds)}, found {len(values)}: "
            f"{', '.join(values)[:200] or 'none'}. Import each account with its own flows."
        )
    total = pl.Series(FLOW, np.zeros(table.frame.height))
    for name, kind in kinds.items():
        total += _signed(table, name, kind, has_both=len(kinds) > 1)
    return Labelled(table.frame.drop(kinds).with_columns(total), table.said, table.notes, table.written)


def returns_of_values(table: Labelled, zone: str | None, true: Declared | None) -> Labelled:
    """One row a day of returns, from values and payments.

    `true` has the days whose returns were declared true; None means that the table has every flow.
    """
    refuse_repeats(table, zone)
    daily = of_whole_days(to_days(table, zone), table.frame[DAY], zone)
    values = last_of_day(daily)
    if FLOW not in values.columns:
        returns = changes(values)
    else:
        paid = daily.frame.group_by(DAY, maintain_order=True).agg(pl.col(FLOW).sum())[FLOW]
        returns = _without_flows(values, paid)
    if true is not None:
        _refuse_jumps(values, returns, true)
    return settled(returns, values.frame[DAY].to_numpy(), has_flows=FLOW in values.columns, is_declared=true is None)


def _without_flows(values: Labelled, paid: pl.Series) -> Labelled:
    (name,) = (one for one in values.columns if one != FLOW)
    bare = Labelled(values.frame.drop(FLOW), values.said, values.notes)
    unpaid = bare.frame[name] - paid
    below = (unpaid[1:] < 0).arg_true()
    if below.len():
        row = int(below[0]) + 1
        raise values.refuse(
            f"{values.frame[DAY][row]}, column {name}: expected a value that holds what was paid in that day, found "
            f"{bare.frame[name][row]:,.10g} after a flow of {paid[row]:,.10g}. Correct the flow, or its day."
        )
    before = bare.frame[name].shift(1)
    returns = changes(bare)
    _refuse_other_sign(values, returns.frame[name], (unpaid / before)[1:] - 1, paid[1:] != 0)
    frame = returns.frame.with_columns(((unpaid / before)[1:] - 1).alias(name))
    times = int((paid[1:] != 0).sum())
    note = f"flows of {times} days were taken out, as at the end of each day: a return is {FORMULA}"
    return Labelled(frame, returns.said, (*returns.notes, note))


def _refuse_other_sign(values: Labelled, plain: pl.Series, without: pl.Series, is_paid: pl.Series) -> None:
    """Refuse flows whose opposite sign makes the returns of their days smaller."""
    raw, taken = plain.filter(is_paid).to_numpy(), without.filter(is_paid).to_numpy()
    opposite = 2 * raw - taken
    if raw.size >= FEWEST_FLOWS and np.abs(taken).sum() > np.abs(raw).sum() > np.abs(opposite).sum():
        raise values.refuse(
            f"column {FLOW}: expected money paid in above 0 and money paid out below 0, found the opposite: taking the "
            "flows out makes the returns of their days larger, and adding them makes these smaller. Change their sign."
        )


def _refuse_jumps(values: Labelled, returns: Labelled, true: Declared) -> None:
    """Ask about a return far beyond the others: it may be a deposit."""
    days = returns.frame[DAY].to_list()
    for name in returns.columns:
        sizes = returns.frame[name].to_numpy()
        rows = [row for row in np.flatnonzero(_is_jump(sizes)).tolist() if not is_declared(days[row], sizes[row], true)]
        if not rows:
            continue
        first = rows[0]
        typical = 100 * float(np.median(np.abs(sizes[sizes != 0])))
        before, after = values.frame[name][first], values.frame[name][first + 1]
        named = ", ".join(f"{days[row]} ({100 * sizes[row]:+.1f}%)" for row in rows[:MOST_NAMED])
        more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
        options = " ".join(f"--extreme {days[row]}={sizes[row]:.6g}" for row in rows[:MOST_NAMED])
        true_ones = "this return is" if len(rows) == 1 else "these returns are"
        raise returns.refuse(
            f"{days[first]}, column {name}: expected a change like those of the other days, whose median size is "
            f"{typical:.2g}%, found {before:,.10g} become {after:,.10g}, a return of {100 * sizes[first]:+.1f}%. A "
            f"deposit or a withdrawal is no return. Such days: {named}{more}. Write what was paid in (out below 0) on "
            f"its day into a column flow, say {options} if {true_ones} true, or "
            "--flows-complete if no other money was paid in or out."
        )


def settled(
    returns: Labelled, days: NDArray[np.datetime64], *, has_flows: bool = False, is_declared: bool = False
) -> Labelled:
    """The returns; refused if some follow the calendar and are not declared as returns.

    `days` are those of the values, one more than there are returns.
    """
    notes = []
    for name, pattern in _regular(returns, days):
        if not is_declared:
            raise returns.refuse(_asked(name, pattern, returns, has_flows=has_flows))
        notes.append(
            f"column {name} has {pattern.words}; --flows-complete declares that these are returns and no money paid in "
            "or out"
        )
    return Labelled(returns.frame, returns.said, (*returns.notes, *notes), returns.written) if notes else returns


def _asked(name: str, pattern: Regular, returns: Labelled, *, has_flows: bool) -> str:
    """The question about returns that recur with the calendar: they may be monthly deposits."""
    days = returns.frame[DAY].to_list()
    named = ", ".join(str(days[row]) for row in pattern.rows[:MOST_NAMED].tolist())
    return (
        f"column {name}: expected returns that do not follow the calendar, found {pattern.words} ({named}, …). Regular "
        "deposits or withdrawals look so, and are no returns. Write what was paid in (out below 0) on its day into a "
        f"column flow beside the values. If no {'other ' * has_flows}money was paid in or out and the strategy itself "
        "earns so, say --flows-complete."
    )


def _regular(returns: Labelled, days: NDArray[np.datetime64]) -> Iterator[tuple[str, Regular]]:
    whole = days.astype("datetime64[D]")
    for name in returns.columns[:: -(-len(returns.columns) // MOST_LOOKED_AT)]:
        if (pattern := regular(whole, returns.frame[name].to_numpy())) is not None:
            yield name, pattern


def _is_jump(returns: Floats) -> NDArray[np.bool_]:
    """Returns beyond ten times the median size of all rows, of those before them and of those after."""
    sizes = np.abs(returns)
    moved = sizes[sizes > 0]
    if moved.size < FEWEST:
        return np.zeros(returns.size, dtype=np.bool_)
    is_far: NDArray[np.bool_] = np.asarray(sizes > JUMP * np.median(moved), dtype=np.bool_)
    for row in np.flatnonzero(is_far).tolist():
        sides = (sizes[max(0, row - AROUND) : row], sizes[row + 1 : row + 1 + AROUND])
        is_far[row] = all(sizes[row] > JUMP * np.median(side) for side in sides if side.size >= AROUND // 2)
    return is_far


def _kind(name: str) -> frozenset[str] | None:
    plain = name.strip().lower().replace("_", " ")
    return next((kind for kind in (PAID, IN, OUT) if plain in kind), None)


def _signed(table: Labelled, name: str, kind: frozenset[str], *, has_both: bool) -> pl.Series:
    """One column as payments into the account; an empty cell is no flow."""
    written = table.frame[name]
    if written.dtype == pl.String:
        written = written.replace("", None)
    column = written.cast(pl.Float64, strict=False)
    wrong = ((column.is_null() & written.is_not_null()) | ~column.fill_null(0.0).is_finite()).arg_true()
    if wrong.len():
        raise table.refuse(
            f"row {int(wrong[0]) + 1}, column {name}: expected an amount or nothing, found {written[int(wrong[0])]}. "
            "Correct it at its source."
        )
    filled = column.fill_null(0.0)
    if kind is OUT:
        if (filled > 0).any() and (filled < 0).any():
            raise table.refuse(f"column {name}: expected amounts of one sign, found both. Name the column flow.")
        return -filled.abs()
    if kind is IN and has_both and (filled < 0).any():
        row = int((filled < 0).arg_true()[0])
        raise table.refuse(
            f"row {row + 1}, column {name}: expected 0 or more beside a column of withdrawals, found {filled[row]:g}. "
            "Write it under one of them."
        )
    return filled
