"""Compares promises in a text ("halt at a drawdown of 10%") with the thresholds that Signoff enforces.

A mitigation or an "if violated" with an action and a figure is true if the rollback triggers, the alerts that block an
advance, or the pre-trade checks have that figure. Everything else is printed as the author's declaration.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from signoff.domain.dossier import Dossier
from signoff.domain.live_metrics import LIVE_METRICS
from signoff.domain.memo.claims import AMOUNT_IN_WORDS
from signoff.domain.memo.document import Cell, Mark
from signoff.domain.memo.enforced import SHARPE, SHARPE_DAYS, VAR, VAR_DAYS, Act, says_no_more
from signoff.domain.memo.markup import plain, words
from signoff.domain.policy import Policy
from signoff.domain.thresholds import ThresholdKind

NOT_CHECKED: Final = "declared by the author, not checked"
# A figure in any form: one that the pattern below does not read leaves its clause unchecked.
_ANY_FIGURE: Final = re.compile(r"(?<![\w.])\d[\d,.]*")
_CLAUSE: Final = re.compile(r"[;\n]|[.!?,](?=\s|$)|\s(?:and|but|then|while)\s", re.IGNORECASE)
# A bare number before a noun counts something else: "20 stocks" is not a Sharpe ratio.
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?P<sign>[\-−–])?(?P<digits>\d[\d,]*(?:\.\d+)?)"
    r"(?:\s?(?P<unit>ms|milliseconds?|seconds?|s|%|per ?cent|bps|(?:(?:consecutive|trading) ){0,2}(?:days?|sessions?)"
    r"|(?:VaR )?(?:exceptions?|breach(?:es)?))(?!\w)"
    r"|(?![\w%]|\.\d|-\w)(?!\s+(?!(?:for|on|in|at|or|over|is|it|the|during|within|by|to|of|then|until)\b)[A-Za-z]))",
    re.IGNORECASE,
)


_ACTS: Final = (
    (
        Act.ROLL_BACK,
        r"roll(?:s|ed|ing)?[ -]?back|rollback|revert\w*|(?:auto-?)?disabl\w*|(?:switch|turn|shut)\w* (?:off|down)",
    ),
    (
        Act.TO_ZERO,
        r"unw[io]und\w*|unwinding|liquidat\w*|flatten\w*|closed? out|exit\w*|withdraw\w*"
        r"|clos(?:e|es|ed|ing) (?:all|every|the|its) positions?|(?:to|at) (?:zero|nil|0 ?%?(?![.\d]))",
    ),
    (
        Act.REDUCE,
        r"halv\w*|scal\w* (?:back|down)|de-?(?:risk|lever)\w*"
        r"|(?:is|are|be|gets?) (?:cut|reduced|trimmed|lowered|shrunk)"
        r"|(?:cuts?|reduc\w+|trims?|lowers?|shrinks?) (?:the |its |all )?"
        r"(?:capital|exposure|allocation|share|risk|size|positions?)",
    ),
    (Act.HOLD, r"no advance|not advance|hold\w*|block\w*|pause\w*"),
    (Act.TELL, r"alert\w*|warn\w*|notif\w*|page[sd]?|told|tell"),
    (Act.STOP_ORDERS, r"halt\w*|stop\w*|refus\w*|no (?:new )?orders?|reject\w*"),
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a figure measures: its words, the units that it may have, and the factors to the thresholds' unit."""

    name: str
    words: str
    units: Mapping[str, float]
    suffix: str = ""


_MS: Final = {"ms": 1.0, "millisecond": 1.0, "milliseconds": 1.0, "s": 1e3, "second": 1e3, "seconds": 1e3}
_PCT: Final = {"%": 1.0, "percent": 1.0}
_DAYS: Final = {"days": 1.0}
_COUNT: Final = {"exceptions": 1.0}
_MEASURES: Final = (
    Measure("latency p95", r"latenc\w*|slow\w*|late|p95", _MS, " ms"),
    Measure("error rate", r"errors?|failures?|error rate", _PCT, "%"),
    Measure("PSI", r"PSI|drift\w*|stability", {"": 1.0}),
    Measure(SHARPE, r"sharpe", {"": 1.0}),
    Measure(SHARPE_DAYS, r"sharpe", _DAYS),
    Measure(VAR, r"VaR|value at risk|breach(?:es)?|exceptions?", _COUNT),
    Measure(VAR_DAYS, r"VaR|value at risk|breach(?:es)?|exceptions?", _DAYS),
    Measure("VIX", r"VIX", {"": 1.0}),
    Measure("sector exposure", r"sectors?", _PCT, "%"),
    Measure("drawdown", r"draw-?downs?", _PCT, "%"),
    Measure("volatility", r"volatility|vol", _PCT, "%"),
    Measure("exposure", r"exposure|leverage|gross", _PCT, "%"),
    Measure("slippage", r"slippage|shortfall", {"bps": 1.0}, " bps"),
    Measure("correlation", r"correlations?", {"": 1.0}),
    Measure("single position", r"(?:single )?positions?", _PCT, "%"),
)


@dataclass(frozen=True, slots=True)
class Untrue:
    """A promise that nothing keeps: the words, and what Signoff does instead."""

    words: str
    instead: str

    @property
    def text(self) -> str:
        return f"“{self.words}” is not so: {self.instead}"


def untrue(text: str, dossier: Dossier, policy: Policy) -> tuple[Untrue, ...]:
    """Every promise of a text with another threshold than the enforced one; `policy` is the tightened one."""
    return tuple(untrue for clause in _read(text, dossier, policy) for untrue in clause.untrue)


def is_kept(text: str, dossier: Dossier, policy: Policy) -> bool:
    """Whether every clause of a text is an action at a figure and nothing else, and that figure is enforced."""
    clauses = tuple(_read(text, dossier, policy))
    return "?" not in text and bool(clauses) and all(clause.is_kept for clause in clauses)


def promised(text: str, dossier: Dossier, policy: Policy) -> Cell:
    """Words that people declare, marked if they promise what nothing keeps, or if nothing checked them."""
    if broken := untrue(text, dossier, policy):
        return Cell("; ".join((text, *(one.text for one in broken))), mark=Mark.FAIL)
    return words(text) if not text or is_kept(text, dossier, policy) else Cell(f"{text} ({NOT_CHECKED})")


def untrue_in_dossier(dossier: Dossier, policy: Policy) -> tuple[tuple[str, Untrue], ...]:
    """The broken promises of every text of a dossier that may hold one, each with its key."""
    texts = [(f"risk.risks.{n}.mitigation", r.mitigation) for n, r in enumerate(dossier.risk.risks)]
    points = dossier.risk.single_points_of_failure
    texts += [(f"risk.single_points_of_failure.{n}.mitigation", p.mitigation) for n, p in enumerate(points)]
    for n, assumption in enumerate(dossier.boundaries.assumptions):
        texts.append((f"boundaries.assumptions.{n}.if_violated", assumption.if_violated))
        texts.append((f"boundaries.assumptions.{n}.description", assumption.description))
    for kind in ("external_services", "data_feeds", "infrastructure"):
        dependencies = getattr(dossier.risk, kind)
        texts += [(f"risk.{kind}.{n}.fallback", dependency.fallback) for n, dependency in enumerate(dependencies)]
    if dossier.rollback.fallback_other:
        texts.append(("rollback.fallback_other", dossier.rollback.fallback_other))
    return tuple((key, promise) for key, text in texts for promise in untrue(text, dossier, policy))


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause: its broken promises, and whether each of its figures is enforced."""

    untrue: tuple[Untrue, ...]
    is_kept: bool


def _read(text: str, dossier: Dossier, policy: Policy) -> Iterator[_Clause]:
    subject: Measure | None = None
    for clause in _clauses(text):
        act = next((act for act, words in _ACTS if _says(words, clause)), None)
        broken: list[Untrue] = []
        pairs: list[tuple[re.Match[str], str]] = []
        if act is not None and (spoken := AMOUNT_IN_WORDS.search(clause)):
            broken.append(
                Untrue(clause.strip(), f"“{spoken[0]}” cannot be compared with a threshold; write it in digits")
            )
        for number in _NUMBER.finditer(clause):
            measure = _measure(clause, number) or (subject if _fits(subject, number) else None)
            if act is None or measure is None:
                continue
            thresholds = _thresholds(act, measure.name, dossier, policy)
            value = float(number["digits"].replace(",", "")) * measure.units[_unit(number)]
            value *= -1 if number["sign"] else 1
            if any(abs(value - threshold) <= 1e-9 * max(1.0, abs(threshold)) for threshold in thresholds):
                if act not in _HEEDS_MONITORS or value not in _monitored(measure.name, dossier, inverted=True):
                    pairs.append((number, measure.name))
            else:
                broken.append(Untrue(clause.strip(), _instead(act, measure, thresholds)))
        is_whole = act is not None and 0 < len(pairs) == len(_ANY_FIGURE.findall(clause))
        yield _Clause(tuple(broken), is_kept=is_whole and act is not None and says_no_more(clause, act, pairs, policy))
        subject = next((m for m in _MEASURES if _says(m.words, clause)), subject)


def _clauses(text: str) -> Iterator[str]:
    return (part for part in _CLAUSE.split(text) if part.strip())


def _says(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE) is not None


def _unit(number: re.Match[str]) -> str:
    """The unit in one form: any count of days is "days", any count of breaches "exceptions"."""
    unit = (number["unit"] or "").lower()
    for ending, form in ((r".*(?:days?|sessions?)", "days"), (r".*(?:exceptions?|breach(?:es)?)", "exceptions")):
        unit = re.sub(rf"^{ending}$", form, unit)
    return re.sub(r"per ?cent", "percent", unit)


def _fits(measure: Measure | None, number: re.Match[str]) -> bool:
    return measure is not None and _unit(number) in measure.units


def _measure(clause: str, number: re.Match[str]) -> Measure | None:
    """The measure that the clause names and the unit of the figure allows; milliseconds are a latency."""
    fitting = [m for m in _MEASURES if _fits(m, number)]
    named = next((m for m in fitting if _says(m.words, clause)), None)
    is_latency = _unit(number) in {"ms", "millisecond", "milliseconds"}
    return named or (_MEASURES[0] if is_latency else None)


def _thresholds(act: Act, name: str, dossier: Dossier, policy: Policy) -> tuple[float, ...]:
    """The figures at which this act happens automatically; empty if nothing does it."""
    limits, halt = dossier.risk.position_limits, dossier.boundaries.restrictions.halt_if_vix_above
    rolls_back = _acting(name, ThresholdKind.TRIGGER, policy)
    refused = {
        "VIX": () if halt is None else (halt,),
        "exposure": (limits.max_portfolio_weight_pct,),
        "single position": (limits.max_single_position_pct,),
        "sector exposure": (limits.max_sector_pct,),
    }
    match act:
        case Act.ROLL_BACK | Act.TO_ZERO:
            return rolls_back
        case Act.HOLD | Act.TELL:
            return (*_acting(name, ThresholdKind.CRITICAL, policy), *rolls_back, *_monitored(name, dossier))
        case Act.STOP_ORDERS:
            return (*refused.get(name, ()), *rolls_back)
        case Act.REDUCE:
            return ()


def _acting(name: str, kind: ThresholdKind, policy: Policy) -> tuple[float, ...]:
    """The levels of one kind in the table of metrics under this name; windows are those of triggers."""
    levels = (level for row in LIVE_METRICS if row.spoken == name for level in row.thresholds(policy))
    windows = (row.window(policy) for row in LIVE_METRICS if row.trigger and row.window and row.spoken_window == name)
    return (
        *(level.value for level in levels if level.kind is kind),
        *(windows if kind is ThresholdKind.TRIGGER else ()),
    )


def _monitored(name: str, dossier: Dossier, *, inverted: bool = False) -> tuple[float, ...]:
    """The figures of the assumptions' monitors; `inverted` gives only those with the opposite comparison."""
    read = (
        (_METRIC_OF.get(match[1]), match[2], float(match[3]))
        for assumption in dossier.boundaries.assumptions
        if (match := re.fullmatch(r"\s*([a-z_0-9]+)\s*([<>])=?\s*(-?\d+(?:\.\d+)?)\s*", assumption.monitor))
    )
    usual = ">" if name == SHARPE else "<"
    return tuple(value for metric, sense, value in read if metric == name and not (inverted and sense == usual))


_HEEDS_MONITORS: Final = {Act.HOLD, Act.TELL}
_METRIC_OF: Final = {row.key: row.spoken for row in LIVE_METRICS if row.spoken}
_DOES: Final = {
    Act.ROLL_BACK: "the rollback trigger",
    Act.HOLD: "what holds an advance",
    Act.TELL: "what people are told of",
    Act.STOP_ORDERS: "what stops orders",
    Act.TO_ZERO: "the rollback trigger, which alone takes the capital away,",
    Act.REDUCE: "what reduces capital, which silence alone does,",
}


def _instead(act: Act, measure: Measure, thresholds: tuple[float, ...]) -> str:
    if not thresholds:
        return f"{_DOES[act]} knows no {measure.name}"
    figures = " or ".join(dict.fromkeys(f"{plain(value)}{measure.suffix}" for value in thresholds))
    return f"{_DOES[act]} of the {measure.name} is {figures}"
