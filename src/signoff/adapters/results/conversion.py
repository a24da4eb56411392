"""Converts another tool's result file to a table of evidence, with a note of its origin.

`signoff import` converts a file once, and the Parquet that it writes is judged and signed. So checking a signature
needs no pickle. The note beside it has the source's digest; a table that was changed later is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl

from signoff import __version__
from signoff.adapters.evidence.figures import Decimal
from signoff.adapters.evidence.file_formats import NO_HINTS, Hints
from signoff.adapters.evidence.finding import NOTE
from signoff.adapters.evidence.tables import read_bytes
from signoff.adapters.evidence.written_dates import Order
from signoff.adapters.results.extremes import Declared, declared_values, refuse_impossible
from signoff.adapters.results.flows import FLOW, FLOWS, net_flows, returns_of_values
from signoff.adapters.results.formats import DECIMALS, FORMATS, ORDERS, TABLES
from signoff.adapters.results.lean import read_lean
from signoff.adapters.results.named_columns import (
    AMOUNTS,
    BENCHMARK,
    RETURN,
    amounts_of,
    plain,
    read_alone,
    refuse_near_misses,
    without,
)
from signoff.adapters.results.nautilus import read_nautilus
from signoff.adapters.results.percent_cells import may_show_percent, with_percent_sign
from signoff.adapters.results.position_events import Events
from signoff.adapters.results.series import (
    DAY,
    PERCENT,
    Labelled,
    as_returns,
    funded,
    numbers,
    read_labelled,
    to_days,
    without_head,
)
from signoff.adapters.results.trades import Account, read_trades
from signoff.domain.errors import BadInputError
from signoff.ledger.canonical import canonical, digest

RETURNS: Final = ("return", "benchmark")
HOLDINGS: Final = ("nautilus", "trades")
UNIT_WORD: Final = re.compile(r"%|\b(?:percent|pct|prozent|bps?|basis points)\b", re.IGNORECASE)
PERCENT_WORD: Final = re.compile(r"%|\b(?:percent|pct|prozent)(?:\b|_)|_pct\b|_percent\b", re.IGNORECASE)
_DECIMAL: Final[Mapping[str | None, Decimal]] = {"point": "point", "comma": "comma"}
_ORDER: Final[Mapping[str | None, Order]] = {"day-first": "day-first", "month-first": "month-first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """A file to convert, and the facts that it does not show."""

    format: str
    source: Path
    table: str = "backtest"
    zone: str | None = None
    is_values: bool = False
    flows_complete: bool = False
    fills: Path | None = None
    prices: Path | None = None
    unit: str | None = None
    extremes: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    hints: Hints = NO_HINTS
    capital: float | None = None
    calendar: str | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The files to write: the table and its note."""

    files: Mapping[str, bytes]
    frame: pl.DataFrame
    notes: tuple[str, ...]


def hints_of(*, decimal: str | None, dates: str | None, sheet: str | None, drop_head: bool) -> Hints:
    """The options for facts that a file does not show; an unknown word is refused."""
    for option, value, words in (("--decimal", decimal, DECIMALS), ("--dates", dates, ORDERS)):
        if value is not None and value not in words:
            raise BadInputError(f"Expected {option} to be {' or '.join(words)}, found {value!r}.")
    return Hints(decimal=_DECIMAL.get(decimal), dates=_ORDER.get(dates), sheet=sheet, drop_head=drop_head)


def convert(request: ConversionRequest) -> Converted:
    """Read one result and turn it into a table of evidence; nothing is written."""
    _refuse_unknown(request)
    sources = {path: read_bytes(path) for path in (request.source, request.fills, request.prices) if path is not None}
    request = _as_shown(request, sources[request.source])
    labelled = _read(request, sources)
    frame = _as_table(labelled, request.table, "" if request.is_values else request.unit)
    _refuse_impossible(frame, labelled, request)
    said = {"format": request.format, "zone": request.zone or "", **_said(request), "notes": list(labelled.notes)}
    return Converted(files=with_note(request.table, frame, sources, said), frame=frame, notes=labelled.notes)


def with_note(
    table: str, frame: pl.DataFrame, sources: Mapping[Path, bytes], said: Mapping[str, object]
) -> dict[str, bytes]:
    """A table of evidence as a file, and the note of where it came from."""
    frame.write_parquet(written := BytesIO())
    content = written.getvalue()
    note: dict[str, object] = {
        **said,
        "sources": [{"name": p.name, "sha256": digest(c), "size": len(c)} for p, c in sources.items()],
        "table_sha256": digest(content),
        "rows": frame.height,
        "columns": frame.columns,
        "first": str(frame[DAY].min()),
        "last": str(frame[DAY].max()),
        "signoff": __version__,
    }
    return {f"{table}.parquet": content, f"{table}{NOTE}": canonical(note)}


def _said(request: ConversionRequest) -> dict[str, object]:
    """The options that were given; without any, the note stays as older versions wrote it."""
    hints = request.hints
    stated = {
        "decimal": hints.decimal,
        "dates": hints.dates,
        "sheet": hints.sheet,
        "drop_head": hints.drop_head or None,
        "flows_complete": request.flows_complete or None,
        "capital": request.capital,
        "calendar": request.calendar,
        "splits": list(request.splits) or None,
        "renames": list(request.renames) or None,
        "ignored": list(request.ignored) or None,
    }
    return {key: value for key, value in stated.items() if value is not None}


def _refuse_unknown(request: ConversionRequest) -> None:
    if request.format not in FORMATS:
        raise BadInputError(f"Expected one of the formats {', '.join(FORMATS)}, found {request.format!r}.")
    if request.table not in TABLES:
        raise BadInputError(f"Expected one of the tables {', '.join(TABLES)}, found {request.table!r}.")
    if request.unit not in (None, "fraction", PERCENT):
        raise BadInputError(f"Expected --unit fraction or --unit percent, found {request.unit!r}.")
    if request.flows_complete and not (request.format == "lean" or (request.format == "table" and request.is_values)):
        raise BadInputError(
            "Expected --flows-complete with lean, or with `table` and --values, found otherwise. Leave it out."
        )
    if (request.splits or request.renames) and (request.format not in HOLDINGS or request.prices is None):
        raise BadInputError(
            f"Expected --split and --rename with {' or '.join(HOLDINGS)} and --prices, where quantities are held over "
            "a close, found otherwise. Leave them out."
        )
    if request.ignored and request.format in ("lean", "nautilus", "zipline"):
        raise BadInputError(f"Expected --ignore with a table or trades, found it with {request.format}. Leave it out.")
    if request.format == "trades":
        return
    if (request.format == "nautilus") != (request.fills is not None and request.prices is not None):
        raise BadInputError(
            "Expected --fills and --prices with the format nautilus and with no other, found otherwise. The balance of "
            "an account is not its equity: it takes the fills, and closing prices as date, symbol, close."
        )
    if request.capital is not None or request.calendar is not None:
        raise BadInputError(
            f"Expected --capital and --calendar with the format trades alone, found one with {request.format}. Leave "
            "it out."
        )


def _read(request: ConversionRequest, sources: Mapping[Path, bytes]) -> Labelled:
    content = sources[request.source]
    match request.format:
        case "lean":
            return read_lean(content, request.source, request.zone, flows_complete=request.flows_complete)
        case "nautilus":
            assert request.fills is not None
            assert request.prices is not None
            fills, prices = (sources[request.fills], request.fills), (sources[request.prices], request.prices)
            events = Events.of(request.splits, request.renames)
            return read_nautilus((content, request.source), fills, prices, request.zone, events)
        case "trades":
            prices_of = None if request.prices is None else (sources[request.prices], request.prices)
            account = Account(
                capital=request.capital,
                zone=request.zone,
                calendar=request.calendar,
                hints=request.hints,
                events=Events.of(request.splits, request.renames),
                ignored=request.ignored,
            )
            return read_trades((content, request.source), prices_of, account)
        case "zipline":
            return _zipline(read_labelled(content, request.source, request.hints), request)
        case _:
            return _plain_table(content, request)


def _as_shown(request: ConversionRequest, content: bytes) -> ConversionRequest:
    """The request with the unit that the cells show: a percent sign in all of them decides."""
    if request.format != "table" or request.is_values:
        return request
    kind = request.source.suffix.lower()
    if not may_show_percent(content, kind):
        return request
    table = read_labelled(content, request.source, request.hints, may_be_months=True).frame.drop(DAY)
    names = [
        name
        for name in table.columns
        if table[name].dtype.is_numeric() and plain(name) not in AMOUNTS and name not in request.ignored
    ]
    signed = with_percent_sign(content, kind, str(request.source), request.hints.sheet)
    return replace(request, unit="fraction") if names and signed.issuperset(names) else request


def _plain_table(content: bytes, request: ConversionRequest) -> Labelled:
    """Returns or values with benchmark, turnover and cost; or trials, whose columns have any names."""
    table = without(read_labelled(content, request.source, request.hints, may_be_months=True), request.ignored)
    table, amounts = amounts_of(table)
    if request.is_values:
        refuse_near_misses(table, {*FLOWS, *AMOUNTS})
        table = net_flows(table, amounts)
    elif request.table != "trials":
        table = read_alone(table)
    if request.hints.drop_head:
        table = without_head(table, *table.columns)
    table = numbers(table, *table.columns)
    if not request.is_values:
        return as_returns(table, request.zone, unit=request.unit, amounts=amounts)
    values = [name for name in table.columns if name != FLOW and name not in amounts]
    table = funded(table, *values, drop_head=request.hints.drop_head)
    beside = table.frame.select(DAY, *amounts)
    bare = Labelled(table.frame.drop(amounts), table.said, table.notes, table.written)
    returns = returns_of_values(bare, request.zone, _true_days(request))
    if not amounts:
        return returns
    daily = to_days(Labelled(beside, table.said, (), table.written), request.zone).frame.group_by(DAY).sum()
    frame = returns.frame.join(daily, on=DAY, how="left", maintain_order="left")
    return Labelled(frame, returns.said, returns.notes, returns.written)


def _zipline(table: Labelled, request: ConversionRequest) -> Labelled:
    """The performance table of `run_algorithm`: returns, and the benchmark from its cumulative return."""
    daily = as_returns(numbers(table, "returns"), request.zone, unit=request.unit)
    frame = daily.frame.rename({"returns": "return"})
    if "benchmark_period_return" in table.columns and not table.frame["benchmark_period_return"].is_null().any():
        grown = numbers(table, "benchmark_period_return").frame["benchmark_period_return"] + 1
        before = grown.shift(1, fill_value=1.0)
        if frame.height == grown.len():
            frame = frame.with_columns((grown / before - 1).alias("benchmark"))
    return Labelled(frame, table.said, daily.notes)


def _refuse_impossible(frame: pl.DataFrame, labelled: Labelled, request: ConversionRequest) -> None:
    names = [name for name in frame.columns if name != DAY and (request.table == "trials" or name in RETURNS)]
    declared = declared_values(request.extremes)
    refuse_impossible(labelled, frame, names, declared, may_rest=request.table == "trials")


def _true_days(request: ConversionRequest) -> Declared | None:
    """Days whose returns were declared true; None if the table has every flow."""
    return None if request.flows_complete else declared_values(request.extremes)


def _as_table(labelled: Labelled, table: str, unit: str | None) -> pl.DataFrame:
    frame = labelled.frame
    if table == "trials":
        return frame
    frame = _usual_names(frame)
    named = [name for name in frame.columns if name != DAY]
    if "return" in named:
        return frame
    named = [name for name in named if name not in ("benchmark", *AMOUNTS)] or named
    if len(named) != 1:
        raise labelled.refuse(
            f"expected one column of returns for {table}, found {len(named)}: {', '.join(named)[:200]}. Import it with "
            "--table trials, or write the one column that was submitted, named return, and its benchmark."
        )
    if unit is None and (word := UNIT_WORD.search(named[0])) is not None:
        raise labelled.refuse(
            f"column {named[0]}: expected returns such as 0.012, or the unit of a column whose name says "
            f"{word.group()!r}. Say --unit percent where 1.2 means 1.2%, or --unit fraction where 0.012 does (cells "
            "with a percent sign are read as fractions); divide basis points by 10,000."
        )
    return frame.rename({named[0]: "return"})


def _usual_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Rename the columns of return and benchmark to these names, if one column each has a usual name."""
    for name, words in {"return": RETURN, "benchmark": BENCHMARK}.items():
        columns = [column for column in frame.columns if plain(column) in words]
        if len(columns) == 1:
            frame = frame.rename({columns[0]: name})
    return frame
