"""Section 8: regulation, governance and change management.

A declaration alone ticks no box here: a requirement needs evidence whose link was found, an artefact must be attached
in the registry, a suite must have passed.
"""

from typing import Final

from signoff.domain.dossier import Requirement
from signoff.domain.events import Barred, Because
from signoff.domain.evidence import RegisteredVersion, SuiteName
from signoff.domain.memo.document import Block, Cell, CheckItem, Checklist, Fields, Mark, Section
from signoff.domain.memo.pieces import ABSENT, Line, claim, lead_in, linked, one, placed, words
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED

_REQUIREMENTS: Final = (
    Line("SEC Rule 15c3-5: Pre-trade risk checks enabled", "15c3"),
    Line("MiFID II: Algo registration filed, documentation complete", "mifid"),
    Line("FINRA 3110: Supervisory procedures updated", "finra"),
    Line("Internal policies", "internal"),
)
_ARTIFACTS: Final = (
    ("Model card", ("model_card",)),
    ("This deployment memo", ("deployment_memo",)),
    ("Backtest report", ("backtest_report",)),
    ("Validation report", ("validation_report", "validation_results")),
    ("Code repository link", ("repository", "repo_url")),
)
_SUITES: Final = (
    ("Unit tests", SuiteName.UNIT),
    ("Integration tests", SuiteName.INTEGRATION),
    ("PIT validation tests", SuiteName.PIT),
    ("Performance benchmarks", SuiteName.PERFORMANCE),
)
_REPOSITORY_TAGS: Final = frozenset({"mlflow.source.git.repoURL", "mlflow.source.git.repo_url", "repository"})


def governance(release: Release) -> Section:
    """Chapter 8."""
    return Section(
        "8",
        "Compliance & Governance",
        sections=(
            Section("8.1", "Regulatory Compliance", _regulation(release)),
            Section("8.2", "Model Governance", _model_governance(release)),
            Section("8.3", "Change Management", _change_management(release)),
        ),
    )


def is_governance_ready(candidate: RegisteredVersion | None) -> bool:
    """Whether the registry carries the tag that is set only when every artefact is attached."""
    return candidate is not None and candidate.tags.get("governance_ready") == "true"


def regulation(release: Release) -> tuple[CheckItem, ...]:
    """The rows of the requirements, each with its evidence."""
    declared = {requirement.name: requirement for requirement in release.dossier.governance.requirements}
    return tuple(
        _requirement(title, declared[name] if name is not None else None, release)
        for title, name in placed(_REQUIREMENTS, declared)
    )


def _regulation(release: Release) -> tuple[Block, ...]:
    items, standing = regulation(release), release.standing
    return (
        lead_in("Regulatory Requirements Met"),
        Checklist(items),
        lead_in("Audit Trail"),
        Fields(
            (
                (
                    "All predictions logged",
                    claim(standing.predictions_logged, when_true="checked", when_false="checked: some are missing"),
                ),
                (
                    "All trades attributed",
                    claim(standing.trades_attributed, when_true="checked", when_false="checked: some are not"),
                ),
                (
                    "Full reproducibility",
                    claim(standing.is_reproducible, when_true="checked", when_false="checked: results differ"),
                ),
            )
        ),
    )


def _requirement(title: str, declared: Requirement | None, release: Release) -> CheckItem:
    if declared is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    text = title if declared.name in title else f"{title} ({declared.name})"
    if not declared.applies:
        return CheckItem(text, is_checked=False, note=f"does not apply: {declared.evidence}")
    match release.standing.links.get(declared.evidence):
        case True:
            return CheckItem(text, is_checked=True, note=f"evidence: {declared.evidence}")
        case False:
            return CheckItem(text, is_checked=False, note=f"evidence does not exist: {declared.evidence}")
        case None:
            return CheckItem(text, is_checked=False, note=f"declared, evidence not checked: {declared.evidence}")


def _model_governance(release: Release) -> tuple[Block, ...]:
    declared, candidate = release.dossier.governance, release.evidence.candidate
    return (
        one("Model Card", linked(declared.model_card, release.standing.links)),
        lead_in("MLflow Tracking"),
        Fields(
            (
                ("Experiment", words(candidate.experiment if candidate else declared.experiment)),
                ("Run ID", words(candidate.run_id if candidate else None)),
                ("Governance tag", _governance_tag(candidate)),
            )
        ),
        lead_in("Artifacts Attached"),
        Checklist(tuple(_artifact(title, names, candidate) for title, names in _ARTIFACTS)),
    )


def _governance_tag(candidate: RegisteredVersion | None) -> Cell:
    value = None if candidate is None else candidate.tags.get("governance_ready")
    if value is None:
        return ABSENT
    return Cell(f"governance_ready={value}", mark=Mark.PASS if is_governance_ready(candidate) else Mark.FAIL)


def _artifact(title: str, names: tuple[str, ...], candidate: RegisteredVersion | None) -> CheckItem:
    if candidate is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    attached = next((a for a in candidate.artifacts if any(name in a.lower() for name in names)), None)
    if attached is None and "repository" in names:
        attached = next((candidate.tags[tag] for tag in sorted(_REPOSITORY_TAGS & candidate.tags.keys())), None)
    return CheckItem(title, attached is not None, attached or "not attached in the registry")


def _change_management(release: Release) -> tuple[Block, ...]:
    declared = release.dossier.governance
    wrote = {ground.name for ground in _wrote(release)} | set(declared.commit_authors)
    authors = sorted(set(declared.reviewers) & wrote)
    review = f"Approved by: {', '.join(declared.reviewers)} (declared)"
    if authors:
        review += f"; not independent, wrote commits themselves: {', '.join(authors)}"
    return (
        Fields(
            (
                ("Jira Ticket", words(declared.ticket)),
                ("Pull Request", words(declared.pull_request)),
                ("Code Review", Cell(review)),
                ("Commit Authors", words("; ".join(_authors(release)))),
            )
        ),
        *(one("Makers not known", Cell(text, mark=Mark.INCONCLUSIVE)) for text in release.standing.unread),
        lead_in("Tests Passed"),
        Checklist(tuple(_suite(title, name, release) for title, name in _SUITES)),
    )


def _wrote(release: Release) -> tuple[Barred, ...]:
    return tuple(ground for ground in release.standing.grounds if ground.because is Because.WROTE)


def _authors(release: Release) -> tuple[str, ...]:
    """Who wrote the code: as recorded at the submission, before it as declared."""
    sources: dict[str, list[str]] = {}
    for ground in _wrote(release):
        sources.setdefault(ground.name, []).append(ground.source)
    recorded = tuple(f"{name} ({', '.join(of)})" for name, of in sources.items())
    return recorded or tuple(f"{name} (declared)" for name in release.dossier.governance.commit_authors)


def _suite(title: str, name: SuiteName, release: Release) -> CheckItem:
    suite = release.evidence.suites.get(name)
    if suite is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    is_green = 0 < suite.total == suite.passed
    return CheckItem(title, is_green, f"{suite.passed}/{suite.total} passed ({suite.source.name})")
