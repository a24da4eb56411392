"""The commands, and how their errors read. Never a traceback for what people can answer."""

from functools import cache
from typing import Any, Final

import typer
from typer.main import get_command

from signoff import __version__
from signoff.adapters.foreign_files import refuse_library_settings
from signoff.cli import (
    accounts,
    approving,
    auditing,
    benchmarking,
    checking,
    credentials,
    database,
    demonstrating,
    importing,
    judging,
    policy,
    replaying,
    rollout,
    serving,
    showing,
)
from signoff.cli.helping import in_panels, readable
from signoff.cli.interruption import Interrupted, Signals
from signoff.cli.screen import Screen
from signoff.cli.session import Session, split_options
from signoff.cli.standing import what_stands
from signoff.domain.errors import SignoffError

STOPPED: Final = 130
# The commands under what a person wants, in the order of a release's life.
PANELS: Final = {
    "Validate": ("demo", "verdict", "init", "import", "check", "replay", "benchmark", "memo"),
    "Release": ("submit", "override", "approve", "reject", "clear-condition", "rehearse", "grandfather", "done"),
    "Run": ("rollout", "observe", "worker", "serve", "notices", "review", "post-mortem"),
    "Stop": ("kill", "rearm"),
    "Look": ("status", "history", "verify", "export", "keys", "version"),
    "Administer": ("policy", "people", "accounts", "token", "credential", "ledger", "anchor", "db"),
}
# Commands by their earlier names, for one release.
RENAMED: Final = {"meet": "clear-condition", "adopt": "grandfather"}
app = typer.Typer(
    name="signoff",
    help="Takes a trading model from candidate to trusted in production, and back out when it misbehaves.",
    epilog="Example: `signoff check release/ --json`",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (
    demonstrating,
    checking,
    replaying,
    benchmarking,
    importing,
    judging,
    approving,
    policy,
    rollout,
    showing,
    auditing,
    accounts,
    credentials,
    database,
    serving,
):
    part.add_to(app)


@app.command()
def version() -> None:
    """Print the version of Signoff."""
    print(__version__)  # noqa: T201


def invoke(arguments: list[str], signals: Signals) -> int:
    """Run one command and return its exit code."""
    session, rest = split_options(arguments)
    session.signals = signals
    errors = Screen(is_error=True)
    if is_lasting(rest):
        signals.leave()
    try:
        if not session.is_exit:
            refuse_library_settings()
        built()(args=_present(rest, errors), obj=session, prog_name="signoff")
    except SystemExit as finished:
        code = finished.code if isinstance(finished.code, int) else 0
    except SignoffError as error:
        errors.print(str(error), soft_wrap=True)
        code = error.exit_code
    except Interrupted as stopped:
        code = stopped.exit_code
        _tell_what_stands(session, errors)
    finally:
        session.close()
    if code == STOPPED:
        _tell_what_stands(session, errors)
    return code


@cache
def built() -> Any:  # noqa: ANN401 - Typer's own commands, which have no public type
    """The commands, made once in a process."""
    return in_panels(readable(get_command(app)), PANELS)


def _present(line: list[str], errors: Screen) -> list[str]:
    """The line with a renamed command by its present name, and a word on the new one."""
    if not line or (name := RENAMED.get(line[0])) is None:
        return line
    errors.print(f"`signoff {line[0]}` is `signoff {name}` now; the earlier name goes with the next release.")
    return [name, *line[1:]]


def _tell_what_stands(session: Session, errors: Screen) -> None:
    for line in what_stands(session):
        errors.print(line, soft_wrap=True)


def is_lasting(line: list[str]) -> bool:
    """Whether a command goes on until a signal ends it in a way of its own."""
    words = [word for word in line if not word.startswith("-")]
    return words[:1] == ["serve"] or (words[:1] == ["worker"] and "--watch" in line)
