"""serve, notices: the server, and the notices to people."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from signoff.app.notices import Untold, retry, untold
from signoff.app.pacing import Hold
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.domain.events import ActorProof
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
    if session.console.is_terminal:  # otherwise every line belongs to the log
        where = f"Signoff at http://{host}:{port}, home {session.installation.settings.home}"
        session.console.print(where, soft_wrap=True)
    run(session.installation.known_by(ActorProof.AUTHENTICATED), host, port)


def notices(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="With --retry: these alone.")] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Send a notice and a call now, so that the first is no incident.")
    ] = False,
    again: Annotated[bool, typer.Option("--retry", help="Make dead letters due again, or the notices named.")] = False,
) -> None:
    """List undelivered notices, their attempts, and why they were refused.

    Example: `signoff notices --test`, and after a receiver was mended `signoff notices --retry`
    """
    session: Session = context.obj
    house = session.installation
    if ids and not again:
        raise BadInputError("Expected --retry with the ids of notices, found ids alone; nothing was changed.")
    retried = retry(house.record, ids or ()) if again else 0
    if again:
        house.pacing.forget()
    due, holds = untold(house.record), house.pacing.holds()
    if test:
        _try(session)
    standings = [(one, one.standing(house.settings.notice_attempts, house.clock.now())) for one in due]
    session.answer(
        {
            "waiting": [_document(one) for one, progress in standings if progress != "dead"],
            "dead": [_document(one) for one, progress in standings if progress == "dead"],
            "failing": sum(progress == "failing" for _, progress in standings),
            "receivers": [_held(hold) for hold in holds],
            "retried": retried,
            "test": test,
        },
        *((f"sent a test to {_where(session)}",) if test else ()),
        *((f"{retried} notice(s) are due again",) if again else ()),
        *(
            f"{hold.receiver} is not contacted until {_times(hold)}: {hold.because}"  # the receiver, not one notice
            for hold in holds
        ),
        _table(standings) if due else f"No notice waits. Notices go to {_where(session)}; `signoff worker` sends them.",
    )


def _table(standings: list[tuple[Untold, str]]) -> Table:
    table = Table("Id", "Channel", "About", "Notice", "Standing", "Tried", "Next", "Last refusal", box=None)
    for one, progress in standings:
        notice, tried = one.notice, one.tried
        next_at = "never" if tried.dead_at else _moment(tried.due_at) or "now"
        cells = (one.identity, notice.channel, notice.deployment, notice.notice, progress, str(tried.attempts), next_at)
        table.add_row(*cells, tried.problem)
    return table


def _document(one: Untold) -> dict[str, object]:
    notice, tried = one.notice, one.tried
    return {
        "id": one.identity,
        "deployment": notice.deployment,
        "channel": notice.channel,
        "notice": notice.notice,
        "severity": notice.severity.value,
        "attempts": tried.attempts,
        "failing_since": _iso(tried.failing_since),
        "next_at": _iso(tried.due_at),
        "dead_at": _iso(tried.dead_at),
        "problem": tried.problem,
    }


def _held(hold: Hold) -> dict[str, object]:
    return {
        "receiver": hold.receiver,
        "failures": hold.failures,
        "until": {severity.value: until.isoformat() for severity, until in hold.until.items()},
        "problem": hold.because,
    }


def _times(hold: Hold) -> str:
    return ", ".join(f"{_moment(until)} ({severity.value}s)" for severity, until in hold.until.items())


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _try(session: Session) -> None:
    """Send a test notice and a test call; each is tried even if the other fails."""
    house, wrong = session.installation, list[str]()
    now = house.clock.now()
    for severity in Severity:
        text = f"a test of a {severity} by {session.actor} at {now:%Y-%m-%d %H:%M:%S}Z; nothing is wrong"
        try:
            house.notifier.send(f"test:{severity}:{now.isoformat()}", "#test", "Signoff", text, severity)
        except UnavailableError as error:
            wrong.append(f"the test of a {severity} was not taken: {error}")
    if wrong:
        raise UnavailableError("; ".join(wrong))


def _where(session: Session) -> str:
    settings = session.installation.settings
    notices = "the webhook" if settings.webhook else str(settings.home / "notices.jsonl")
    return f"{notices}, calls to the pager" if settings.pager else notices
