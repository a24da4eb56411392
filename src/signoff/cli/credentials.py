"""credential: the authenticators with which a person signs in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.cli.session import Session, rows
from signoff.verbs.release_documents import Document

credential_app = typer.Typer(
    name="credential", help="Your authenticators: passkeys and tokens that sign in the browser.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(credential_app)


@credential_app.command("list")
def list_credentials(context: typer.Context) -> None:
    """List your authenticators, and the one that waits for your word. Example: `signoff credential list`"""
    session: Session = context.obj
    _answer(session, session.verbs_of(None).credentials())


@credential_app.command("vouch")
def vouch(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key id that the browser showed, 12 digits at least.")],
    key: Annotated[Path | None, typer.Option("--key", help="Your private key.")] = None,
) -> None:
    """Say with your own key that an authenticator, just made in the browser, is yours; from then on it counts.

    Example: `signoff credential vouch 5f1c09aa31d2`
    """
    session: Session = context.obj
    _answer(session, session.verbs_of(None).vouch(key_id, key))


@credential_app.command("withdraw")
def withdraw(
    context: typer.Context,
    credential_id: Annotated[str, typer.Argument(help="The credential's id, as `signoff credential list` lists it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
) -> None:
    """Withdraw an authenticator; its earlier signatures stand.

    Example: `signoff credential withdraw kX3v… --reason "phone lost"`
    """
    session: Session = context.obj
    _answer(session, session.verbs_of(None).withdraw_credential(credential_id, reason=reason))


def _answer(session: Session, document: Document) -> None:
    enrolled, waiting = rows(document, "credentials"), document["waiting"]
    lines = [f"{c['label']}: key id {c['key_id'][:16]}…, at {c['origin']} (id {c['id']})" for c in enrolled]
    if isinstance(waiting, dict):
        lines.append(f"waits for your word: {waiting['label']}, key id {waiting['key_id'][:16]}…")
    session.answer(document, *(lines or ["No authenticator yet. Make one in the browser, at /credentials."]))
