"""The computed lines under the TL;DR: the gates by outcome, and the meaning of each figure in the text.

A figure of another version, a target or a threshold is called that on the same page as the words around it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from signoff.domain.assessment import Assessment, PaperSummary
from signoff.domain.costs import Costs
from signoff.domain.dossier import Header
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Finding
from signoff.domain.memo.markup import short_title, versioned
from signoff.domain.memo.placeholders import PLACEHOLDER, is_word, printed
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import NOT_PROVIDED, Quantity, Unit, number

_OUTCOMES: Final = (
    ("fails", Outcome.FAIL),
    ("inconclusive", Outcome.INCONCLUSIVE),
    ("ended in an error", Outcome.ERROR),
)
_TITLES: Final = {
    "gates.passed": "the number of gates that pass",
    "gates.total": "the number of gates",
    "counts.symbols": "the number of symbols among the predictions",
    "counts.predictions": "the number of predictions",
    "counts.trading_days": "the number of days of the backtest",
    "counts.trials": "the number of trials, those that were never traded included",
    "costs.backtest": "the cost charged in the backtest on what was traded",
}
_SOURCES: Final = {
    "paper": "paper trading",
    "plan": "the deployment plan",
    "benchmark": "the benchmark of inference",
    "declared": "the dossier, declared and not measured",
    "registered": "the registered parameters, declared and not measured",
}


def passed_of_all(findings: Sequence[Finding]) -> str:
    """The number of gates that pass, of all; advisory gates count too."""
    return f"{sum(f.outcome is Outcome.PASS for f in findings)} of {len(findings)}"


def gates_line(findings: Sequence[Finding], *, is_overridden: bool = False) -> str:
    """Every gate that is not a plain pass, by outcome; `is_overridden` if people overrode the blocking ones."""
    parts = [f"{passed_of_all(findings)} gates pass"]
    parts += [f"{word}: {named}" for word, is_so in _OUTCOMES if (named := _named(findings, is_so))]
    if near := ", ".join(short_title(f) for f in findings if f.is_near_miss and f.outcome is Outcome.PASS):
        parts.append(f"near misses, which pass within the margin: {near}")
    if is_overridden and (blocking := ", ".join(short_title(f) for f in findings if f.blocks)):
        parts.append(f"overridden: {blocking}")
    return f"Computed: {'; '.join(parts)}."


def _named(findings: Sequence[Finding], outcome: Outcome) -> str:
    matching = [finding for finding in findings if finding.outcome is outcome]
    return ", ".join(short_title(f) + ("" if f.is_blocking else " (advisory)") for f in matching)


def beside_words(header: Header, evidence: Evidence, assessment: Assessment) -> Iterator[str]:
    """The figures for improvement, costs and paper trading, so that a false word on them has the truth beside it."""
    difference, p_value = assessment.sharpe_difference, assessment.sharpe_difference_p
    sentences = []
    if header.previous_version is not None and evidence.backtest_previous is not None:
        shown = replace(difference, standard_error=None, half_width=None, interval="").text
        p = replace(p_value, digits=3 if (p_value.value or 0) < 0.01 else 2).text
        sentences.append(f"Sharpe difference to {versioned(header.previous_version)}: {shown}, p = {p}.")
    tables = (evidence.backtest, evidence.backtest_previous)
    if any(table is not None and table.costs in {Costs.BEFORE, Costs.NOT_STATED} for table in tables):
        sentences.append(f"Returns: {evidence.costs}.")
    if assessment.paper is not None:
        sentences.append(f"Paper trading: {_paper(assessment.paper, evidence)}.")
    if sentences:
        yield " ".join(sentences)


def _paper(paper: PaperSummary, evidence: Evidence) -> str:
    days = f"over {paper.days:,} day{'' if paper.days == 1 else 's'}"
    sharpe = f"Sharpe {paper.sharpe.text if paper.sharpe.is_provided else NOT_PROVIDED}"
    if evidence.paper_returns is None:
        return f"{sharpe} {days}, return not measured"
    total = float(np.prod(1 + evidence.paper_returns.returns) - 1)
    sign = "positive" if total > 0 else "negative" if total < 0 else "zero"
    return f"{sharpe} {days}, return {sign} ({number(total, Unit.PERCENT, 1)})"


def figures_line(text: str, facts: Sequence[Quantity], header: Header, assessment: Assessment) -> Iterator[str]:
    """The meaning of each figure that a text asks for, once; empty if it asks for none."""
    by_name = {fact.name: fact for fact in facts}
    asked = dict.fromkeys(match["name"] for match in PLACEHOLDER.finditer(text))
    meanings = [
        f"{f'“{printed(fact)}”' if is_word(fact) else printed(fact)} is {_meaning(fact, header, assessment)} ({name})"
        for name in asked
        if (fact := by_name.get(name))
    ]
    if meanings:
        yield f"Figures: {'; '.join(meanings)}."


def _meaning(fact: Quantity, header: Header, assessment: Assessment) -> str:
    """A fact in words: its own title, its variant and its version."""
    stem, _, side = fact.name.rpartition(".")
    titles = {f"metrics.{row.key}": f"the {_sentence_case(row.title)}" for row in assessment.metrics}
    titles |= {f"gates.{finding.key}": f"the gate {short_title(finding)}" for finding in assessment.findings}
    named = [(row.sharpe, row.title) for row in assessment.stress]
    named += [(row.sharpe, row.title) for row in assessment.regimes]
    titles |= {sharpe.name.rpartition(".")[0]: f"“{title}”" for sharpe, title in named}
    subject = titles.get(stem) or _SOURCES.get(stem.partition(".")[0]) or stem.replace(".", " ").replace("_", " ")
    versions = {
        "new": f"the new version {versioned(header.version)}",
        "old": f"the previous version {versioned(header.previous_version or 'unknown')}",
    }
    if fact.name in _TITLES:
        return _TITLES[fact.name]
    if side in versions:
        return f"{subject if stem in titles else f'the {subject}'} of {versions[side]}"
    if side in {"low", "high"}:
        end, figure = "lower" if side == "low" else "upper", replace(fact, name=stem)
        return f"the {end} end of the 95% interval of {_meaning(figure, header, assessment)}"
    return f"the {'sample size' if side == 'n' else fact.label} of {subject}"


def _sentence_case(title: str) -> str:
    head, _, rest = title.partition(" ")
    return f"{head} {rest.lower()}".strip()
