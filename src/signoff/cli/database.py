"""db: the database's schema, and the role that the server works under."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.adapters.database import initialise, schema_of
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError

db_app = typer.Typer(name="db", help="The database's schema and its least privileged role.", no_args_is_help=True)
Owner = Annotated[str | None, typer.Option("--owner-url", help="The database as its owner; default --database.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(db_app)


@db_app.command("init")
def init(
    context: typer.Context,
    role: Annotated[str | None, typer.Option("--role", help="The role the server works under; PostgreSQL.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="The role's password.")] = None,
    owner_url: Owner = None,
) -> None:
    """Make the tables, and a role that can add to the ledger and change nothing in it.

    Example: `signoff db init --owner-url postgresql+psycopg://postgres@db/signoff --role signoff_app`
    """
    session: Session = context.obj
    if password_file is not None and not password_file.is_file():
        raise BadInputError(f"Expected a file with the role's password at {password_file}, found none.")
    password = password_file.read_text().strip() if password_file else None
    url = owner_url or session.installation.settings.database
    schema = initialise(url, role=role, password=password)
    done = f"the database has schema {schema}"
    also = f"; {role} may add to the ledger, and change nothing in it" if role else ""
    session.answer({"schema": schema, "role": role}, done + also)


@db_app.command("upgrade")
def upgrade(context: typer.Context, owner_url: Owner = None) -> None:
    """Bring the schema up to date; not a byte of an event changes. Make a backup first.

    Example: `signoff db upgrade --owner-url postgresql+psycopg://postgres@db/signoff`
    """
    session: Session = context.obj
    schema = initialise(owner_url or session.installation.settings.database)
    session.answer({"schema": schema}, f"the database has schema {schema}")


@db_app.command("status")
def status(context: typer.Context) -> None:
    """Show which schema the database has. Example: `signoff db status`"""
    session: Session = context.obj
    present, newest = schema_of(session.installation.settings.database)
    session.answer(
        {"schema": present, "known": newest},
        f"schema {present}, this Signoff knows schema {newest}" if present else "no schema yet: signoff db init",
    )
