"""Messages in terms of a command's options or a function's arguments.

Readers of evidence name keys of a dossier, and importers name options of `signoff import`. Without a dossier or import,
each message names the option of the verdict instead.
"""

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Final


class Face(Enum):
    """The reader of a message."""

    COMMAND = "command"
    FUNCTION = "function"


_AS_OPTIONS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r" Nothing was written\.?", ""),
        (r"(\S*/)?dossier\.yaml: evidence\.", "evidence."),
        (r"Declare evidence\.frequency, evidence\.calendar and evidence\.rows_a_year in dossier\.yaml",
         "Say --frequency, --calendar and --rows-a-year"),
        (r"write under evidence\.extreme_returns - \{date: (\S+), value: ([^,}\s]+)[^}]*\}", r"say --extreme \1=\2"),
        (r", and list it under evidence\.extreme_returns in dossier\.yaml", ""),
        (r"declare evidence\.high_sharpe with up_to and reason in dossier\.yaml",
         "a dossier declares it, with its reason"),
        (r"declare their number as evidence\.never_traded in dossier\.yaml", "say their number with --never-traded"),
        (r"write benchmark_lag: (-?\d+) under evidence of dossier\.yaml", r"say --benchmark-lag \1"),
        (r"evidence\.extreme_returns(?:, line \d+)?", "--extreme"),
        (r"evidence\.return_unit: (\w+)", r"--unit \1"),
        (r"evidence\.return_unit", "--unit"),
        (r"evidence\.(\w+)", lambda match: f"--{match[1].replace('_', '-')}"),
        (r" in the dossier as (--[\w-]+)", r" with \1"),
        (r" (?:in|of) (?:the )?dossier(?:\.yaml)?\b", ""),
        (r"the first 1 rows \((\S+) to \1\) lack a number", r"the first row (\1), which has no number"),
        (r", or convert the file with `signoff import` and (--\w+ [\w-]+) or (--\w+ [\w-]+)", r", or say \1 or \2"),
        (r" and convert it with `signoff import`", ""),
        (r"`signoff import` leaves them out with --drop-head", "remove them"),
        (r"`signoff import` rewrites those of returns", "or name their order with --dates"),
        (r"--values\b", "--equity"),
        (r"\bfound None\b", "found nothing"),
        (r", and were left out as --drop-head says", ""),
        (r" left out as --drop-head says", " left out"),
        (r"[Tt]he file `(\w+)`", r"the table of \1"),
    )
)  # fmt: skip
_EXTREME: Final = re.compile(r"--extreme \S+?=[-\d.e+]*\d(?: --extreme \S+?=[-\d.e+]*\d)*")
_SETTING: Final = re.compile(r"--(unit|dates|decimal|frequency|calendar) (fraction|percent|[a-z]+-first|24/[57])\b")
_NUMBER: Final = re.compile(r"--(benchmark-lag|risk-free-pct|rows-a-year|never-traded|capital) (-?\d+(?:\.\d+)?)\b")
_NAME: Final = re.compile(r"--([a-z][a-z-]+)\b")
_FLAGS: Final = {
    "equity": "equity=True",
    "returns": "equity=False",
    "flows-complete": "flows_complete=True",
    "extreme": "extremes=",
}
_AS_ARGUMENTS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (_EXTREME, lambda match: f"extremes={json.dumps(match[0].removeprefix('--extreme ').split(' --extreme '))}"),
    (_SETTING, lambda match: f'{_argument(match[1])}="{match[2]}"'),
    (_NUMBER, lambda match: f"{_argument(match[1])}={match[2]}"),
    (_NAME, lambda match: _FLAGS.get(match[1], f"{_argument(match[1])}=")),
)


def spoken(text: str, face: Face) -> str:
    """The message with the option or argument of this interface."""
    for pattern, option in _AS_OPTIONS:
        text = pattern.sub(option, text)
    text = text.strip()
    if face is Face.FUNCTION:
        for pattern, argument in _AS_ARGUMENTS:
            text = pattern.sub(argument, text)
    return f"{text[:1].upper()}{text[1:]}" if text.startswith("the table of") else text


def _argument(option: str) -> str:
    return option.replace("-", "_")
