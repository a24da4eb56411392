"""The monitor expression of an assumption: one metric, one comparison, one number.

An expression that cannot be evaluated would read as violated every day, so it is refused before signing. An older one
that was signed unchecked does not hold, which blocks.
"""

import operator
import re
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from math import isfinite
from typing import Final

from signoff.domain.live_metrics import tracked

AGAINST_CHAMPION: Final = "less_champion_bps"
METRICS: Final = tuple(each.key for each in tracked(has_champion=True))
"""Every figure that monitoring reads, by its key."""

_EXPRESSION: Final = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*")
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM: Final = "expected METRIC, one of < <= > >=, and a plain number, such as psi_max < 0.25"


def holds(monitor: str, values: Mapping[str, float | None]) -> bool:
    """Whether an expression holds on these figures; an unknown figure or expression does not hold."""
    match = _EXPRESSION.fullmatch(monitor)
    if match is None:
        return False
    value = values.get(match[1])
    return value is not None and _COMPARE[match[2]](value, float(match[3]))


def objection(monitor: str, *, has_previous: bool) -> str | None:
    """Why an expression cannot be evaluated, with the metrics that exist; None if it can.

    `has_previous` says whether there is a previous version to compare with.
    """
    names = tuple(name for name in METRICS if has_previous or name != AGAINST_CHAMPION)
    match = _EXPRESSION.fullmatch(monitor)
    if match is None:
        return f"{_FORM}; found {_quoted(monitor)}{_hint(monitor)}. {_existing(_named(monitor), names)}"
    if match[1] == AGAINST_CHAMPION and not has_previous:
        return (
            f"{_quoted(monitor)} cannot be evaluated: {AGAINST_CHAMPION} compares with a previous version, and "
            f"header.previous_version names none. {_existing(match[1], names)}"
        )
    if match[1] not in names:
        return f"{_quoted(monitor)} cannot be evaluated: no metric is called {match[1]!r}. {_existing(match[1], names)}"
    if not isfinite(float(match[3])):
        return f"{_FORM}; found a number in {_quoted(monitor)} that is too large. {_existing(match[1], names)}"
    return None


def _existing(name: str, metrics: tuple[str, ...]) -> str:
    """The metrics that exist, those most like this name first."""
    wanted = name.lower()
    nearest = sorted(metrics, key=lambda metric: -SequenceMatcher(None, wanted, metric).ratio()) if wanted else metrics
    return f"The metrics that exist{', the nearest first' if wanted else ''}: {', '.join(nearest)}"


def _named(monitor: str) -> str:
    """The first word of an expression that cannot be parsed, most likely a misspelt metric."""
    word = re.search(r"[A-Za-z_][A-Za-z_0-9]*", monitor[:200])
    return word[0] if word else ""


def _hint(monitor: str) -> str:
    if re.search(r"<>|!=|==|(?<![<>])=|≤|≥|=<|=>", monitor):
        return ", whose comparison is not one of them"
    if re.search(r"\b(?:and|or|not)\b|&|\||,.*[<>]", monitor, re.IGNORECASE):
        return ", which is more than one comparison; make each an assumption of its own"
    if re.search(r"[0-9]\s*(?:%|[A-Za-z$€]+)\s*$", monitor):
        return ", whose number has a unit; the unit is part of the metric's name"
    if len(re.findall(r"[<>]", monitor)) > 1:
        return ", which is more than one comparison; make each an assumption of its own"
    if re.match(r"\s*-?[0-9.]+\s*[<>]", monitor):
        return "; write the metric first"
    return ""


def _quoted(monitor: str) -> str:
    most = 120
    return repr(monitor if len(monitor) <= most else f"{monitor[:most]}…")
