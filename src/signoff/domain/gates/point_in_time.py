"""Section 2.3: what the point-in-time replay and the code review together allow to be claimed."""

from signoff.domain.assessment import PitStatus, PitSummary
from signoff.domain.dossier import PitDeclaration
from signoff.domain.evidence import PitEvidence, PitFinding


def point_in_time(evidence: PitEvidence | None, declaration: PitDeclaration) -> PitSummary:
    """Verified takes a clean replay of at least one feature on at least one date, and a named code reviewer."""
    if evidence is None:
        return PitSummary(
            status=PitStatus.NOT_PROVIDED,
            reason="The replay did not run; check validation.pit.compute and validation.pit.inputs in dossier.yaml.",
        )
    if evidence.error is not None:
        return PitSummary(status=PitStatus.FAILED, reason=f"The replay could not run: {evidence.error}")
    if evidence.findings:
        return PitSummary(status=PitStatus.FAILED, reason=_leaks(evidence.findings))
    if evidence.dates_checked < 1 or evidence.features_checked < 1:
        return PitSummary(
            status=PitStatus.FAILED,
            reason=f"The replay checked {evidence.features_checked} features on {evidence.dates_checked} dates; "
            "it must check at least one of each.",
        )
    replay = (
        f"Replay of {evidence.features_checked} features on {evidence.dates_checked} dates "
        f"(seed {evidence.seed}) with the future removed changed nothing"
    )
    if not declaration.code_review_by:
        return PitSummary(
            status=PitStatus.CONDITIONAL,
            reason=f"{replay}; no code review is declared (validation.pit.code_review_by).",
        )
    return PitSummary(status=PitStatus.VERIFIED, reason=f"{replay}; code reviewed by {declaration.code_review_by}.")


def _leaks(findings: tuple[PitFinding, ...]) -> str:
    features = sorted({finding.feature for finding in findings})
    first = min(findings, key=lambda finding: finding.first_date)
    noun = "feature uses" if len(features) == 1 else "features use"
    return (
        f"{len(features)} {noun} what was not yet known: {', '.join(features)}; "
        f"earliest {first.first_date} ({first.kind} of {first.feature})."
    )
