"""export, verify: the ledger, taken out and checked."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.adapters.folders import read_folder, write_folder
from signoff.app.audit import verify as verify_ledger
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(export)
    app.command()(verify)


def export(context: typer.Context, out: Annotated[Path, typer.Argument(help="The folder to write.")]) -> None:
    """Write the ledger and its blobs for an auditor. Example: `signoff export audit-2019`"""
    session: Session = context.obj
    files = session.house.export()
    write_folder(out, files)
    session.answer(
        {"folder": str(out), "files": len(files)},
        f"{len(files)} files in {out}. Check them anywhere, offline: signoff verify {out}",
    )


def verify(
    context: typer.Context,
    exported: Annotated[Path | None, typer.Argument(help="An export; default: this installation's own ledger.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--key", help="The fingerprint the ledger's key must have.")
    ] = None,
) -> None:
    """Re-hash every byte, verify every signature, replay the state machine. Exit 0 intact, 1 tampered, 2 unanchored.

    Example: `signoff verify audit-2019`
    """
    session: Session = context.obj
    if exported is not None and not exported.is_dir():
        raise BadInputError(
            f"Expected an export folder, found nothing at {exported}. Write one with `signoff export OUT`."
        )
    files = session.house.export() if exported is None else read_folder(exported)
    result = verify_ledger(files, expected_fingerprint=fingerprint)
    session.answer(
        {
            "exit": result.exit_code,
            "events": result.events,
            "fingerprint": result.fingerprint,
            "findings": [{"where": where, "what": what} for where, what in result.findings],
        },
        *(f"TAMPERED  {where}: {what}" for where, what in result.findings),
        result.summary,
    )
    raise typer.Exit(result.exit_code)
