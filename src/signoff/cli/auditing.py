"""keys, export, verify, anchor: the ledger's public keys, its export and its verification."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from signoff.adapters.folders import write_pieces
from signoff.adapters.public_keys import public_keys
from signoff.app.audit import verify as verify_export
from signoff.cli.session import Session, fields, rows
from signoff.domain.errors import BadInputError
from signoff.verify import Folder, kept_at, lines, stamps_by, told

ledger_app = typer.Typer(name="ledger", help="The ledger's own keys.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(export)
    app.command()(verify)
    app.command()(anchor)
    app.command()(keys)
    app.add_typer(ledger_app)


def keys(context: typer.Context) -> None:
    """Print the public keys: a desk pins one to verify flags, an auditor needs one to verify an export.

    Example: `signoff keys --json`
    """
    session: Session = context.obj
    document = public_keys(session.installation.public_chain)
    flags, ledger = fields(document, "flags"), rows(document, "ledger")
    session.answer(
        document,
        "Flags are sealed by this key; a desk pins it (FlagClient keys={key id: public key}):",
        f"  key id       {flags['key_id']}",
        f"  public key   {flags['public_key']}",
        "The ledger is signed by these keys; an auditor names one (signoff verify EXPORT --key FINGERPRINT):",
        *(
            line
            for key in ledger
            for line in (
                f"  fingerprint  {key['fingerprint']}  {'signs now' if key['is_present'] else 'signed before'}, from "
                f"event {key['from_event']}",
                *(f"  {part}" for part in key["pem"].splitlines()),
            )
        ),
    )


def export(context: typer.Context, out: Annotated[Path, typer.Argument(help="The folder to write.")]) -> None:
    """Write the ledger and its blobs for an auditor. Example: `signoff export audit-2019`"""
    session: Session = context.obj
    files = write_pieces(out, session.verbs.export_pieces())
    altered = [] if session.house.settings.server is not None else sorted(session.house.ledger.altered_editions())
    session.answer(
        {"folder": str(out), "files": files, "altered_editions": [where for where, _ in altered]},
        f"{files} files in {out}. Check them anywhere, offline: signoff verify {out}",
        *(f"NOT in the export as it lies in the home: {where}, {what}" for where, what in altered),
    )
    raise typer.Exit(1 if altered else 0)


def verify(
    context: typer.Context,
    exported: Annotated[
        Path | None, typer.Argument(help="An export; default: the ledger of this installation or server.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--key", help="The fingerprint that one of the ledger's keys must have.")
    ] = None,
    since: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept from before, a folder of them, or an older export; may be repeated."),
    ] = None,
    tsa_root: Annotated[Path | None, typer.Option(help="Root certificates (PEM) that time stamps need.")] = None,
    is_full: Annotated[bool, typer.Option("--full", help="Read every event and file again, not only the new.")] = False,
) -> None:
    """Re-hash every byte, verify every signature, replay the state machine. Exit 0 intact, 1 tampered, 2 unanchored.

    This installation's own ledger is read from where it was verified last; with --full, or --since, from its beginning.
    With --server that server's whole export is fetched and verified here, on this machine and with its own code.
    Example: `signoff verify audit-2020 --since audit-2019`
    """
    session: Session = context.obj
    if exported is not None and not exported.is_dir():
        raise BadInputError(
            f"Expected an export folder, found nothing at {exported}. Write one with `signoff export OUT`."
        )
    checkpoints = tuple(checkpoints for path in since or () for checkpoints in kept_at(path))
    if exported is None and session.house.settings.server is not None:
        with TemporaryDirectory() as folder:
            write_pieces(Path(folder) / "export", session.verbs.export_pieces())
            result = verify_export(
                Folder(Path(folder) / "export"),
                expected_fingerprint=fingerprint,
                kept=checkpoints,
                check_stamp=stamps_by(tsa_root),
            )
    elif exported is None:
        own = session.installation.settings.tsa_root
        result = session.installation.ledger.verify(
            is_full=is_full,
            expected_fingerprint=fingerprint,
            kept=checkpoints,
            check_stamp=stamps_by(tsa_root or (own if own.is_file() else None)),
        )
    else:
        result = verify_export(
            Folder(exported), expected_fingerprint=fingerprint, kept=checkpoints, check_stamp=stamps_by(tsa_root)
        )
    session.answer(told(result), *lines(result))
    raise typer.Exit(result.exit_code)


def anchor(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option(help="file:DIR, git:REPOSITORY[#BRANCH] or rfc3161:URL; default: the home's own.")
    ] = None,
    tsa_root: Annotated[
        Path | None, typer.Option(help="The time-stamping authority's root certificates (PEM); rfc3161 needs them.")
    ] = None,
) -> None:
    """Keep the present checkpoint where writers of the ledger cannot change it.

    Example: `signoff anchor --to git:/mnt/auditors/ledger`
    """
    session: Session = context.obj
    house = session.installation
    where = house.ledger.anchor_to(to or f"file:{house.settings.anchors}", tsa_root=tsa_root)
    session.answer({"kept": where}, f"kept in {where}")


@ledger_app.command("rotate-key")
def rotate_key(context: typer.Context) -> None:
    """Let a new key sign the ledger from its next event on; old and new sign the handover.

    Give the new fingerprint to the auditors, and the new key to trading processes before the servers start again.
    Example: `signoff ledger rotate-key`
    """
    session: Session = context.obj
    chain = session.installation.ledger.rotate_keys()
    last, fingerprint = chain.handovers[-1], chain.fingerprints[-1]
    session.answer(
        {"fingerprint": fingerprint, "after_events": last.size, "signatures": len(last.keys)},
        f"Key {fingerprint} signs whatever comes after event {last.size}, in {len(last.keys)} signature(s).",
        f"Its public half for trading processes: {last.keys[0].content.hex()}",
        "Keep the private keys before it until every backup that they signed is gone.",
    )
