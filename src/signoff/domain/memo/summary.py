"""The memo's TL;DR: drafted from the facts, or written by people and then held against them.

The draft says what changed, what became of the Sharpe ratio, how the gates fell and what is asked for, and praises
nothing: a difference that the data cannot tell from zero is called that.
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
from signoff.domain.memo.cost_words import cost_contradictions
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
# Nobody names a person or a feed like this, unless to write a figure where none may stand.
_LIKE_A_FIGURE: Final = re.compile(
    r"\d\s*(?:%|bps|per ?cent|ms)|sharpe|return|ratio|drawdown|hit rate|gate|pbo|var\b"
    r"|^\W*\d+(?:[.,]\d+)*\s*\w{0,2}$",
    re.IGNORECASE,
)
_SPOKEN: Final = ("None", "One", "Two", "Three", "Four", "Five")


def draft(release: Release) -> str:
    """Four sentences at most, every number of them a fact."""
    return " ".join((_what(release), _sharpe(release), *_gates(release), _asked(release)))


def summary_contradictions(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[str, ...]:
    """What the summary that people wrote says against the facts; `figures` are `gates.facts` of the assessment."""
    found = _held(dossier, policy, evidence, assessment, figures)
    return tuple(one.contradiction for one in found if one.contradiction)


def _held(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Held, ...]:
    """What of the summary was held against the facts."""
    text = dossier.header.summary or ""
    known = (*known_facts(policy, evidence, assessment, figures), *declared_figures(dossier, evidence))
    words = (*known_words(dossier), *_symbols(evidence))
    return (
        *map(Held, cost_contradictions(text, evidence.backtest.costs)),
        *held(text, known, words, assessment.stress),
    )


def known_facts(
    policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every number that a summary may state: the computed figures, and those of the registry and the plan."""
    bounds = (bound for figure in figures if figure.is_provided for bound in _bounds(figure))
    return (*figures, *bounds, *_more_facts(policy, evidence, assessment))


def summary_figures(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every figure that a summary may ask for by its name, as in `{metrics.sharpe.new}`."""
    known = (*known_facts(policy, evidence, assessment, figures), *declared_figures(dossier, evidence))
    return tuple(fact for fact in known if not is_outcome(fact))


def computed(
    dossier: Dossier,
    policy: Policy,
    evidence: Evidence,
    assessment: Assessment,
    figures: Sequence[Quantity] | None,
    *,
    is_overridden: bool = False,
) -> tuple[str, ...]:
    """The lines under the summary that no author's words can change."""
    gates = gates_line(assessment.findings, is_overridden=is_overridden)
    if not dossier.header.summary:
        return (gates,)
    beside = tuple(beside_words(dossier.header, evidence, assessment))
    if figures is None:
        return (gates, *beside)
    known = summary_figures(dossier, policy, evidence, assessment, figures)
    return (gates, *figures_line(dossier.header.summary, known, dossier.header, assessment), *beside)


def written(
    dossier: Dossier,
    policy: Policy,
    evidence: Evidence,
    assessment: Assessment,
    figures: Sequence[Quantity] | None,
) -> tuple[str, str]:
    """The summary that people wrote, its figures filled in, and the mark that says whose word it is."""
    author, text = dossier.header.deployed_by.name, dossier.header.summary or ""
    if figures is None:
        return text, f"{declared(author)}; not held against the evidence"
    parts = (dossier, policy, evidence, assessment, figures)
    found = _held(*parts)
    wrong = ", and what was held contradicts the evidence" if any(one.contradiction for one in found) else ""
    mark = f"{declared(author)} and not computed. {held_in_words(found)}{wrong}"
    return filled(text, summary_figures(*parts)), mark


def known_words(dossier: Dossier) -> tuple[str, ...]:
    """Names of this dossier that may hold digits and are no figures: the model, its versions, the rules it meets."""
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
    """The names of people, feeds, calendars, windows and symbols that hold digits beside letters, and no figure."""
    evidence, limits = dossier.evidence, dossier.boundaries.restrictions
    given = [*dossier.governance.reviewers, *dossier.success.attendees, *evidence.produced_by, *limits.excluded_symbols]
    given += [dossier.header.deployed_by.name, dossier.header.desk or "", evidence.benchmark_calendar or ""]
    given += [signatory.name for signatory in dossier.plan.signatories]
    given += [name for feed in dossier.infrastructure.feeds for name in (feed.name, feed.provider)]
    given += [window.title for window in dossier.risk.stress_windows]
    yield from filter(_is_name, given)


def _is_name(text: str) -> bool:
    return _IS_NAME.search(text) is not None and _LIKE_A_FIGURE.search(text) is None


def _symbols(evidence: Evidence) -> Iterator[str]:
    """The symbols of the universe that hold digits beside letters, as 0700.HK does."""
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
    """Both ends of the 95% interval that a figure is printed with."""
    for side, value in zip(("low", "high"), figure.bounds or (), strict=False):
        name = f"{figure.name}.{side}"
        yield replace(figure, name=name, value=value, standard_error=None, half_width=None, interval="")


def _counts(evidence: Evidence) -> Iterator[Quantity]:
    """How much was measured, and what it cost to trade."""
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
    """The numbers that the dossier and the registered parameters declare; a summary may ask for them by name."""
    yield from _numbers("declared.configuration", dossier.infrastructure.configuration)
    yield from _numbers("declared.success", asdict(dossier.success))
    yield from _numbers("declared.limits", asdict(dossier.risk.position_limits))
    yield from _numbers("declared.restrictions", asdict(dossier.boundaries.restrictions))
    yield from _numbers("registered", evidence.candidate.parameters if evidence.candidate is not None else {})


def _numbers(prefix: str, given: Mapping[str, object]) -> Iterator[Quantity]:
    """Each entry that is a number, in the unit that its name ends with."""
    for key, said in given.items():
        if isinstance(said, bool) or not re.fullmatch(r"[A-Za-z]\w*", key) or not _NUMBER.fullmatch(str(said)):
            continue
        unit, factor = next((u for ending, u in _ENDINGS.items() if key.endswith(ending)), (Unit.RATIO, 1.0))
        digits = len(str(said).partition(".")[2]) if unit is Unit.RATIO else None
        yield Quantity(name=f"{prefix}.{key}", value=float(str(said)) * factor, unit=unit, digits=digits)


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
    """Two digits say enough of a p-value, unless it is small."""
    is_small = quantity.value is not None and quantity.value < 0.01
    return replace(quantity, digits=3 if is_small else 2).text
