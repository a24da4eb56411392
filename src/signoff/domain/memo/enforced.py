"""Whether a clause that people wrote promises only what Signoff enforces.

The clause is read against a small grammar: who, the act, the comparison, the measure, the figure, and the window of
that very threshold. A word outside the grammar may change the meaning ("never", "median", "of one country"), so a
clause with such a word is not enforced.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

from signoff.domain.policy import Policy
from signoff.domain.venue import PositionsAfter


class Act(Enum):
    """What words may promise, by the mechanism that would do it."""

    ROLL_BACK = auto()
    HOLD = auto()
    TELL = auto()
    STOP_ORDERS = auto()
    TO_ZERO = auto()
    REDUCE = auto()


SHARPE: Final = "Sharpe ratio"
SHARPE_DAYS: Final = "Sharpe ratio's days in a row"
VAR: Final = "VaR exceptions"
VAR_DAYS: Final = "VaR exceptions' window in days"
_WINDOWS: Final = {SHARPE: (SHARPE_DAYS, r" for DAYS(?: in row)?"), VAR: (VAR_DAYS, r" (?:within|in) DAYS")}
# Measures whose thresholds refuse an order that would exceed them and stop nothing else.
_REFUSED: Final = {"exposure", "single position", "sector exposure"}
# Only words for exactly what is measured: "slow" is not a percentile, and "drift" may be of anything.
_MEASURES: Final[Mapping[str, str]] = {
    "latency p95": r"p95 latency|latency p95|latency|p95",
    "error rate": r"error rate|errors",
    "PSI": r"psi",
    SHARPE: r"(?:rolling )?sharpe(?: ratio)?",
    VAR: r"(?!)",
    "VIX": r"vix(?: index)?",
    "sector exposure": r"(?:single |one )?sector(?: exposure)?",
    "exposure": r"(?:gross |portfolio )?exposure",
    "single position": r"(?:single |one )?position",
    "volatility": r"index volatility",
}
_MODEL: Final = "model|release|version|candidate"
_ORDERS: Final = "orders|new orders"
# Who acts, the act in its plain forms, and what it is done to.
_PLAIN: Final[Mapping[Act, tuple[str, str, str]]] = {
    Act.ROLL_BACK: (
        _MODEL,
        r"roll(?:s|ed)?[ -]?back|reverts?|reverted|(?:auto-?)?disable[sd]?|(?:switched|turned|shut) (?:off|down)",
        _MODEL,
    ),
    Act.HOLD: ("release|advance", r"no advance|not advance|holds?|held|blocks?|blocked", "advance"),
    Act.TELL: ("people", r"alerts?|alerted|warns?|warned|told", "(?!)"),
    Act.STOP_ORDERS: (
        f"{_ORDERS}|trading|{_MODEL}",
        r"halts?|halted|stops?|stopped|refuse[sd]?|no (?:new )?orders?|reject(?:s|ed)?",
        f"{_ORDERS}|trading",
    ),
    Act.TO_ZERO: ("capital|allocation", r"(?:(?:falls?|goes|drops?|cut|taken|set) )?to (?:zero|nil|0 ?%)", "(?!)"),
}
_POSITIONS: Final = ("positions|all positions", r"unwound|liquidated|flattened|closed out|closed", "(?!)")
_WORDS: Final = (
    (r"(?<!\w)(?:an?|the)(?!\w)", ""),
    (r"[:.,]", " "),
    (
        r"(?:(?<!\w)(?:(?:is|are|stays?|rises?) )?(?:above|over|beyond|(?:more|greater) than|exceeds?|exceeding)(?!\w)"
        r"|(?:>=?|≥))",
        "ABOVE",
    ),
    (
        r"(?:(?<!\w)(?:(?:is|are|stays?|falls?|drops?) )?(?:below|under|less than)(?!\w)|(?:<=?|≤))",
        "BELOW",
    ),
)


def says_no_more(clause: str, act: Act, figures: Sequence[tuple[re.Match[str], str]], policy: Policy) -> bool:
    """Whether a clause has only the act, its threshold and its window; `figures` are the measures of its numbers."""
    names = [name for _, name in figures]
    name = next((one for one in names if one in _MEASURES), None)
    if name is None or not _has_its_window(name, names, act):
        return False
    if name == VAR and not all("var" in number[0].lower() for number, one in figures if one == VAR):
        return False
    window = _WINDOWS[name][1] if len(names) > 1 else ""
    return any(_matches(clause, figures, name, plain, window) for plain in _plain(act, name, policy))


def _has_its_window(name: str, names: Sequence[str], act: Act) -> bool:
    """Whether the clause names the trigger's window, or none if the threshold has none."""
    is_alert = name == SHARPE and act in {Act.HOLD, Act.TELL}
    return sorted(names) == sorted([name] if is_alert or name not in _WINDOWS else [name, _WINDOWS[name][0]])


def _plain(act: Act, name: str, policy: Policy) -> tuple[tuple[str, str, str], ...]:
    if name in _REFUSED and act is Act.STOP_ORDERS:
        return ((_ORDERS, r"refused?|reject(?:ed)?", _ORDERS),)
    closes = act is Act.TO_ZERO and policy.rollback.positions is PositionsAfter.CLOSED
    own = _PLAIN.get(act)
    return (*(() if own is None else (own,)), *((_POSITIONS,) if closes else ()))


def _matches(
    clause: str, figures: Sequence[tuple[re.Match[str], str]], name: str, plain: tuple[str, str, str], window: str
) -> bool:
    subject, act, target = plain
    text = _in_symbols(clause, figures)
    for words, symbol in ((act, "ACT"), *_WORDS, (_MEASURES[name], "MEASURE")):
        bounded = words if symbol in {"", " ", "ABOVE", "BELOW"} else rf"(?<!\w)(?:{words})(?!\w)"
        text = re.sub(bounded, f" {symbol} ", text, count=1 if symbol == "ACT" else 0)
        text = re.sub(r"\s+", " ", text)
    compared = r"BELOW|at" if name == SHARPE else r"ABOVE|at"
    first = f"{compared}|after" if name == VAR else compared
    does = rf"(?:(?:{subject}) )?(?:(?:is|are|will|will be|does) )?ACT(?: (?:{target}))?"
    where = (
        rf"(?:(?:{first}) (?:MEASURE (?:of )?)?FIGURE(?: (?:(?:of|in) )?MEASURE)?"
        rf"|(?:if|when|once) MEASURE (?:is )?(?:{compared}) FIGURE){window}"
    )
    return re.fullmatch(rf"(?:{does} {where}|{where} {does})", text.strip()) is not None


def _in_symbols(clause: str, figures: Sequence[tuple[re.Match[str], str]]) -> str:
    """The clause in lower case with its numbers as symbols in capitals, so that no word can be mistaken for one."""
    parts, end = [], 0
    for number, name in figures:
        parts += [clause[end : number.start()].lower(), " DAYS " if name in {SHARPE_DAYS, VAR_DAYS} else " FIGURE "]
        end = number.end()
    return re.sub(r"\s+", " ", "".join((*parts, clause[end:].lower())))
