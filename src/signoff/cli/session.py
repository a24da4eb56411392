"""What every command shares: where the installation is, how to answer, and how to fail.

`--home`, `--database`, `--registry`, `--as` and `--json` may stand anywhere on the line.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from signoff.config.settings import settings
from signoff.domain.gates.assess import Progress as Report
from signoff.wiring import House

VALUED = {"--home": "home", "--database": "database", "--registry": "registry", "--as": "actor"}


@dataclass
class Session:
    """One invocation: made from the options, used by its one command."""

    options: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    _house: House | None = None

    @property
    def house(self) -> House:
        """The installation, built on first use."""
        if self._house is None:
            self._house = House(settings(**self.options))
        return self._house

    @property
    def person(self) -> str | None:
        """The person named with --as."""
        return self.options.get("actor")

    @property
    def actor(self) -> str:
        return self.house.settings.actor

    @property
    def console(self) -> Console:
        """Where people read: standard output, or standard error when standard output carries JSON."""
        return Console(stderr=self.is_json, highlight=False)

    def answer(self, document: Mapping[str, object], *lines: object) -> None:
        """The result: one JSON document, or lines for people."""
        if self.is_json:
            print(json.dumps(document, indent=1, default=str))  # noqa: T201 - standard output is the product here
            return
        for line in lines:
            self.console.print(line)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A bar on standard error for anything that may take over a second."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("starting", total=None)
            yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def split_options(arguments: list[str]) -> tuple[Session, list[str]]:
    """Take the shared options out of the line, wherever they stand; the rest is the command's own."""
    session, waiting = Session(), iter(arguments)
    rest: list[str] = []
    for argument in waiting:
        name, _, value = argument.partition("=")
        if argument == "--":
            return session, [*rest, argument, *waiting]
        if argument == "--json":
            session.is_json = True
        elif name in VALUED and "=" in argument:
            session.options[VALUED[name]] = value
        elif name in VALUED:
            session.options[VALUED[name]] = next(waiting, "")
        else:
            rest.append(argument)
    return session, rest
