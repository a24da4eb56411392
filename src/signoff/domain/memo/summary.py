"""The memo's TL;DR: drafted from the facts, or written by people and then held against them.

The draft says what changed, what became of the Sharpe ratio, how the gates fell and what is asked for, and praises
nothing: a difference that the data cannot tell from zero is called that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from signoff.domain.assessment import Assessment
from signoff.domain.dossier import DeploymentType, Dossier
from signoff.domain.evidence import Evidence, RegisteredVersion
from signoff.domain.finding import Outcome
from signoff.domain.memo.changes import training_days
from signoff.domain.memo.claims import contradictions
from signoff.domain.memo.every_gate import is_outcome, outcomes
from signoff.domain.memo.pieces import MEMO_GATES, declared, gates_in_words, short_title, versioned
from signoff.domain.memo.placeholders import filled
from signoff.domain.memo.release import Release
from signoff.domain.policy import Policy, tighten
from signoff.domain.quantity import NOT_PROVIDED, Quantity, Unit, count, relative_change

__all__ = [
    "SIGNIFICANCE",
    "contradictions",
    "draft",
    "known_facts",
    "known_words",
    "summary_contradictions",
    "summary_figures",
    "written",
]

SIGNIFICANCE: Final = 0.05
_SPOKEN: Final = ("None", "One", "Two", "Three", "Four", "Five")


def draft(release: Release) -> str:
    """Four sentences at most, every number of them a fact."""
    return " ".join((_what(release), _sharpe(release), *_gates(release), _asked(release)))


def summary_contradictions(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[str, ...]:
    """What the summary that people wrote says against the facts; `figures` are `gates.facts` of the assessment."""
    policy, _ = tighten(policy, dossier.plan.tighten)
    known = known_facts(policy, evidence, assessment, figures)
    return contradictions(dossier.header.summary or "", known, known_words(dossier))


def known_facts(
    policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every number that a summary may state: the computed figures, and those of the registry and the plan."""
    return (*figures, *_more_facts(policy, evidence, assessment))


def summary_figures(
    dossier: Dossier, policy: Policy, evidence: Evidence, assessment: Assessment, figures: Sequence[Quantity]
) -> tuple[Quantity, ...]:
    """Every figure that a summary may ask for by its name, as in `{metrics.sharpe.new}`."""
    policy, _ = tighten(policy, dossier.plan.tighten)
    return tuple(fact for fact in known_facts(policy, evidence, assessment, figures) if not is_outcome(fact))


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
    held = "were held against the evidence"
    if summary_contradictions(*parts):
        held = f"{held} and contradict it"
    mark = f"{declared(author)}, not computed; the figures that could be read in it {held}, its words were not"
    return filled(text, summary_figures(*parts)), mark


def known_words(dossier: Dossier) -> tuple[str, ...]:
    """Names of this dossier that may hold digits and are no figures: the model, its versions, the rules it meets."""
    header = dossier.header
    versions = [v for v in (header.version, header.previous_version) if v]
    bare = [version.lstrip("vV") for version in versions]
    short = [".".join(version.split(".")[:2]) for version in bare if version.count(".") > 1]
    rules = [requirement.name for requirement in dossier.governance.requirements]
    return (header.model, *versions, *bare, *short, *rules, "FINRA 3110", "15c3-5", "S&P 500")


def _more_facts(policy: Policy, evidence: Evidence, assessment: Assessment) -> Iterator[Quantity]:
    yield from outcomes(assessment.findings, assessment.memo_gates)
    for side, version in (("new", evidence.candidate), ("old", evidence.champion)):
        if version is not None and version.features:
            yield count(f"features.{side}", len(set(version.features)))
        yield Quantity(name=f"training_days.{side}", value=training_days(version), unit=Unit.DAYS)
    yield from _feature_moves(evidence.candidate, evidence.champion)
    yield _change("risk.value_at_risk", assessment.value_at_risk_new, assessment.value_at_risk_old)
    if not assessment.latencies.incomparable:
        yield _change("latency_p95", assessment.latency_p95_new, assessment.latency_p95_old)
    yield Quantity(name="risk.value_at_risk.level", value=policy.gates.var.level, unit=Unit.PERCENT)
    yield Quantity(name="plan.allocation", value=policy.phases.limited_allocation_pct / 100, unit=Unit.PERCENT)
    yield Quantity(name="plan.allocation_in_full", value=1.0, unit=Unit.PERCENT)
    yield Quantity(name="plan.shadow_days", value=policy.phases.shadow_days, unit=Unit.DAYS)
    yield Quantity(name="plan.limited_days", value=policy.phases.limited_days, unit=Unit.DAYS)


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
    row = next((row for row in release.assessment.metrics if row.key == "sharpe"), None)
    if row is None or not row.new.is_provided:
        return f"Net Sharpe {NOT_PROVIDED}."
    if not row.old.is_provided:
        return f"Net Sharpe {row.new.text}; no previous version is measured beside it."
    p_value = release.assessment.sharpe_difference_p
    against = f"Net Sharpe {_bare(row.new)} against {_bare(row.old)}"
    if p_value.value is None or not p_value.is_provided:
        return f"{against}; whether the difference is more than chance is {NOT_PROVIDED}."
    if p_value.value < SIGNIFICANCE:
        return f"{against}, a difference beyond chance (p {_p(p_value)})."
    return f"{against}, a difference the data cannot tell from zero (p {_p(p_value)})."


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
