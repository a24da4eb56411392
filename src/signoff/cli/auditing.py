"""export, verify: the ledger, taken out and checked."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.adapters.folders import write_folder
from signoff.app.audit import verify as verify_ledger
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError
from signoff.verify import Folder, kept_at, lines, stamps_by, told


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
        str | None, typer.Option("--key", help="The fingerprint that one of the ledger's keys must have.")
    ] = None,
    since: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept from before, a folder of them, or an older export; may be repeated."),
    ] = None,
    tsa_root: Annotated[Path | None, typer.Option(help="Root certificates (PEM) that time stamps need.")] = None,
) -> None:
    """Re-hash every byte, verify every signature, replay the state machine. Exit 0 intact, 1 tampered, 2 unanchored.

    Example: `signoff verify audit-2020 --since audit-2019`
    """
    session: Session = context.obj
    if exported is not None and not exported.is_dir():
        raise BadInputError(
            f"Expected an export folder, found nothing at {exported}. Write one with `signoff export OUT`."
        )
    result = verify_ledger(
        session.house.export() if exported is None else Folder(exported),
        expected_fingerprint=fingerprint,
        kept=tuple(kept for path in since or () for kept in kept_at(path)),
        check_stamp=stamps_by(tsa_root),
    )
    session.answer(told(result), *lines(result))
    raise typer.Exit(result.exit_code)
