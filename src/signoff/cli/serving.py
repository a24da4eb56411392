"""serve, notices: this installation for everybody else."""

from typing import Annotated

import typer
from rich.table import Table

from signoff.app.notices import waiting
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.ports.notices import Severity


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(serve)
    app.command()(notices)


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
    if session.is_trusted:
        raise BadInputError("Expected no --trusted, found it: a server never runs foreign code in its own process.")
    try:
        from signoff.http.server import serve as run  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("Serving needs the extra `signoff[server]`; install it.") from error
    if session.console.is_terminal:  # elsewhere every line is one of the log
        where = f"Signoff at http://{host}:{port}, home {session.installation.settings.home}"
        session.console.print(where, soft_wrap=True)
    run(session.installation, host, port)


def notices(
    context: typer.Context,
    test: Annotated[
        bool, typer.Option("--test", help="Send a notice and a call now, so that the first is no incident.")
    ] = False,
) -> None:
    """List what waits to be told to people; with --test, show that the channel works.

    Example: `signoff notices --test`
    """
    session: Session = context.obj
    house = session.installation
    due = waiting(house.record)
    table = Table("Channel", "About", "Notice", box=None)
    for notice in due:
        table.add_row(notice.channel, notice.deployment, notice.notice)
    if test:
        _try(session)
    where = _where(session)
    session.answer(
        {
            "waiting": [{"deployment": n.deployment, "channel": n.channel, "notice": n.notice} for n in due],
            "test": test,
        },
        *((f"sent a test to {where}",) if test else ()),
        table if due else f"Nothing waits to be told. Notices go to {where}; `signoff worker` sends them.",
    )


def _try(session: Session) -> None:
    """A notice and a call; each is tried, whatever becomes of the other."""
    house, wrong = session.installation, list[str]()
    now = house.clock.now()
    for severity in Severity:
        said = f"a test of a {severity} by {session.actor} at {now:%Y-%m-%d %H:%M:%S}Z; nothing is wrong"
        try:
            house.notifier.send(f"test:{severity}:{now.isoformat()}", "#test", "Signoff", said, severity)
        except UnavailableError as error:
            wrong.append(f"the test of a {severity} was not taken: {error}")
    if wrong:
        raise UnavailableError("; ".join(wrong))


def _where(session: Session) -> str:
    """Where notices go, in words."""
    known = session.installation.settings
    notices = "the webhook" if known.webhook else str(known.home / "notices.jsonl")
    return f"{notices}, calls to the pager" if known.pager else notices
