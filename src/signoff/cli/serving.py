"""serve: this installation for everybody else."""

from typing import Annotated

import typer

from signoff.cli.session import Session
from signoff.domain.errors import UnavailableError


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(serve)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on; put TLS in front of any but loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8400,
) -> None:
    """Serve people, desks and programs: the API, flags and streams. Stop it with Ctrl-C.

    Example: `signoff serve --port 8400 --database postgresql+psycopg://signoff@db/signoff`
    """
    session: Session = context.obj
    try:
        from signoff.http.server import serve as run  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("Serving needs the extra `signoff[server]`; install it.") from error
    session.console.print(f"Signoff at http://{host}:{port}, home {session.house.settings.home}", soft_wrap=True)
    run(session.house, host, port)
