"""journal: check what a trading process recorded, and take it elsewhere."""

import socket
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from signoff.adapters.journal_postgres import ship
from signoff.cli.session import Session
from signoff.desk.journal import JournalDamagedError, check
from signoff.domain.errors import BadInputError

journal_app = typer.Typer(name="journal", help="The journal of a trading process.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(journal_app)


@journal_app.command("check")
def check_journal(
    context: typer.Context, folder: Annotated[Path, typer.Argument(help="The folder that the trading process writes.")]
) -> None:
    """Read every record of a journal and look for gaps. Exit 0 nothing missing, 1 gaps or damage, 2 no journal.

    A process may write the journal meanwhile; what it has not acknowledged yet is left out.
    Example: `signoff journal check journal --json`
    """
    session: Session = context.obj
    if not folder.is_dir():
        raise BadInputError(f"Expected a folder with a journal, found none at {folder}. Name the one the desk writes.")
    try:
        found = check(folder)
    except JournalDamagedError as error:
        session.answer({"folder": str(folder), "damage": str(error)}, f"DAMAGED: {error}")
        raise typer.Exit(1) from error
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.by_kind.items()) or "no record"
    missing = sum(last - first + 1 for first, last in found.gaps)
    session.answer(
        {"folder": str(folder), "damage": None, **asdict(found)},
        f"{found.records:,} records in {found.segments} segment(s), up to number {found.last_seq:,}: {kinds}",
        f"gaps: {len(found.gaps)}" + (f", {missing:,} records missing" if missing else ""),
        *(f"  MISSING  {first:,} to {last:,}" for first, last in found.gaps),
        *([f"dropped while the disk was too slow, and counted: {found.dropped:,}"] if found.dropped else []),
        *([f"the clock went back {found.clock_went_back:,} time(s)"] if found.clock_went_back else []),
    )
    raise typer.Exit(1 if found.gaps else 0)


@journal_app.command("compact")
def compact_journal(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder that the trading process writes.")],
    out: Annotated[Path, typer.Option(help="The folder of the Parquet files.")],
) -> None:
    """Write each sealed segment of a journal as Parquet, predictions and events apart; what is there stays as it is.

    The segment that the trading process writes now is left for later.
    Example: `signoff journal compact journal --out tables`
    """
    from signoff.adapters.journal_parquet import compact  # noqa: PLC0415 - polars loads slowly, and a check needs none

    session: Session = context.obj
    written = compact(folder, out)
    session.answer(
        {"folder": str(out), "written": [path.name for path in written]},
        f"{len(written)} file(s) written to {out}" if written else f"Nothing new: {out} has every sealed segment.",
    )


@journal_app.command("ship")
def ship_journal(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder that the trading process writes.")],
    to: Annotated[str, typer.Option(help="The PostgreSQL database, postgresql://user@host/name.")],
    needs_standby: Annotated[
        bool, typer.Option("--needs-standby", help="Refuse a server that has no synchronous standby.")
    ] = False,
) -> None:
    """Copy a journal's records into PostgreSQL, each exactly once; run it again to go on.

    A password belongs into PGPASSFILE or ~/.pgpass. Example: `signoff journal ship journal --to postgresql://desk@db/journals`
    """
    session: Session = context.obj
    acknowledged = check(folder).last_seq
    with session.progress() as report:
        last = ship(
            folder,
            to,
            host=socket.gethostname(),
            needs_standby=needs_standby,
            progress=lambda seq: report("records", seq, acknowledged),
        )
    session.answer({"last_seq": last}, f"The database has every acknowledged record, up to number {last:,}.")
