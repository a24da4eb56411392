"""From a labelled table to returns as fractions, with notes on what was understood.

Most files show their content. A guess that can only be wrong in a detail is made and printed with the deciding option.
If it could be wrong by a factor (percent or fraction, returns or equity), Signoff asks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.results.conversion import PERCENT_WORD, UNIT_WORD
from signoff.adapters.results.extremes import declared_values
from signoff.adapters.results.flows import net_flows, returns_of_values
from signoff.adapters.results.series import (
    DAY,
    PERCENT,
    Labelled,
    compounded,
    funded,
    numbers,
    refuse_fractions,
    refuse_repeats,
    to_days,
    without_head,
)
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Floats
from signoff.stats.returns import LARGEST, QUIETEST, RUIN, SIGMA_OF_MEDIAN, WILDEST, WORTHS, worths
from signoff.verdict.options import Options
from signoff.verdict.sources import Given

RETURN: Final = "return"
BENCHMARK: Final = "benchmark"
_BESIDE: Final = frozenset({"benchmark", "benchmark return", "benchmark returns", "turnover", "cost", "costs"})
_RETURNS: Final = re.compile(
    r"^(?:(?:daily|weekly|monthly|net|total|strategy|portfolio|simple) )*"
    r"(?:rets?|returns?|pct change|performance|rendite)"
    r"(?: (?:in )?(?:net|[(\[]?(?:in )?(?:%|percent|pct|prozent)[)\]]?))?$"
)
_EQUITY: Final = re.compile(
    r"\b(?:equity|value|values|nav|balance|worth|close|price|prices|level|aum|net liquidation|wealth)\b"
)
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
UNCLEAR_VOLATILITY: Final = 1.0
"""The annual volatility of fractions above which percentages are as likely, as of a record with 1% a year."""
NO_PATH: Final = 1.0
"""Squared changes over squared deviations: 2 for independent values, far below 1 for a path."""
A_PATH: Final = 0.2
FEWEST_OF_PATH: Final = 20
FRACTIONS: Final = "fractions (0.012 is 1.2%; --unit decides)"
_PERCENTAGES: Final = "percentages, divided by 100"
FEWEST_ROWS: Final = 2
MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """The columns to divide by 100, the words for the unit, and the guess behind it."""

    of_percent: tuple[str, ...] = ()
    words: str = FRACTIONS
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Understood:
    """Returns as fractions in columns beside `date`, with notes on what was read, dropped and guessed.

    `columns` are those that were read; a benchmark in the same file is the column `benchmark`.
    """

    frame: pl.DataFrame
    source: str
    content: bytes
    tool: str
    columns: tuple[str, ...]
    is_equity: bool
    unit: str
    rows_given: int
    zone: str = ""
    dropped: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of returns."""
        return tuple(name for name in self.frame.columns if name not in {DAY, BENCHMARK})


def one_column(source: Given, options: Options) -> Understood:
    """The returns of one strategy or of a benchmark."""
    table, turned = _in_order(source.table)
    if source.tool:
        return _of_a_tool(source, table)
    names = _of_numbers(table)
    name, beside = _chosen(table, names, options)
    has_benchmark = next(
        (one for one in names if one != name and _plain(one) in _BESIDE and "bench" in one.lower()), None
    )
    own = _read(table, (name,), options, source)
    own = replace(own, frame=own.frame.rename({name: RETURN}))
    if has_benchmark is not None:
        own = _with_benchmark(own, table, has_benchmark, options, source)
    guessed = (f"the column {name}, of {len(names)} (--column decides)",) if beside and options.column is None else ()
    return replace(
        own, guessed=(*guessed, *own.guessed), notes=(*turned, *own.notes), rows_given=source.table.frame.height
    )


def of_benchmark(source: Given, options: Options) -> Understood:
    """The returns of a benchmark, or those of its prices."""
    table, _ = _in_order(source.table)
    if source.tool:
        return _of_a_tool(source, table)
    name, _ = _chosen(table, _of_numbers(table), replace(options, column=None), "Leave one of them in the file")
    return _read(table, (name,), options, source, is_own=False)


def reads_as_trials(source: Given) -> bool:
    """Whether a table has a family of trials: several columns without one named as the returns."""
    if source.tool:
        return False
    table, _ = _in_order(_spread(source.table))
    if table.frame is not source.table.frame and table.frame.width != source.table.frame.width:
        return True
    names = [name for name in _of_numbers(table) if _plain(name) not in _BESIDE and _plain(name) not in _FLOWS]
    return len(names) > 1 and not any(
        sum(1 for name in names if pattern.search(_plain(name))) == 1 for pattern in (_RETURNS, _EQUITY)
    )


def many_columns(source: Given, options: Options) -> Understood:
    """The returns of every trial, a column each; a long table of date, trial and return is pivoted."""
    table, turned = _in_order(_spread(source.table))
    names = tuple(name for name in _of_numbers(table) if _plain(name) not in _BESIDE)
    if not names:
        raise table.refuse(f"expected one column of returns for each trial, found {_listed(table.columns)}.")
    trials = _read(table, names, options, source, is_own=False)
    return replace(trials, notes=(*turned, *trials.notes), rows_given=source.table.frame.height)


def _of_a_tool(source: Given, table: Labelled) -> Understood:
    """An importer's table, in the columns of a dossier's backtest."""
    columns = [name for name in (RETURN, BENCHMARK) if name in table.columns]
    names = {"lean": "LEAN's result", "zipline": "Zipline's result", "nautilus": "NautilusTrader's report"}
    return Understood(
        frame=table.frame.select(DAY, *columns),
        source=table.said,
        content=source.content,
        tool=names.get(source.tool, "a list of trades"),
        columns=(RETURN,),
        is_equity=source.tool != "zipline",
        unit="fractions",
        rows_given=table.frame.height,
        dropped=tuple(note for note in table.notes if _is_of_dropped(note)),
        notes=tuple(note for note in table.notes if not _is_of_dropped(note)),
    )


def _in_order(table: Labelled) -> tuple[Labelled, tuple[str, ...]]:
    """The rows from the oldest on; a table that is newest first is reversed."""
    days = table.frame[DAY]
    if days.len() < 2 or not bool((days[1:] < days[:-1]).all()):
        return table, ()
    written = None if table.written is None else table.written[::-1]
    turned = Labelled(table.frame.reverse(), table.said, table.notes, written)
    return turned, ("the rows were newest first, and were turned round",)


def _of_numbers(table: Labelled) -> tuple[str, ...]:
    """The numeric columns, except for a few cells."""
    return tuple(name for name in table.columns if _is_of_numbers(table.frame[name]))


def _is_of_numbers(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    if column.dtype not in _TEXTS:
        return False
    filled = column.cast(pl.String).drop_nulls()
    return bool(filled.len()) and 2 * filled.cast(pl.Float64, strict=False).null_count() < filled.len()


def _chosen(table: Labelled, numeric: tuple[str, ...], options: Options, remedy: str = "") -> tuple[str, bool]:
    """The column of returns or equity, and whether others are possible."""
    if (asked := options.column) is not None:
        named = [name for name in table.columns if asked in {name, name.strip()}]
        named = named or [name for name in table.columns if _plain(name) == _plain(asked)]
        if len(named) != 1:
            raise table.refuse(f"expected the column {asked}, as --column says, found {_listed(table.columns)}.")
        return named[0], False
    likely = [name for name in numeric if _plain(name) not in _BESIDE and _plain(name) not in _FLOWS]
    likely = likely or list(numeric)
    if not numeric:
        raise table.refuse(
            f"expected a column of returns or of an equity curve, found no column of numbers beside the dates "
            f"({_listed(table.columns)})."
        )
    if len(likely) == 1:
        return likely[0], False
    for pattern in (_RETURNS, _EQUITY):
        matching = [name for name in likely if pattern.search(_plain(name))]
        if len(matching) == 1 and len(likely) <= MOST_NAMED:
            return matching[0], True
    asks = remedy or (
        "Name the one to judge with --column; if all of them were tried, give the same file as --trials too"
    )
    raise table.refuse(
        f"expected one column of returns, found {len(likely)}: {_listed(tuple(likely))}. {asks}.{_best(table, likely)}"
    )


def _best(table: Labelled, names: list[str]) -> str:
    """A note on which column has the best ratio of mean to deviation."""
    ratios = {}
    for name in names:
        values = _filled(table.frame[name])
        if values.size > 1 and values.std() > 0:
            ratios[name] = float(values.mean() / values.std())
    if len(ratios) < 2:
        return ""
    return f" The highest ratio of mean to deviation has {max(ratios, key=lambda name: ratios[name])}."


def _read(
    table: Labelled, names: tuple[str, ...], options: Options, source: Given, *, is_own: bool = True
) -> Understood:
    """The columns as returns. The declared kind of the judged returns also settles that of others."""
    is_equity, guess = _kind(table, names, options, is_own=is_own)
    flows = [name for name in table.columns if name not in names and _plain(name) in _FLOWS] if is_equity else []
    part = Labelled(table.frame.select(DAY, *names, *flows), table.said, (), table.written)
    filled = without_head(part, *names) if _head(part, names) else part
    if is_equity:
        read, words = _worths(filled, names, options), "changes of an equity curve"
    else:
        unit = _unit(filled, names, options, source.signed)
        read, words, guess = _returns(filled, names, options, unit), unit.words, (*guess, *unit.guessed)
    _refuse_still(read, names)
    return Understood(
        frame=read.frame,
        source=table.said,
        content=source.content,
        tool="",
        columns=names,
        is_equity=is_equity,
        unit=words,
        rows_given=table.frame.height,
        zone=_zone(table, options),
        dropped=tuple(note for note in read.notes if _is_of_dropped(note)),
        guessed=guess,
        notes=(*table.notes, *(note for note in read.notes if not _is_of_dropped(note))),
    )


_FLOWS: Final = frozenset(
    {"flow", "flows", "deposit", "deposits", "withdrawal", "withdrawals", "cash flow", "net flow"}
)


def _worths(table: Labelled, names: tuple[str, ...], options: Options) -> Labelled:
    """Returns of equity curves."""
    whole = net_flows(table)
    whole = funded(numbers(whole, *whole.columns), *names, drop_head=True)
    if whole.frame.height < 2:
        raise whole.refuse(f"expected two values at least to take a return of, found {whole.frame.height}.")
    true = None if options.flows_complete else declared_values(options.extremes)
    return returns_of_values(whole, options.zone, true)


def _returns(table: Labelled, names: tuple[str, ...], options: Options, unit: _Unit) -> Labelled:
    """Returns as fractions, in their own rows; the reader of evidence folds rows of one day."""
    frame = table.frame.select(DAY, pl.col(names).cast(pl.Float64))
    whole = Labelled(frame, table.said, table.notes, table.written)
    refuse_repeats(whole, options.zone)
    to_days(whole, options.zone)  # refuses rows out of order
    if unit.of_percent:
        frame = frame.with_columns(pl.col(unit.of_percent) / 100)
        whole = Labelled(frame, whole.said, whole.notes, whole.written)
        if options.unit == PERCENT:
            refuse_fractions(whole, unit.of_percent)
    if whole.written is not None and options.zone is None:
        whole = compounded(to_days(whole, None))
    return whole


def _refuse_still(table: Labelled, names: tuple[str, ...]) -> None:
    """Refuse a record that never moves."""
    if len(names) > 1:
        return
    values = table.frame[names[0]].to_numpy()
    if values.size < FEWEST_ROWS:
        raise table.refuse(f"expected two returns at least, found {values.size}. Give the whole record.")
    if np.ptp(values) == 0:
        raise table.refuse(
            f"column {names[0]}: expected returns that vary, found {values.size:,} that are all {values[0]:g}. Check "
            "how the file was made."
        )


def _head(table: Labelled, names: tuple[str, ...]) -> int:
    """The number of rows before the first complete one; refuses a missing number after it."""
    is_finite = table.frame.select(pl.col(names).cast(pl.Float64, strict=False).is_finite().fill_null(value=False))
    filled = is_finite.to_numpy()
    whole = filled.all(axis=1)
    head = int(np.argmax(whole)) if whole.any() else 0
    wrong = np.argwhere(~filled[head:])
    if not wrong.size:
        return head
    row, place = int(wrong[0][0]) + head, int(wrong[0][1])
    cell = table.frame[names[place]][row]
    raise table.refuse(
        f"row {row + 1}, column {names[place]}: expected a finite number, found {'nothing' if cell is None else cell}. "
        "Correct it at its source; no value is guessed."
    )


def _kind(
    table: Labelled, names: tuple[str, ...], options: Options, *, is_own: bool = True
) -> tuple[bool, tuple[str, ...]]:
    """Whether the columns are equity curves, and the guess behind that."""
    if is_own and options.equity is not None:
        return options.equity, ()
    kinds = {name: _looks_like(_filled(table.frame[name])) for name in names}
    question = _question(kinds)
    if question and options.equity is not None:
        return options.equity, ()
    if question:
        raise table.refuse(question)
    if set(kinds.values()) != {"equity"}:
        return False, ()
    return True, ("an equity curve, since all values are above 0 (--equity or --returns decides)",)


def _question(kinds: Mapping[str, str]) -> str:
    """The question about ambiguous columns; empty if they are clear."""
    if odd := next((name for name, kind in kinds.items() if kind not in {"returns", "equity"}), None):
        return f"column {odd}: {_QUESTIONS[kinds[odd]]}"
    of_kind = {kind: name for name, kind in reversed(list(kinds.items()))}
    if len(of_kind) > 1:
        return (
            f"expected columns of one kind, found {of_kind['equity']}, which reads as an equity curve, beside "
            f"{of_kind['returns']}, which reads as returns. Give one kind, or say --equity or --returns."
        )
    named = next((name for name in kinds if _RETURNS.search(_plain(name))), None)
    if "equity" in of_kind and named is not None:
        return (
            f"column {named}: expected returns, as its name says, found values that are all above 0, as in an equity "
            "curve. Say --equity if they are worths; else correct the column."
        )
    return ""


_QUESTIONS: Final = {
    "gross": "expected returns such as 0.012 or an equity curve, found values above 0 of which none leads to the next. "
    "If they are 1 + return, take 1 off; if they are worths, say --equity.",
    "sums": "expected returns such as 0.012, found values of which each is almost the one before it, as in a sum of "
    "returns so far. Give the return of each row, or an equity curve with --equity. If they are returns, say "
    "--returns.",
    "unclear": "expected returns or an equity curve, found values that could be either: none is below 0, and each is "
    "near the one before it. Say --equity if they are worths, or --returns if they are returns.",
}


def _looks_like(values: Floats) -> str:
    if values.size < 3:
        return "equity" if values.size and (values > LARGEST).all() else "returns"
    path = _path(values)
    if (values > 0).all() and float(np.median(values)) > WORTHS:
        return "gross" if path > NO_PATH and values.size >= FEWEST_OF_PATH else "equity"
    if not (values < 0).any() and values.any() and path < A_PATH and values.size >= FEWEST_OF_PATH:
        return "unclear"
    return "returns" if worths(values) is None else "sums"


def _path(values: Floats) -> float:
    """Squared changes over squared deviations."""
    deviations = float(((values - values.mean()) ** 2).sum())
    return 0.0 if deviations == 0 else float((np.diff(values) ** 2).sum()) / deviations


def _filled(column: pl.Series) -> Floats:
    values = column.cast(pl.Float64, strict=False).drop_nulls().to_numpy()
    finite: Floats = values[np.isfinite(values)]
    return finite


def _unit(table: Labelled, names: tuple[str, ...], options: Options, signed: frozenset[str]) -> _Unit:
    """Which columns are percentages: by the cells' percent sign, else as said, else by name and size together."""
    shown = tuple(name for name in names if name.strip() in signed)
    bare = tuple(name for name in names if name not in shown)
    if not bare:
        return _Unit(words="percentages as its cells say (0.53% is 0.0053)")
    if options.unit is not None:
        is_percent = options.unit == PERCENT
        return _Unit(of_percent=bare if is_percent else (), words=_PERCENTAGES if is_percent else FRACTIONS)
    table = Labelled(table.frame.select(DAY, pl.col(bare).cast(pl.Float64)), table.said, table.notes, table.written)
    named = tuple(name for name in bare if PERCENT_WORD.search(name))
    if named and named == bare and (found := _by_size(table, named)) is not None:
        return found
    _ask_for_unit(table, bare)
    return _Unit()


def _by_size(table: Labelled, names: tuple[str, ...]) -> _Unit | None:
    """Percent for columns whose name says so, if they are absurd as fractions; None if fractions are plausible.

    Sizes of fractions under a name of percent contradict each other, and are asked about.
    """
    values = table.frame.select(names).to_numpy()
    if not (values != 0).any():
        return None
    annual = _volatility(table, values)
    name = f"the column {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    is_no_fraction = annual >= WILDEST or bool((values < RUIN).any())
    is_no_percentage = annual < 100 * QUIETEST
    if is_no_fraction and not is_no_percentage and annual < 100 * WILDEST:
        because = f"a volatility of {annual:.2g}% a year, and of {100 * annual:,.0f}% if they were fractions"
        guess = f"percentages, as the name of {name} says: {because} (--unit decides)"
        return _Unit(of_percent=names, words=_PERCENTAGES, guessed=(guess,))
    return None


def _volatility(table: Labelled, values: Floats) -> float:
    """The annual volatility of values as fractions, by their median size."""
    moved = np.abs(values[values != 0])
    return SIGMA_OF_MEDIAN * float(np.median(moved)) * sqrt(_rows_a_year(table) * moved.size / values.size)


def _ask_for_unit(table: Labelled, names: tuple[str, ...]) -> None:
    """Ask for the unit if a name says percent, or sizes do not show that 1 is all of the capital."""
    for name in names:
        if (word := UNIT_WORD.search(name)) is not None:
            raise table.refuse(
                f"column {name}: expected to know what 1 means, since the name says {word.group()!r}. Say --unit "
                "percent where 1.2 means 1.2%, or --unit fraction where 0.012 does (cells with a percent sign are "
                "read as fractions)."
            )
    values = table.frame.select(names).to_numpy()
    moved = np.abs(values[values != 0])
    if not moved.size:
        return
    annual = _volatility(table, values)
    below = values < RUIN
    if annual < UNCLEAR_VOLATILITY and not below.any():
        return
    row, column = (int(place) for place in np.argwhere(below)[0]) if below.any() else _largest(values)
    example = f"found {values[row, column]:g}"
    where = f"{table.frame[DAY][row]}, column {names[column]}"
    if annual >= 100 * UNCLEAR_VOLATILITY:
        raise table.refuse(
            f"{where}: expected returns such as 0.012, {example}. As percentages too these would have a volatility of "
            f"{annual:,.0f}% a year. Divide basis points by 10,000, and a profit in money by the capital that it was "
            "made with. If they are percentages all the same, say --unit percent."
        )
    raise table.refuse(
        f"{where}: expected to know what 1 means, {example}. As fractions these returns have a volatility of about "
        f"{100 * annual:,.0f}% a year, as percentages of {annual:.2g}%. Say --unit fraction or --unit percent."
    )


def _largest(values: Floats) -> tuple[int, int]:
    """The place of the largest value."""
    row, column = divmod(int(np.argmax(np.abs(values))), values.shape[1])
    return row, column


def _rows_a_year(table: Labelled) -> float:
    days = table.frame[DAY].cast(pl.Date).to_physical().to_numpy()
    years = (int(days.max()) - int(days.min()) + 1) / 365.25
    return float(max(1.0, table.frame.height / max(years, 1 / 12)))


def _with_benchmark(returns: Understood, table: Labelled, name: str, options: Options, source: Given) -> Understood:
    """The returns with the benchmark in the same file."""
    other = _read(table, (name,), options, source, is_own=False)
    return joined(returns, other, f"column {name}", options.zone)


def joined(returns: Understood, other: Understood, what: str, zone: str | None) -> Understood:
    """The returns with a benchmark's on the same days; one row at either end may lack it."""
    benchmark = other.frame.select(DAY, pl.col(other.columns[0]).alias(BENCHMARK))
    if benchmark[DAY].dtype != returns.frame[DAY].dtype:
        own, by_day = (_one_a_day(one, returns.source, zone) for one in (returns.frame, benchmark))
        returns, benchmark = replace(returns, frame=own), by_day
    frame = returns.frame.drop(BENCHMARK, strict=False).join(benchmark, on=DAY, how="left", maintain_order="left")
    lacks = frame[BENCHMARK].is_null()
    edge = frame[int(lacks[0]) : frame.height - int(lacks[-1] and frame.height > 1)]
    if edge[BENCHMARK].null_count():
        days = frame.filter(lacks)[DAY].cast(pl.Date)
        raise BadInputError(
            f"{other.source}: expected a return of the benchmark on every day of {returns.source}, found none on "
            f"{days.len():,} of {frame.height:,} days (first {days[0]}) in {what}. Give a benchmark of the same "
            "market, or leave it out."
        )
    gone = frame.height - edge.height
    dropped = (f"{gone} row{'s' * (gone > 1)} at the ends, for which {what} has no return",) if gone else ()
    return replace(returns, frame=edge, dropped=(*returns.dropped, *dropped))


def in_days(frame: pl.DataFrame, where: str, zone: str | None) -> pl.DataFrame:
    """A table with the day of each row, in its own zone or the named one."""
    return to_days(Labelled(frame, where), zone).frame


def _one_a_day(frame: pl.DataFrame, where: str, zone: str | None) -> pl.DataFrame:
    """A table of whole days; several rows a day are refused."""
    days = in_days(frame, where, zone)
    if days[DAY].is_duplicated().any():
        raise BadInputError(f"{where}: expected one return a day beside a benchmark of days, found several.")
    return days


def _spread(table: Labelled) -> Labelled:
    """A long table (date, name of the trial, return) as a wide one."""
    texts = [name for name in table.columns if not _is_of_numbers(table.frame[name])]
    numeric = _of_numbers(table)
    if len(texts) != 1 or len(numeric) != 1 or not table.frame[DAY].is_duplicated().any():
        return table
    if table.frame.select(DAY, texts[0]).is_duplicated().any():
        raise table.refuse(f"expected one return for each day and {texts[0]}, found several.")
    wide = table.frame.pivot(texts[0], index=DAY, values=numeric[0]).sort(DAY)
    return Labelled(wide, table.said, (*table.notes, f"a long table: each {texts[0]} is a trial"))


def _is_of_dropped(note: str) -> bool:
    """Whether a note of an importer says that rows were left out."""
    return "falls away" in note or "left out" in note


def _zone(table: Labelled, options: Options) -> str:
    """The zone of its times, their own or the named one."""
    column = table.frame[DAY].dtype
    if options.zone is not None:
        return options.zone
    if table.written is not None:
        return "the offsets written beside each time"
    return (column.time_zone or "") if isinstance(column, pl.Datetime) else ""


def _plain(name: str) -> str:
    return " ".join(name.strip().lower().replace("_", " ").split())


def _listed(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED]) or 'none'}{rest}"
