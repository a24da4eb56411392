"""The commands and their error messages. An error that people can answer never shows a traceback.

The list of commands is separate, and a command's module is loaded only when that command is given, so that help and a
kill do not wait for the imports of other commands.
"""

import gc
import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from signoff.adapters.foreign_files import refuse_library_settings
from signoff.cli.helping import as_written, readable
from signoff.cli.interruption import Interrupted, Signals
from signoff.cli.line import CommandLine, parsed
from signoff.cli.listing import PANELS
from signoff.cli.screen import Screen
from signoff.domain.errors import SignoffError

if TYPE_CHECKING:
    from signoff.cli.session import Session

STOPPED: Final = 130
MISUSED: Final = 2
# Commands by their earlier names, for one release.
RENAMED: Final = {"meet": "clear-condition", "adopt": "grandfather"}


class Commands(TyperGroup):
    """The commands by name; a module is loaded when the line names its command."""

    def list_all(self) -> "Commands":
        """The group with every command listed by its summary and none loaded."""
        for panel, listed in PANELS.items():
            for name, (_, summary) in listed.items():
                self.commands[name] = TyperCommand(name, help=as_written(summary), rich_help_panel=panel)
        return self

    def load(self, name: str) -> None:
        """Load the module of one command; a name that is not listed loads nothing.

        The garbage collector, which `main` stopped, then runs, but less often, since tables and documents consist of
        many small objects, few of them garbage.
        """
        panel, module = next(((p, names[name].module) for p, names in PANELS.items() if name in names), (None, None))
        if module is None or self.commands[name].callback is not None or hasattr(self.commands[name], "commands"):
            return
        command = _commands_of(module)[name]
        command.rich_help_panel = panel
        self.commands[name] = command
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)

    def load_all(self) -> "Commands":
        """The group with every command loaded."""
        for name in tuple(self.commands):
            self.load(name)
        return self

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - Typer's own, which have no public type
        """The loaded command of a line, and the session that it will use."""
        self.load(args[0])
        gc.enable()
        resolved = super().resolve_command(ctx, args)
        if isinstance(ctx.obj, Invocation):
            ctx.obj = ctx.obj.begun()
        return resolved


app = typer.Typer(
    name="signoff",
    cls=Commands,
    help="Takes a trading model from candidate to trusted in production, and back out when it misbehaves.",
    epilog="Example: `signoff check release/ --json`",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _signoff() -> None:
    """A group without commands; they are added by name."""


class Invocation:
    """One line in execution; it has a session once its command is loaded."""

    def __init__(self, line: CommandLine, signals: Signals) -> None:
        self.line, self.signals = line, signals
        self.session: Session | None = None

    def begun(self) -> "Session":
        """The session, made on first use."""
        from signoff.cli.session import Session  # noqa: PLC0415 - help does not need what an installation is made of

        if self.session is None:
            self.session = Session.of(self.line, self.signals)
        return self.session


def invoke(arguments: list[str], signals: Signals) -> int:
    """Run one command and return its exit code."""
    line = parsed(arguments)
    invocation, errors = Invocation(line, signals), Screen(is_error=True)
    if line.is_lasting:
        signals.leave()
    try:
        if not line.is_exit:
            refuse_library_settings()
        built()(args=_present(line.rest, errors), obj=invocation, prog_name="signoff")
    except SystemExit as finished:
        code = finished.code if isinstance(finished.code, int) else 0
        if code == MISUSED:
            _answer_error(invocation, "usage", "The command could not be read; standard error says why.")
    except SignoffError as error:
        errors.print(str(error), soft_wrap=True)
        _answer_error(invocation, error.code, str(error), getattr(error, "guard", None))
        code = error.exit_code
    except Interrupted as stopped:
        code = stopped.exit_code
        _tell_what_stands(invocation.session, errors)
    finally:
        if invocation.session is not None:
            invocation.session.close()
    if code == STOPPED:
        _tell_what_stands(invocation.session, errors)
    return code


@cache
def built() -> Any:  # noqa: ANN401 - Typer's own commands, which have no public type
    """The commands, built once in a process and not loaded."""
    group: Any = readable(get_command(app))
    return group.list_all()


@cache
def _commands_of(module: str) -> dict[str, Any]:
    """The commands of a module by name, with readable help."""
    part = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="markdown")
    part.callback()(_signoff)
    import_module(f"signoff.cli.{module}").add_to(part)
    group: Any = get_command(part)
    return dict(readable(group).commands)


def _present(line: list[str], errors: Screen) -> list[str]:
    """The line with a renamed command under its present name, and a hint about it."""
    if not line or (name := RENAMED.get(line[0])) is None:
        return line
    errors.print(f"`signoff {line[0]}` is `signoff {name}` now; the earlier name goes with the next release.")
    return [name, *line[1:]]


def _answer_error(invocation: Invocation, code: str, message: str, guard: str | None = None) -> None:
    """Print an error as JSON, if the line asks for JSON and has no answer yet."""
    session = invocation.session
    if invocation.line.is_json and (session is None or not session.has_answered):
        content = {"code": code, "message": message, **({} if guard is None else {"guard": guard})}
        print(json.dumps({"error": content}, indent=1))  # noqa: T201 - standard output is the product here


def _tell_what_stands(session: "Session | None", errors: Screen) -> None:
    if session is None:
        errors.print("Stopped before anything was done. Nothing was recorded.")
        return
    from signoff.cli.interrupted import what_stands  # noqa: PLC0415 - only for a command that was stopped

    for line in what_stands(session):
        errors.print(line, soft_wrap=True)
