"""The deployment memo of a release: page one and the template's twelve sections, in its order and numbering.

Composition prints the record. It computes no statistic, ticks only what the record shows, and omits no line: missing
data read "not provided".
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from signoff.domain.assessment import Assessment, PitStatus
from signoff.domain.dossier import Dossier
from signoff.domain.events import Vote
from signoff.domain.evidence import Evidence
from signoff.domain.floor import Floor, Origin
from signoff.domain.frequency import Frequency
from signoff.domain.memo.appendix import appendix
from signoff.domain.memo.boundaries import boundaries
from signoff.domain.memo.changes import lacking_words, unjustified
from signoff.domain.memo.communication import communication
from signoff.domain.memo.computed_lines import passed_of_all
from signoff.domain.memo.document import KeyFigure, Memo, Section
from signoff.domain.memo.governance import governance
from signoff.domain.memo.infrastructure import infrastructure
from signoff.domain.memo.markup import gates_in_words, joined
from signoff.domain.memo.plan import plan
from signoff.domain.memo.rationale import rationale
from signoff.domain.memo.release import Release
from signoff.domain.memo.risk import risk
from signoff.domain.memo.rollback import rollback
from signoff.domain.memo.sign_off import accepted, certified, sign_off
from signoff.domain.memo.standing import Standing
from signoff.domain.memo.success import success
from signoff.domain.memo.summary import computed, draft, summary_contradictions, written
from signoff.domain.memo.validation import BACKTEST_REPORT, PAPER_LOGS, VALIDATION_RESULTS, front, validation
from signoff.domain.memo.worst import red_or_missing
from signoff.domain.policy import Policy
from signoff.domain.quantity import NOT_PROVIDED, Quantity
from signoff.domain.rollback_drill import recovery_time_in_words
from signoff.domain.sampling import Sampling
from signoff.domain.venue import NO_VENUE, NOT_REHEARSED, VenueKind

RISK_MATRIX = "attachments/risk_matrix.xlsx"

Chapter = Callable[[Release], Section]
CHAPTERS: Final[tuple[Chapter, ...]] = (
    rationale,
    validation,
    risk,
    plan,
    rollback,
    boundaries,
    infrastructure,
    governance,
    communication,
    success,
    appendix,
    sign_off,
)


def compose(
    dossier: Dossier,
    policy: Policy,
    evidence: Evidence,
    assessment: Assessment,
    standing: Standing,
    *,
    evidence_digest: str,
    facts: Sequence[Quantity] | None = None,
    chapters: Sequence[Chapter] | None = None,
) -> Memo:
    """The memo of a release.

    A summary that people wrote is checked against `facts` (`gates.facts` of the assessment); without them the memo says
    that it was not checked. `chapters` default to those of the template, in its order.
    """
    release = Release(dossier=dossier, policy=policy, evidence=evidence, assessment=assessment, standing=standing)
    header = dossier.header
    sections = tuple(chapter(release) for chapter in chapters or CHAPTERS)
    tldr, mark = written(dossier, policy, evidence, assessment, facts) if header.summary else (draft(release), "")
    return Memo(
        model=header.model,
        version=header.version,
        previous_version=header.previous_version,
        deployment_date=header.deployment_date,
        deployed_by=f"{header.deployed_by.name}, {header.deployed_by.role}",
        deployment_type=header.deployment_type.value,
        decision=release.decision,
        notices=(*_notices(release), *_summary_notices(release, facts)),
        tldr=tldr,
        tldr_mark=mark,
        computed=computed(dossier, policy, evidence, assessment, facts, is_overridden=release.is_overridden),
        key_figures=_key_figures(release),
        front=front(release),
        sections=sections,
        attachments=_attachments(release),
        document_version=header.document_version,
        status=release.decision,
        evidence_digest=evidence_digest,
        worst=red_or_missing(release, sections),
        colophon=_held_to(policy, standing.floor),
        certified=certified(release),
    )


def _notices(release: Release) -> Iterator[str]:
    """What a reader must not miss: printed on page one, before any figure."""
    yield from _rejections(release)
    yield from _floor_notices(release.standing.floor)
    yield from _gate_notices(release)
    if release.shortenings:
        left_out = "; ".join(f"{s.text} (policy, {s.rule})" for s in release.shortenings)
        yield f"Shortened, as the policy allows for a {release.dossier.header.deployment_type}: {left_out}."
    if (replay := release.evidence.pit) is not None and (ran := replay.protection) is not None and not ran.is_full:
        yield f"The feature code ran {ran.words}."
    yield from _venue_notices(release)
    yield from _key_notices(release.standing)
    if unevidenced := accepted(release):
        policy = release.policy
        yield (
            f"Not evidenced, and accepted by policy {policy.name} {policy.version} (sign_off.accepted_not_evidenced): "
            f"{', '.join(unevidenced)}."
        )
    pit = release.assessment.pit
    if pit.status is PitStatus.FAILED:
        yield f"Point-in-time validation failed: {pit.reason}"
    if lacking := unjustified(release.evidence, release.dossier):
        yield f"{lacking_words(release.evidence, lacking)}."


def _venue_notices(release: Release) -> Iterator[str]:
    """What a rehearsal without a real venue leaves open, and that the policy accepts this."""
    if (rehearsal := release.standing.rehearsal) is None or rehearsal.result.venue is VenueKind.CONNECTED:
        return
    venue, policy = rehearsal.result.venue, release.policy
    needed = policy.rollback.rehearsal_venue
    verdict = "accepts that" if venue.reaches(needed) else "does not accept that"
    by_policy = f"Policy {policy.name} {policy.version} {verdict} (rollback.rehearsal_venue: {needed.value})."
    if venue is VenueKind.NONE:
        yield f"The rollback was {NOT_REHEARSED}; {NO_VENUE}. {by_policy}"
    else:
        yield f"The rollback was rehearsed at the simulated venue: its orders and its RTO are simulated. {by_policy}"


def _key_notices(standing: Standing) -> Iterator[str]:
    """The signatures that another person could have made, including that of section 12."""
    deployer = (standing.deployer,) if standing.deployer else ()
    signed = (*standing.overrides, *standing.approvals, *deployer)
    marked = dict.fromkeys(f"{s.person} (by {s.key_made_by})" for s in signed if s.key_made_by)
    if marked:
        yield f"Signed with a private key that another person made: {', '.join(marked)}."
    replaced = dict.fromkeys(f"{s.person} (key replaced {s.key_replaced})" for s in signed if s.key_replaced)
    if replaced:
        yield f"Signed with a key that replaced one in use: {', '.join(replaced)}."


def _floor_notices(floor: Floor | None) -> Iterator[str]:
    """Page one names a policy that two people did not confirm for the installation."""
    if floor is None or floor.is_confirmed:
        return
    named = floor.words[0].upper() + floor.words[1:]
    if floor.origin is Origin.TRIAL:
        yield f"{named}: it came as {floor.source} and is not this installation's. No release."
    else:
        yield f"{named}: no two people have confirmed the policy that this release is held to."


def _held_to(policy: Policy, floor: Floor | None) -> str:
    if floor is None:
        return f"Held to policy {policy.name} {policy.version}."
    return f"Held to {floor.words} (sha256 {floor.digest})."


def _summary_notices(release: Release, facts: Sequence[Quantity] | None) -> Iterator[str]:
    summary = release.dossier.header.summary
    if not summary:
        return
    if facts is None:
        yield "People wrote the summary, and it was not checked against the evidence."
        return
    for contradiction in summary_contradictions(
        release.dossier, release.policy, release.evidence, release.assessment, facts
    ):
        yield f"The summary contradicts the evidence: {contradiction}"


def _rejections(release: Release) -> Iterator[str]:
    for signature in release.standing.approvals:
        if signature.verdict is Vote.REJECT:
            yield f"Rejected by {signature.person} ({signature.role.title}): {signature.reason or NOT_PROVIDED}"


def _gate_notices(release: Release) -> Iterator[str]:
    blocking = release.assessment.blocking
    if not blocking:
        return
    gates = ", ".join(f"{gates_in_words((finding,))} {finding.word}" for finding in blocking)
    if not release.overrides:
        yield f"Blocked by gates that did not pass: {gates}."
        return
    who = joined(f"{s.person} ({s.role.title})" for s in release.overrides)
    reasons = "; ".join(dict.fromkeys(s.reason for s in release.overrides if s.reason)) or NOT_PROVIDED
    if release.is_overridden:
        yield f"Gates that did not pass were overridden by {who}. Gates: {gates}. Reason: {reasons}"
    else:
        needed = release.policy.approvals.override_persons
        yield (
            f"Blocked by gates that did not pass: {gates}. Overridden so far by {who}, "
            f"{len(release.overrides)} of {needed} persons needed. Reason: {reasons}"
        )


def _key_figures(release: Release) -> tuple[KeyFigure, ...]:
    assessment, standing = release.assessment, release.standing
    signed = {signature.role for signature in release.approvals}
    level = release.policy.gates.var.level
    return (
        KeyFigure("Gates", passed_of_all(assessment.findings)),
        KeyFigure("Point in time", assessment.pit.status.value),
        KeyFigure("Approvals", f"{len(signed)} of {len(standing.required)}"),
        KeyFigure("Rehearsal", _rehearsal(release)),
        KeyFigure(f"{_of_row(assessment.time)}VaR {level:.0%}", assessment.value_at_risk_new.text),
    )


def _of_row(time: Sampling) -> str:
    """The period of a VaR, if rows are not days."""
    return "" if time.frequency is Frequency.DAILY else f"One-{time.of_one_row} "


def _rehearsal(release: Release) -> str:
    if release.standing.rehearsal is None:
        return "not performed"
    time = f"RTO {recovery_time_in_words(release.standing.rehearsal.result)}"
    return f"{time}; does not count" if release.rehearsal_objections() else time


def _attachments(release: Release) -> tuple[str, ...]:
    return (
        f"Detailed backtest report (PDF): {BACKTEST_REPORT}",
        f"Validation test results (PDF): {VALIDATION_RESULTS}",
        f"Paper trading logs (CSV): {PAPER_LOGS if release.evidence.paper is not None else NOT_PROVIDED}",
        f"Risk assessment matrix (XLSX): {RISK_MATRIX}",
    )
