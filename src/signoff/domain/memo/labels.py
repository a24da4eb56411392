"""Figures right beside the name of a metric ("PSR 0.99", "a Sortino of 1.2"), which must be figures of that metric."""

import re
from collections.abc import Sequence
from typing import Final

from signoff.domain.quantity import Quantity

_AT: Final = r"(?:{0})(?: of)?(?: the)?(?: inference)? latency|latency(?: at)?(?: the)? \(?(?:{0})\)?|{0}"
_RATIO: Final = r"(?: ratio)?"
# What a metric is called, and a pattern of its figures.
_FIGURES: Final = (
    (rf"sharpe{_RATIO}", r"^(?:metrics|paper|regimes|stress|declared).*\bsharpe"),
    (rf"sharpe{_RATIO} difference", r"^sharpe_difference\.value"),
    (rf"PSR|probabilistic sharpe{_RATIO}", "probabilistic_sharpe"),
    (rf"deflated(?: sharpe{_RATIO})?", r"^gates\.deflated_sharpe\.(?:statistic|threshold)"),
    (rf"expected (?:best|maximum) sharpe{_RATIO}", "expected_best_sharpe"),
    (r"hansen(?:['’]s)?(?: SPA)?(?: test)?|superior predictive ability", r"^gates\.hansen_spa\.(?:stat|thres|\w+_p$)"),
    (r"reality check", "reality_check_p"),
    (r"PBO|probability of (?:backtest )?overfitting", r"^gates\.pbo\.(?:statistic|threshold|strict)"),
    (r"(?:probability|chance|risk) of (?:an? )?loss(?:es)?|loss probability", "probability_of_loss"),
    (r"SPA|symmetric prediction accuracy", r"^gates\.spa\.(?!.*(?:_p|_n|predictions|excluded|dates\w*)$)"),
    (rf"DSR|downside sensitivity{_RATIO}", r"^gates\.dsr\.(?:statistic|threshold)"),
    (r"(?<!conditional )(?:VaR|values? at risk)", r"^risk\.value_at_risk|^gates\.var\.|declared.*var"),
    (r"CVaR|conditional value at risk|expected shortfall", "conditional_value_at_risk"),
    (r"(?:hit|win)[ -]rate", "hit_rate"),
    (rf"win\W?loss{_RATIO}", "win_loss"),
    (r"draw-?down", "drawdown"),
    (r"(?:annual(?:i[sz]ed)?|yearly|ann\.) returns?|CAGR", "annual_return"),
    (r"total returns?", "total_return"),
    (_AT.format("p50|median"), r"latency_p50|^benchmark\.median|declared.*(?:p50|median)"),
    (_AT.format("p95|95th percentile"), r"latency_p95|^benchmark\.p95|declared.*latency"),
    (_AT.format("p99|99th percentile"), r"latency_p99|^benchmark\.p99|declared.*latency"),
    (r"slippage", "slippage"),
    (r"error rate", "error_rate"),
    (r"skew(?:ness)?", r"\.skew$"),
    (r"minimum track record(?: length)?", "minimum_track_record"),
    (r"(?:trading |transaction )?costs?|fees?|commissions?", "cost|fee|commission"),
    # Signoff computes none of these except by exactly this name; dossiers and registered parameters may declare them.
    (
        r"sortino|calmar|omega|treynor|information ratio|alpha|beta|turnover|tracking error|profit factor"
        r"|recovery factor|R2|R-squared|AUC|F1|RMSE|kurtosis|memory|throughput|(?:mean|average|worst|maximum) latency"
        r"|(?<!high[ -])(?<!low[ -])volatility",
        "",
    ),
)  # fmt: skip
_P_VALUES: Final = (
    (rf"sharpe{_RATIO}(?: difference)?", r"^(?:sharpe_difference|regimes)\..*p_value"),
    (r"SPA|symmetric.*", r"^gates\.spa\..*_p$"),
    (r"VaR|values? at risk", r"^gates\.var\..*_p"),
    (r"hansen.*|reality.*|superior.*", r"^gates\.hansen_spa\.(?:statistic$|\w+_p$)"),
    (r".*costs?|fees?|commissions?|slippage|.*latency|p\d\d|median|memory|turnover", r"_p$|p_value$|\.p$"),
)
_ANY: Final = "|".join(words for words, _ in _FIGURES)
INTERVAL: Final = r"\b(?:intervals?|CI|between|bounds?|confidence)\b"
_JOINT: Final = (
    r"(?:\s*(?:of|is|was|are|equals|at|reads?|stands?|came|comes|to|reached|reaches|ratio|now|a|an|the|only|[:=~≈(])\s*)"
    r"{0,4}\s*"
)
# "VaR 100 forecasts" counts forecasts.
_COUNTED: Final = re.compile(
    r"\s+(?!(?:and|or|against|to|vs|from|in|over|for|on|at|with|which|but|than|by)\b)[a-z]", re.IGNORECASE
)
_SENTENCE: Final = re.compile(r"[.!?;](?=\s|$)|\n")
_MOST_BEFORE: Final = 200


def label_of(text: str, start: int, end: int) -> tuple[str, str]:
    """The metric named right before a figure in its sentence, else right after it, and a pattern of its figures."""
    before = _SENTENCE.split(text[max(0, start - _MOST_BEFORE) : start])[-1]
    if p_value := re.search(rf"(?<!\w)p(?:[ -]values?)?\s*[<>≤≥]?{_JOINT}$", before, re.IGNORECASE):
        return _of_p_value(before[: p_value.start()])
    if text[start:end].strip("+-−").isdigit() and _COUNTED.match(text, end):
        return "", ""
    labels = [*_named(rf"(?<![\w-])(?P<name>NAME)(?!\w){_JOINT}$", before)]
    behind = max(
        _named(r"^\s(?P<name>NAME)(?![\w-])", text[end : end + 50]), key=lambda one: len(one[0]), default=("", "")
    )
    return max(labels, key=lambda one: len(one[0]), default=behind)


def _named(pattern: str, text: str) -> list[tuple[str, str]]:
    return [
        (m["name"], facts or r"^(?!regimes).*" + m["name"].lower().replace(" ", "_"))
        for words, facts in _FIGURES
        for m in re.finditer(pattern.replace("NAME", words), text, re.IGNORECASE)
    ]


def _of_p_value(before: str) -> tuple[str, str]:
    """The metric of a p-value: the last one named before it."""
    ends = [
        (m.end("name"), m["name"]) for m in re.finditer(rf"(?=(?<![\w-])(?P<name>{_ANY})(?!\w))", before, re.IGNORECASE)
    ]
    if not ends:
        return "", ""
    name = max(ends, key=lambda one: (one[0], len(one[1])))[1]
    own = _named(r"^(?P<name>NAME)$", name)[-1][1]
    return f"{name} p", next((facts for words, facts in _P_VALUES if re.fullmatch(words, name, re.IGNORECASE)), own)


def is_of(fact: Quantity, pattern: str, text: str, start: int) -> bool:
    """Whether a fact has this label; a bound of an interval only if the sentence said so before."""
    is_bound = fact.name.endswith((".low", ".high"))
    before = _SENTENCE.split(text[max(0, start - _MOST_BEFORE) : start])[-1]
    return re.search(pattern, fact.name) is not None and (
        not is_bound or bool(re.search(INTERVAL, before, re.IGNORECASE))
    )


def refusal(written: str, name: str, own: Sequence[Quantity]) -> str:
    """The message that a figure does not belong to this metric, with the figures that do."""
    figures = ", ".join([f"{fact.name} = {fact.text}" for fact in own][:3])
    return f"“{written}” is beside “{name}” and is not one of its figures; {figures or 'no figure has that name'}."
