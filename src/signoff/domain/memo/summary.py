"""The memo's TL;DR: drafted from the facts, or written by people and then checked against them.

The draft gives the changes, the Sharpe ratio, the outcomes of the gates and the request. It praises nothing: a
difference that the data cannot tell from zero is called that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final

import numpy as np

from signoff.domain.assessment import Assessment
from signoff.domain.commitments import DeploymentType
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import CodedSymbols, Evidence, Predictions, RegisteredVersion
from signoff.domain.gates.value_at_risk import MIN_FORECASTS, forecast_window
from signoff.domain.memo.changes import training_days
from signoff.domain.memo.claims import held
from signoff.domain.memo.computed_lines import beside_words, figures_line, gates_line
from signoff.domain.memo.cost_contradictions import cost_contradictions
from signoff.domain.memo.gate_names import WORDS, is_outcome, outcomes
from signoff.domain.memo.held import Held, held_in_words
from signoff.domain.memo.markup import MEMO_GATES, declared, gates_in_words, short_title, versioned
from signoff.domain.memo.placeholders import filled
from signoff.domain.memo.release import Release
from signoff.domain.memo.significance import SIGNIFICANCE
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy
from signoff.domain.quantity import NOT_PROVIDED, Quantity, Unit, count, relative_change

_NUMBER: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_ENDINGS: Final = {
    "_pct": (Unit.PERCENT, 0.01),
    "_percent": (Unit.PERCENT, 0.01),
    "_bps": (Unit.BPS, 1.0),
    "_ms": (Unit.MILLISECONDS, 1.0),
    "_days": (Unit.DAYS, 1.0),
}
_IS_NAME: Final = re.compile(r"(?=.*\d).*[^\W\d_]")
# No person or feed has such a name; it would be a figure in disguise.
_LIKE_A_FIGURE: Final = re.compile(
    r"\d\s*(?:%|bps|per ?cent|ms)|sharpe|return|ratio|drawdown|hit rate|gate|pbo|var\b"
    r"|^\W*\d+(?:[.,]\d+)*\s*\w{0,2}$",
    re.IGNORECASE,
)
_SPOKEN: Final = ("None", "One", "Two", "Three", "Four", "Five")


def draft(release: Release) -> str:
    """At most four sentences, in which every number is a fact."""
    return " ".join((_what(release), _sharpe(release), *_gates(release), _asked(release)))


def summary_contradictions(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[str, ...]:
    """The contradictions of a summary that people wrote; `figures` are `gates.facts` of the assessment."""
    results = _checks(dossier, policy, evidence, assessment, figures)
    return tuple(one.contradiction for one in results if one.contradiction)


def _checks(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Held, ...]:
    """The checks of the summary against the facts."""
    text = dossier.header.summary or ""
    facts = (*known_facts(policy, evidence, assessment, figures), *declared_figures(dossier, evidence))
    words = (*known_words(dossier), *_symbols(evidence))
    return (
        *map(Held, cost_contradictions(text, evidence.backtest.costs)),
        *held(text, facts, words, assessment.stress),
    )


def known_facts(
    policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every number that a summary may state: computed figures, and those of the registry and the plan."""
    bounds = (bound for figure in figures if figure.is_provided for bound in _bounds(figure))
    return (*figures, *bounds, *_more_facts(policy, evidence, assessment))


def summary_figures(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every figure that a summary may ask for by name, as in `{metrics.sharpe.new}`."""
    facts = (*known_facts(policy, evidence, assessment, figures), *declared_figures(dossier, evidence))
    return tuple(fact for fact in facts if not is_outcome(fact))


def computed(
    dossier: Dossier,
    policy: Policy,
    evidence: Evidence,
    assessment: Assessment,
    figures: Sequence[Quantity] | None,
    *,
    is_overridden: bool = False,
) -> tuple[str, ...]:
    """The computed lines under the summary, which no author can change."""
    gates = gates_line(assessment.findings, is_overridden=is_overridden)
    if not dossier.header.summary:
        return (gates,)
    beside = tuple(beside_words(dossier.header, evidence, assessment))
    if figures is None:
        return (gates, *beside)
    facts = summary_figures(dossier, policy, evidence, assessment, figures)
    return (gates, *figures_line(dossier.header.summary, facts, dossier.header, assessment), *beside)


def written(
    dossier: Dossier,
    policy: Policy,
    evidence: Evidence,
    assessment: Assessment,
    figures: Sequence[Quantity] | None,
) -> tuple[str, str]:
    """The summary that people wrote with its figures filled in, and the mark that names its author."""
    author, text = dossier.header.deployed_by.name, dossier.header.summary or ""
    if figures is None:
        return text, f"{declared(author)}; not checked against the evidence"
    parts = (dossier, policy, evidence, assessment, figures)
    results = _checks(*parts)
    wrong = ", and what was checked contradicts the evidence" if any(one.contradiction for one in results) else ""
    mark = f"{declared(author)} and not computed. {held_in_words(results)}{wrong}"
    return filled(text, summary_figures(*parts)), mark


def known_words(dossier: Dossier) -> tuple[str, ...]:
    """Names in this dossier that may contain digits and are not figures: the model, its versions, its rules."""
    header = dossier.header
    versions = [v for v in (header.version, header.previous_version) if v]
    bare = [version.lstrip("vV") for version in versions]
    short = [".".join(version.split(".")[:2]) for version in bare if version.count(".") > 1]
    rules = [requirement.name for requirement in dossier.governance.requirements]
    return (
        header.model,
        *versions,
        *bare,
        *short,
        *(f"v{version}" for version in bare),
        *rules,
        *_names(dossier),
        "FINRA 3110",
        "15c3-5",
        "S&P 500",
    )


def _names(dossier: Dossier) -> Iterator[str]:
    """The names of people, feeds, calendars, windows and symbols that contain digits beside letters."""
    evidence, limits = dossier.evidence, dossier.boundaries.restrictions
    names = [*dossier.governance.reviewers, *dossier.success.attendees, *evidence.produced_by, *limits.excluded_symbols]
    names += [dossier.header.deployed_by.name, dossier.header.desk or "", evidence.benchmark_calendar or ""]
    names += [signatory.name for signatory in dossier.plan.signatories]
    names += [name for feed in dossier.infrastructure.feeds for name in (feed.name, feed.provider)]
    names += [window.title for window in dossier.risk.stress_windows]
    yield from filter(_is_name, names)


def _is_name(text: str) -> bool:
    return _IS_NAME.search(text) is not None and _LIKE_A_FIGURE.search(text) is None


def _symbols(evidence: Evidence) -> Iterator[str]:
    """The symbols of the universe that contain digits beside letters, such as 0700.HK."""
    symbols = () if evidence.predictions is None else _distinct(evidence.predictions).tolist()
    yield from filter(_is_name, symbols)


def _distinct(predictions: Predictions) -> np.ndarray:
    symbols = predictions.symbols
    return symbols.distinct if isinstance(symbols, CodedSymbols) else np.unique(symbols)


def _more_facts(policy: Policy, evidence: Evidence, assessment: Assessment) -> Iterator[Quantity]:
    yield from outcomes(assessment.findings, assessment.memo_gates)
    for finding in assessment.findings:
        yield Quantity(name=f"gates.{finding.key}.outcome", value=0.0, source=WORDS[finding.outcome])
    yield from _counts(evidence)
    for side, version in (("new", evidence.candidate), ("old", evidence.champion)):
        if version is not None and version.features:
            yield count(f"features.{side}", len(set(version.features)))
        yield Quantity(name=f"training_days.{side}", value=training_days(version), unit=Unit.DAYS)
    yield from _feature_moves(evidence.candidate, evidence.champion)
    yield _change("risk.value_at_risk", assessment.value_at_risk_new, assessment.value_at_risk_old)
    if not assessment.latencies.incomparable:
        yield _change("latency_p95", assessment.latency_p95_new, assessment.latency_p95_old)
    needed = forecast_window(policy.gates.var, evidence.backtest) + MIN_FORECASTS
    yield count("gates.var.sessions_needed", needed)
    yield Quantity(name="risk.value_at_risk.level", value=policy.gates.var.level, unit=Unit.PERCENT)
    yield Quantity(name="plan.allocation", value=policy.phases.limited_allocation_pct / 100, unit=Unit.PERCENT)
    yield Quantity(name="plan.allocation_in_full", value=1.0, unit=Unit.PERCENT)
    yield Quantity(name="plan.shadow_days", value=policy.phases.shadow_days, unit=Unit.DAYS)
    yield Quantity(name="plan.limited_days", value=policy.phases.limited_days, unit=Unit.DAYS)


def _bounds(figure: Quantity) -> Iterator[Quantity]:
    """Both ends of a figure's printed 95% interval."""
    for side, value in zip(("low", "high"), figure.bounds or (), strict=False):
        name = f"{figure.name}.{side}"
        yield replace(figure, name=name, value=value, standard_error=None, half_width=None, interval="")


def _counts(evidence: Evidence) -> Iterator[Quantity]:
    """Sample sizes and trading costs."""
    backtest, predictions, trials = evidence.backtest, evidence.predictions, evidence.trials
    yield count("counts.trading_days", np.unique(backtest.dates).size)
    if predictions is not None:
        yield count("counts.symbols", _distinct(predictions).size)
        yield count("counts.predictions", predictions.prediction.size)
    if trials is not None:
        yield count("counts.trials", len(trials.names))
    if backtest.cost is not None and backtest.turnover is not None and (traded := float(backtest.turnover.sum())) > 0:
        yield Quantity(name="costs.backtest", value=float(backtest.cost.sum()) / traded * 1e4, unit=Unit.BPS)


def declared_figures(dossier: Dossier, evidence: Evidence) -> Iterator[Quantity]:
    """The numbers that the dossier and the registered parameters declare, for summaries to ask for by name."""
    yield from _numbers("declared.configuration", dossier.infrastructure.configuration)
    yield from _numbers("declared.success", asdict(dossier.success))
    yield from _numbers("declared.limits", asdict(dossier.risk.position_limits))
    yield from _numbers("declared.restrictions", asdict(dossier.boundaries.restrictions))
    yield from _numbers("registered", evidence.candidate.parameters if evidence.candidate is not None else {})


def _numbers(prefix: str, entries: Mapping[str, object]) -> Iterator[Quantity]:
    """Each numeric entry, in the unit that its name ends with."""
    for key, value in entries.items():
        if isinstance(value, bool) or not re.fullmatch(r"[A-Za-z]\w*", key) or not _NUMBER.fullmatch(str(value)):
            continue
        unit, factor = next((u for ending, u in _ENDINGS.items() if key.endswith(ending)), (Unit.RATIO, 1.0))
        digits = len(str(value).partition(".")[2]) if unit is Unit.RATIO else None
        yield Quantity(name=f"{prefix}.{key}", value=float(str(value)) * factor, unit=unit, digits=digits)


def _feature_moves(candidate: RegisteredVersion | None, champion: RegisteredVersion | None) -> Iterator[Quantity]:
    if candidate is None or champion is None:
        return
    yield count("features.added", len(set(candidate.features) - set(champion.features)))
    yield count("features.removed", len(set(champion.features) - set(candidate.features)))


def _change(stem: str, new: Quantity, old: Quantity) -> Quantity:
    return Quantity(name=f"{stem}.change", value=relative_change(new.value, old.value), unit=Unit.PERCENT)


def _what(release: Release) -> str:
    header = release.dossier.header
    candidate, champion = release.evidence.candidate, release.evidence.champion
    detail = _features(candidate, champion)
    if release.is_initial or header.previous_version is None:
        architecture = candidate.architecture if candidate and candidate.architecture else NOT_PROVIDED
        return f"First deployment of {header.model} {versioned(header.version)} (architecture: {architecture}{detail})."
    verb = "Rolls back" if header.deployment_type is DeploymentType.ROLLBACK else "Replaces"
    joint = "to" if header.deployment_type is DeploymentType.ROLLBACK else "by"
    versions = f"{versioned(header.previous_version)} {joint} {versioned(header.version)}"
    if candidate is None or champion is None or not (candidate.architecture and champion.architecture):
        return f"{verb} {versions}; what changed in the architecture is {NOT_PROVIDED}{detail}."
    if candidate.architecture == champion.architecture:
        return f"{verb} {versions}, still {candidate.architecture}{detail}."
    return f"{verb} {champion.architecture} {joint} {candidate.architecture}{detail}."


def _features(candidate: RegisteredVersion | None, champion: RegisteredVersion | None) -> str:
    if candidate is None or not candidate.features:
        return ""
    new = len(set(candidate.features))
    if champion is None or not champion.features:
        return f", {new} features"
    old = len(set(champion.features))
    return f" ({old} → {new} features)" if old != new else f" ({new} features)"


def _sharpe(release: Release) -> str:
    row, costs = next((row for row in release.assessment.metrics if row.key == "sharpe"), None), release.evidence.costs
    if row is None or not row.new.is_provided:
        return f"Sharpe {NOT_PROVIDED}."
    if not row.old.is_provided:
        return f"Sharpe {row.new.text}, {costs}; no previous version is measured beside it."
    p_value = release.assessment.sharpe_difference_p
    against = f"Sharpe {_bare(row.new)} against {_bare(row.old)}, {costs}"
    if p_value.value is None or not p_value.is_provided:
        return f"{against}; whether the difference is more than chance is {NOT_PROVIDED}."
    if p_value.value < SIGNIFICANCE:
        return f"{against}: a difference beyond chance (p {_p(p_value)})."
    return f"{against}: a difference the data cannot tell from zero (p {_p(p_value)})."


def _bare(quantity: Quantity) -> str:
    return replace(quantity, standard_error=None, half_width=None).text


def _gates(release: Release) -> Iterator[str]:
    assessment = release.assessment
    own = assessment.memo_gates
    failing = [finding for finding in own if finding.outcome is not Outcome.PASS]
    if failing or assessment.passed_gates < MEMO_GATES:
        does = "does" if len(failing) == 1 else "do"
        named = f"; {gates_in_words(failing)} {does} not" if failing else ""
        yield f"{_SPOKEN[assessment.passed_gates]} of the memo's five gates {_pass(assessment.passed_gates)}{named}."
    else:
        yield "All five of the memo's gates pass."
    for finding in assessment.findings:
        if finding not in own and finding.outcome is not Outcome.PASS:
            role = "which blocks too" if finding.is_blocking else "advisory by policy"
            yield f"Beside them the {short_title(finding)}, {role}, does not pass."


def _pass(number: int) -> str:
    return "passes" if number == 1 else "pass"


def _asked(release: Release) -> str:
    allocation = release.policy.phases.limited_allocation_pct
    return f"Asks for {allocation}% of capital in the limited phase, then for all of it."


def _p(quantity: Quantity) -> str:
    """Two digits are enough for a p-value, unless it is small."""
    is_small = quantity.value is not None and quantity.value < 0.01
    return replace(quantity, digits=3 if is_small else 2).text
