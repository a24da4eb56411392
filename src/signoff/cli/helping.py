"""Help as it was written: Typer reads help as Markdown, which takes `<name>` for a tag of HTML and leaves it out."""

import re
from collections.abc import Iterator
from typing import Any, Final

SHARED: Final = (
    "Shared options, anywhere on the line: --home DIR (default ./.signoff), --database URL, --registry URI, --as NAME, "
    "--server URL, --token SECRET, --json; --venue none|simulated (default none) says where orders are stopped; "
    "--trusted runs the code of a dossier or a model in the command's own process, and every result says so."
)
# Characters that Markdown reads as mark-up, outside of `code`.
_CODE: Final = re.compile(r"(`[^`]*`)")
_MARKUP: Final = re.compile(r"([\\<>\[\]*_~|&])")


def readable(command: Any) -> Any:  # noqa: ANN401 - Typer's own commands, which have no public type
    """The same commands, whose help shows every sign of its text, and ends with the options that all of them share."""
    for one in every_command(command):
        one.help = None if one.help is None else as_written(one.help)
        one.epilog = as_written(SHARED if one.epilog is None else f"{SHARED} {one.epilog}")
        for param in one.params:
            if getattr(param, "help", None):
                param.help = as_written(param.help)
    return command


def every_command(command: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """A command and all beneath it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from every_command(below)


def as_written(text: str) -> str:
    """A text with every sign that Markdown would take for its own as an escape."""
    parts = _CODE.split(text)
    return "".join(part if n % 2 else _MARKUP.sub(r"\\\1", part) for n, part in enumerate(parts))
