"""import: converts the result of another tool into a table of evidence."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.adapters.folders import write_file
from signoff.adapters.results.formats import DECIMALS, FORMATS, ORDERS, TABLES
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command("import")(import_result)


def import_result(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help=f"Which tool wrote it: {', '.join(FORMATS)}.")],
    file: Annotated[Path, typer.Argument(help="Its result: JSON, pickle, Parquet, CSV, Arrow or Excel.")],
    out: Annotated[Path, typer.Option("--out", help="The dossier folder to write the table into.")],
    table: Annotated[str, typer.Option("--table", help=f"Which evidence it is: {', '.join(TABLES)}.")] = "backtest",
    zone: Annotated[str | None, typer.Option(help="The zone in which a day begins and ends.")] = None,
    is_values: Annotated[bool, typer.Option("--values", help="The file holds portfolio values, not returns.")] = False,
    fills: Annotated[Path | None, typer.Option(help="NautilusTrader: the report of fills.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="NautilusTrader and trades: closes as date, symbol, close.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="What returns are written in: fraction or percent.")] = None,
    extreme: Annotated[
        list[str] | None, typer.Option(metavar="DATE=RETURN", help="A true return beyond what is usual, on its day.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL:DATE=RATIO", help="nautilus, trades: new shares for one; 1 for none."),
    ] = None,
    rename: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="nautilus, trades: a new name.")] = None,
    dates: Annotated[str | None, typer.Option(help=f"What comes first in its dates: {' or '.join(ORDERS)}.")] = None,
    decimal: Annotated[str | None, typer.Option(help=f"Its decimal mark: {' or '.join(DECIMALS)}.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Excel: the sheet with the table.")] = None,
    drop_head: Annotated[
        bool, typer.Option("--drop-head", help="Leave out first rows that have no number yet.")
    ] = False,
    flows_complete: Annotated[
        bool,
        typer.Option("--flows-complete", help="--values, lean: no money was paid in or out but by the column flow."),
    ] = False,
    capital: Annotated[float | None, typer.Option(help="trades: the account's money before the first trade.")] = None,
    calendar: Annotated[str | None, typer.Option(help="trades without --prices: whose sessions, e.g. XNYS.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="A column to leave unread.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a table of that name that is there already.")
    ] = False,
) -> None:
    """Convert the result of another tool into a table of evidence, with a note of where it came from.

    Example: `signoff import lean backtest.json --out release`
    """
    from signoff.adapters.results.conversion import ConversionRequest, convert, hints_of  # noqa: PLC0415 - it reads tables

    session: Session = context.obj
    request = ConversionRequest(
        format=kind,
        source=file,
        table=table,
        zone=zone,
        is_values=is_values,
        flows_complete=flows_complete,
        fills=fills,
        prices=prices,
        unit=unit,
        extremes=tuple(extreme or ()),
        splits=tuple(split or ()),
        renames=tuple(rename or ()),
        hints=hints_of(decimal=decimal, dates=dates, sheet=sheet, drop_head=drop_head),
        capital=capital,
        calendar=calendar,
        ignored=tuple(ignore or ()),
    )
    converted = convert(request)
    _refuse_second(out, table)
    replaced = _replaced(out / f"{table}.parquet", converted.files[f"{table}.parquet"], may_replace=replace)
    for name, content in converted.files.items():
        write_file(out / name, content)
    days = converted.frame["date"]
    first, last = str(days.min()), str(days.max())
    session.answer(
        {
            "written": [str(out / name) for name in converted.files],
            "rows": converted.frame.height,
            "columns": converted.frame.columns,
            "first": first,
            "last": last,
            "notes": list(converted.notes),
            "replaced": replaced,
        },
        *(f"wrote {out / name}" for name in converted.files),
        f"{converted.frame.height} days from {first} to {last}: {', '.join(converted.frame.columns)}",
        *converted.notes,
        *((replaced,) if replaced else ()),
    )


def _replaced(path: Path, content: bytes, *, may_replace: bool) -> str | None:
    """The note about a replaced table; refused without --replace, unless the bytes are the same."""
    from signoff.adapters.evidence.tables import read_bytes  # noqa: PLC0415 - it reads tables
    from signoff.ledger.canonical import digest  # noqa: PLC0415 - it reads tables

    if not path.exists() or (before := read_bytes(path)) == content:
        return None
    if not may_replace:
        raise BadInputError(
            f"{path}: expected no table of that name or the same one, found another (sha256 {digest(before)}). Say "
            "--replace to write over it, or name another folder. Nothing was written."
        )
    return f"replaced {path} (sha256 {digest(before)})"


def _refuse_second(out: Path, table: str) -> None:
    """Refuse a second file of one table now, since `check` would refuse it later."""
    from signoff.adapters.evidence.file_formats import SUFFIXES  # noqa: PLC0415 - it reads tables

    others = [*(f"{table}{suffix}" for suffix in SUFFIXES if suffix != ".parquet"), f"{table}.link"]
    for name in others:
        if (out / name).exists():
            raise BadInputError(f"{out / name} is there already. Remove it first; a folder holds one {table}.")
