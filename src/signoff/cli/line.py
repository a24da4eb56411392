"""Parses a command line: the shared options, which may be anywhere on it, and the rest for its command."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

# Commands that take risk away; nothing may delay them.
EXITS: Final = (("kill",), ("rollout", "pause"), ("rollout", "rollback"), ("rollout", "attest-flat"))
# Commands that only read; they create no home.
READING: Final = (
    *(("status",), ("history",), ("verify",), ("export",), ("keys",), ("db", "status")),
    ("notices",),
    *(("token", "list"), ("accounts", "list"), ("accounts", "proposals"), ("people", "list"), ("credential", "list")),
)
# Commands that only read too, and have an answer without a home: that of an empty ledger.
READING_NOTHING: Final = (("policy", "show"), ("memo",))
VALUED: Final = {
    "--home": "home",
    "--database": "database",
    "--registry": "registry",
    "--as": "actor",
    "--server": "server",
    "--token": "token",
    "--venue": "venue",
}


@dataclass(kw_only=True)
class CommandLine:
    """The shared options by the name of their setting, and the rest of the line."""

    options: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    is_trusted: bool = False
    rest: list[str] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        """The rest without options."""
        return tuple(word for word in self.rest if not word.startswith("-"))

    @property
    def is_exit(self) -> bool:
        """Whether the command takes risk away."""
        return self._begins_with(EXITS)

    @property
    def is_reading(self) -> bool:
        """Whether the command only reads; a test of the receivers reads nothing."""
        return self._begins_with(READING) and "--test" not in self.rest

    @property
    def may_read_nothing(self) -> bool:
        """Whether the command only reads, and has an answer without a home."""
        return self._begins_with(READING_NOTHING)

    @property
    def is_lasting(self) -> bool:
        """Whether the command runs until a signal, which it handles itself."""
        return self.words[:1] == ("serve",) or (self.words[:1] == ("worker",) and "--watch" in self.rest)

    def _begins_with(self, commands: Iterable[tuple[str, ...]]) -> bool:
        return any(self.words[: len(command)] == command for command in commands)


def parsed(arguments: list[str]) -> CommandLine:
    """Take the shared options out of a line, wherever they are."""
    line, waiting = CommandLine(), iter(arguments)
    for argument in waiting:
        name, _, value = argument.partition("=")
        if argument == "--":
            line.rest += [argument, *waiting]
            break
        if argument == "--json":
            line.is_json = True
        elif argument == "--trusted":
            line.is_trusted = True
        elif name in VALUED and "=" in argument:
            line.options[VALUED[name]] = value
        elif name in VALUED:
            line.options[VALUED[name]] = next(waiting, "")
        else:
            line.rest.append(argument)
    return line
