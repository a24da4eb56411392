"""Section 12: six certifications, each derived from the record and refused where it is untrue.

An override lets a release go on; it does not make a gate pass, and the certification says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from signoff.domain.events import Certified, DeployerSigned, key_mark
from signoff.domain.memo.communication import NOT_EVIDENCED, unsent_before
from signoff.domain.memo.document import Cell, CheckItem, Checklist, Fields, Mark, Paragraph, Section
from signoff.domain.memo.governance import is_governance_ready, unevidenced
from signoff.domain.memo.markup import ABSENT, MEMO_GATES, declared, gates_in_words, joined, lead_in, words
from signoff.domain.memo.proof import Proof, ProofOutcome
from signoff.domain.memo.release import Release
from signoff.domain.outcome import Outcome
from signoff.domain.policy import CertifiedSentence, Policy
from signoff.domain.quantity import NOT_PROVIDED
from signoff.domain.venue import NOT_REHEARSED, VenueKind

_OBJECT: Final = {
    CertifiedSentence.GATES: "the gates",
    CertifiedSentence.RISK: "the risk assessment",
    CertifiedSentence.ROLLBACK: "the rollback plan",
    CertifiedSentence.MONITORING: "monitoring",
    CertifiedSentence.STAKEHOLDERS: "the stakeholders' notices",
    CertifiedSentence.GOVERNANCE: "governance",
}
# No policy can accept these without evidence; separate guards check them when the release starts.
_ALWAYS: Final = (CertifiedSentence.GATES, CertifiedSentence.ROLLBACK)


def sign_off(release: Release) -> Section:
    """Chapter 12."""
    header = release.dossier.header
    standing = release.standing
    signed = max((s.signed_at.date() for s in (*standing.approvals, *standing.overrides)), default=None)
    return Section(
        "12",
        "Sign-off",
        (
            lead_in("I certify that"),
            Checklist(certifications(release)),
            Paragraph(guarded(release.policy), is_note=True),
            _deployer(standing.deployer) if standing.deployer else _named(release),
            Fields(
                (
                    ("Document Version", words(header.document_version)),
                    ("Last Updated", Cell(str(signed), is_figure=True) if signed else ABSENT),
                    ("Status", Cell(release.decision.value.capitalize(), mark=release.decision)),
                )
            ),
        ),
    )


def _deployer(signed: DeployerSigned) -> Fields:
    """Who started the rollout and signed section 12, over the approved manifest."""
    return Fields(
        (
            ("Deployed By", Cell(signed.person)),
            ("Date", Cell(str(signed.signed_at.date()), is_figure=True)),
            (
                "Signature",
                Cell(
                    f"key {signed.key_id}{key_mark(signed.key_made_by, signed.key_replaced)} over manifest "
                    f"{signed.manifest}",
                    is_figure=True,
                ),
            ),
        )
    )


def _named(release: Release) -> Fields:
    """Who is to deploy, or started the rollout without signing; an approval does not sign section 12."""
    started = release.standing.started_by
    if started is None:
        by = declared(release.author, release.dossier.sign_off.signed_by)
        return Fields((("Deployed By", Cell(by)), ("Date", ABSENT), ("Signature", ABSENT)))
    missing = Cell("not signed", mark=Mark.NOT_EVIDENCED)
    by = f"{started}, who started it and did not sign"
    return Fields((("Deployed By", Cell(by)), ("Date", missing), ("Signature", missing)))


def guarded(policy: Policy) -> str:
    """Which certification each phase waits for under this policy, and which the policy accepts without evidence."""
    accepted = [c for c in CertifiedSentence if c in policy.sign_off.accepted_not_evidenced and c not in _ALWAYS]
    waiting = {
        phase: joined(_OBJECT[c] for c in CertifiedSentence if c.phase == phase and c not in accepted)
        or "none of these"
        for phase in ("shadow", "limited")
    }
    text = f"Shadow waits for {waiting['shadow']}; the limited phase waits for {waiting['limited']}."
    if not accepted:
        return text
    named = joined(_OBJECT[c] for c in accepted)
    return (
        f"{text} The policy lets a release go on without evidence of {named} (sign_off.accepted_not_evidenced), unless "
        "the evidence contradicts it."
    )


def certified(release: Release) -> tuple[Certified, ...]:
    """Each certification for the record: the objections to it, and whether the evidence contradicts it."""
    boxes = zip(CertifiedSentence, certifications(release), strict=True)
    return tuple(
        Certified(
            certification=certification,
            against="" if box.is_checked else box.note,
            is_contradicted=not box.is_checked and _is_contradicted(certification, release),
        )
        for certification, box in boxes
    )


def accepted(release: Release) -> tuple[str, ...]:
    """The certifications that lack evidence and that the policy accepts."""
    allowed = release.policy.sign_off.accepted_not_evidenced
    return tuple(
        one.certification.value
        for one in certified(release)
        if one.against and not one.is_contradicted and one.certification in allowed
    )


def _is_contradicted(certification: CertifiedSentence, release: Release) -> bool:
    """Whether the evidence says the opposite, which no policy accepts."""
    match certification:
        case CertifiedSentence.MONITORING:
            return release.standing.links.get(release.dossier.plan.monitoring.dashboard) is False
        case CertifiedSentence.GOVERNANCE:
            candidate = release.evidence.candidate
            is_denied = candidate is not None and candidate.tags.get("governance_ready") == "false"
            return is_denied or any(proof.outcome is ProofOutcome.REFUTED for _, proof in _counts(release))
        case _:
            return False


def certifications(release: Release) -> tuple[CheckItem, ...]:
    """The six boxes; a box is ticked if the record has no objection to it."""
    return (
        _all_gates(release),
        _certified("Risk assessment is complete and documented", _risk(release)),
        _rollback_plan(release),
        _certified("Monitoring and alerts are configured", _monitoring(release)),
        _certified("All stakeholders have been notified", _stakeholders(release)),
        _certified("This deployment meets governance requirements", _governance(release)),
    )


def _all_gates(release: Release) -> CheckItem:
    """An advisory gate that did not pass is named too."""
    box = _certified("All validation gates have been passed", _gates(release))
    missed = [f for f in release.assessment.findings if f.outcome is not Outcome.PASS and not f.is_blocking]
    if not box.is_checked or not missed:
        return box
    return replace(box, note=f"those that block; advisory by policy, not passed: {gates_in_words(missed)}")


def _rollback_plan(release: Release) -> CheckItem:
    """The box names the venue of the test, since the policy may accept a test without one."""
    box = _certified("Rollback plan is tested and ready", release.rehearsal_objections())
    rehearsal = release.standing.rehearsal
    if rehearsal is None or rehearsal.result.venue is VenueKind.CONNECTED:
        return box
    is_without = rehearsal.result.venue is VenueKind.NONE
    how = NOT_REHEARSED if is_without else "rehearsed at the simulated venue"
    return replace(box, note="; ".join(filter(None, (how, box.note))))


def _certified(text: str, objections: Iterable[str]) -> CheckItem:
    against = tuple(objections)
    return CheckItem(text, is_checked=not against, note="; ".join(against))


def _gates(release: Release) -> Iterator[str]:
    assessment = release.assessment
    own = assessment.memo_gates
    failing = [f for f in assessment.findings if f.outcome is not Outcome.PASS and (f.is_blocking or f in own)]
    if len(own) < MEMO_GATES:
        yield f"{len(own)} of the memo's {MEMO_GATES} gates were run"
    if not failing:
        return
    yield f"not passed: {gates_in_words(failing)}"
    if assessment.blocking and release.is_overridden:
        who = joined(f"{s.person} ({s.role.title})" for s in release.overrides)
        yield f"overridden by {who}, which lets the release go on and does not make a gate pass"


def _risk(release: Release) -> Iterator[str]:
    """A stress window may be outside the data if the memo says so; a regime has to be known."""
    assessment = release.assessment
    if not release.dossier.risk.risks:
        yield "no risk is declared"
    if not assessment.regimes or any(not row.sharpe.is_provided for row in assessment.regimes):
        yield f"behaviour by market regime is {NOT_PROVIDED}"
    if not assessment.stress or any(not row.max_drawdown.is_provided and not row.note for row in assessment.stress):
        yield f"stress testing is {NOT_PROVIDED}"


def _monitoring(release: Release) -> Iterator[str]:
    monitoring = release.dossier.plan.monitoring
    if not monitoring.pager.strip() or not any(channel.strip() for channel in monitoring.channels):
        yield "no pager or no channel is named for alerts"
    match release.standing.links.get(monitoring.dashboard):
        case False:
            yield f"the dashboard {monitoring.dashboard} does not exist"
        case None:
            yield f"the dashboard {monitoring.dashboard} was not checked"
        case True:
            return


def _stakeholders(release: Release) -> Iterator[str]:
    if unsent := unsent_before(release):
        yield f"{NOT_EVIDENCED}, no receipt for: {', '.join(unsent)}"


def _governance(release: Release) -> Iterator[str]:
    if not is_governance_ready(release.evidence.candidate):
        yield "the registry does not carry governance_ready=true"
    yield from unevidenced(release)
    for claim, proof in _counts(release):
        if proof.outcome is not ProofOutcome.PROVEN:
            yield f"{claim}, {proof.words}"


def _counts(release: Release) -> tuple[tuple[str, Proof], ...]:
    """The counts of the journal that governance rests on."""
    trail = release.standing.trail
    return ("predictions logged", trail.predictions), ("trades attributed", trail.trades)
