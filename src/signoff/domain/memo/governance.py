"""Section 8: regulation, governance and change management.

A box is ticked only by a check that Signoff ran, such as the registry's listing of an artefact. Signoff runs no test
suite, and anyone can write a test report. So a report ticks nothing and reads "declared by" the author of the dossier.
A failure in a report counts.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from signoff.domain.dossier import Requirement
from signoff.domain.events import Barred, Because
from signoff.domain.evidence import RegisteredVersion, ReportedTest, SuiteName, SuiteResult
from signoff.domain.memo.document import Block, Cell, CheckItem, Checklist, Fields, Mark, Section
from signoff.domain.memo.markup import (
    ABSENT,
    TemplateLine,
    checked_version,
    declared,
    lead_in,
    linked,
    one,
    placed,
    words,
)
from signoff.domain.memo.proof import Proof, ProofOutcome
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED

NOT_EVIDENCED: Final = ProofOutcome.NOT_EVIDENCED.value
NOT_RUN_HERE: Final = "not run by Signoff"
_PROOF_MARK: Final = {
    ProofOutcome.PROVEN: Mark.PASS,
    ProofOutcome.REFUTED: Mark.FAIL,
    ProofOutcome.NOT_EVIDENCED: Mark.NOT_EVIDENCED,
    ProofOutcome.NOT_COMPARABLE: Mark.NOT_COMPARABLE,
}
_REQUIREMENTS: Final = (
    TemplateLine("SEC Rule 15c3-5: Pre-trade risk checks enabled", "15c3"),
    TemplateLine("MiFID II: Algo registration filed, documentation complete", "mifid"),
    TemplateLine("FINRA 3110: Supervisory procedures updated", "finra"),
    TemplateLine("Internal policies", "internal"),
)
# By the name of the attached file without its folder and its ending.
_ARTIFACTS: Final = (
    ("Model card", frozenset({"model_card"})),
    ("This deployment memo", frozenset({"deployment_memo"})),
    ("Backtest report", frozenset({"backtest_report"})),
    ("Validation report", frozenset({"validation_report", "validation_results"})),
    ("Code repository link", frozenset({"repository", "repo_url"})),
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
    """Whether the registry has the tag that is set only when every artefact is attached."""
    return candidate is not None and candidate.tags.get("governance_ready") == "true"


def regulation(release: Release) -> tuple[CheckItem, ...]:
    """The rows of the requirements, each with its evidence."""
    return tuple(_requirement(title, requirement, release) for title, requirement in _placed(release))


def _placed(release: Release) -> Iterator[tuple[str, Requirement | None]]:
    """Each row's title with the requirement that fills it."""
    by_name = {requirement.name: requirement for requirement in release.dossier.governance.requirements}
    for title, name in placed(_REQUIREMENTS, by_name):
        yield title, None if name is None else by_name[name]


def unevidenced(release: Release) -> Iterator[str]:
    """The requirements that are declared to apply and that no check of Signoff shows to be met."""
    rows = zip(regulation(release), _placed(release), strict=True)
    applying = [row for row, (_, entry) in rows if entry is not None and entry.applies and not row.is_checked]
    by_report = [row.text for row in applying if row.note.endswith(NOT_RUN_HERE)]
    if lacking := [row.text for row in applying if row.text not in by_report]:
        yield f"{NOT_EVIDENCED}: {', '.join(lacking)}"
    if by_report:
        yield f"declared by a test report, {NOT_RUN_HERE}: {', '.join(by_report)}"


def _regulation(release: Release) -> tuple[Block, ...]:
    items, trail = regulation(release), release.standing.trail
    return (
        lead_in("Regulatory Requirements Met"),
        Checklist(items),
        lead_in("Audit Trail"),
        Fields(
            (
                ("All predictions logged", _proven(trail.predictions)),
                ("All trades attributed", _proven(trail.trades)),
                ("Full reproducibility", _proven(trail.reproducibility)),
                ("Paper log", _proven(trail.paper)),
                ("Known input of this version", checked_version(release.standing.candidate_check)),
            )
        ),
    )


def _proven(proof: Proof) -> Cell:
    return Cell(proof.words, mark=_PROOF_MARK[proof.outcome])


def _requirement(title: str, entry: Requirement | None, release: Release) -> CheckItem:
    """The row of a requirement: who declares it, with what evidence and test; else that it is not evidenced."""
    if entry is None:
        return CheckItem(title, is_checked=False, note=NOT_EVIDENCED)
    text = title if entry.name in title else f"{title} ({entry.name})"
    author = declared(release.author, f"{entry.declared_by} answers for it") if entry.declared_by else NOT_EVIDENCED
    if not entry.applies:
        return CheckItem(text, is_checked=False, note=f"{author}: does not apply, {entry.evidence}")
    if release.standing.links.get(entry.evidence) is False:
        return CheckItem(text, is_checked=False, note=f"{NOT_EVIDENCED}: {entry.evidence} does not exist")
    if entry.test is None:
        return CheckItem(text, is_checked=False, note=f"{author}: {entry.evidence}, no test of it is named")
    lacking, passed = _tested(entry.test, release)
    if lacking:
        return CheckItem(text, is_checked=False, note=f"{author}: {entry.evidence}, {lacking}")
    return CheckItem(
        text, is_checked=False, note=f"{declared(release.author, entry.evidence)}; {passed}, {NOT_RUN_HERE}"
    )


def _tested(test: str, release: Release) -> tuple[str, str]:
    """Why a named test is no evidence, or when and where it passed."""
    cases = [(suite, case) for suite in release.evidence.suites.values() for case in _cases(suite, test)]
    if not cases:
        return f"no report holds the test {test}", ""
    if any(not case.has_passed for _, case in cases):
        return f"the test {test} did not pass", ""
    days = sorted({case.day for _, case in cases if case.day})
    if len(days) < 1 or any(not case.day for _, case in cases):
        return f"the report of the test {test} gives no day", ""
    reports = ", ".join(dict.fromkeys(suite.source.name for suite, _ in cases))
    return "", f"by the report {reports}, test {test} passed on {days[0]}"


def _cases(suite: SuiteResult, test: str) -> Iterator[ReportedTest]:
    return (
        case for case in suite.cases if test in {case.name, f"{case.group}.{case.name}", f"{case.group}::{case.name}"}
    )


def _model_governance(release: Release) -> tuple[Block, ...]:
    declaration, candidate = release.dossier.governance, release.evidence.candidate
    return (
        one("Model Card", linked(declaration.model_card, release.standing.links)),
        lead_in("MLflow Tracking"),
        Fields(
            (
                (
                    "Experiment",
                    words(candidate.experiment if candidate else declared(release.author, declaration.experiment)),
                ),
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


def _artifact(title: str, names: frozenset[str], candidate: RegisteredVersion | None) -> CheckItem:
    """Whether a file has the name that `governance_ready` asks for; its content is not read."""
    if candidate is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    attached = next((a for a in candidate.artifacts if PurePosixPath(a).stem.lower() in names), None)
    if attached is None and "repository" in names:
        attached = next((candidate.tags[tag] for tag in sorted(_REPOSITORY_TAGS & candidate.tags.keys())), None)
    mark = None if attached else Mark.NOT_PROVIDED
    return CheckItem(title, attached is not None, attached or "not attached in the registry", mark)


def _change_management(release: Release) -> tuple[Block, ...]:
    declaration, author = release.dossier.governance, release.author
    wrote = {ground.name for ground in _wrote(release)} | set(declaration.commit_authors)
    authors = sorted(set(declaration.reviewers) & wrote)
    review = f"Approved by: {', '.join(declaration.reviewers)} ({declared(author)})"
    if authors:
        review += f"; not independent, wrote commits themselves: {', '.join(authors)}"
    return (
        Fields(
            (
                ("Jira Ticket", Cell(f"{declaration.ticket} ({declared(author)})")),
                ("Pull Request", Cell(f"{declaration.pull_request} ({declared(author)})")),
                ("Code Review", Cell(review)),
                ("Commit Authors", words("; ".join(_authors(release)))),
            )
        ),
        *(one("Makers not known", Cell(text, mark=Mark.INCONCLUSIVE)) for text in release.standing.unread),
        lead_in("Tests Passed"),
        Checklist(tuple(reported(title, name, release) for title, name in _SUITES)),
    )


def _wrote(release: Release) -> tuple[Barred, ...]:
    return tuple(ground for ground in release.standing.grounds if ground.because is Because.WROTE)


def _authors(release: Release) -> tuple[str, ...]:
    """The authors of the code, as recorded at submission, or as declared before that."""
    sources: dict[str, list[str]] = {}
    for ground in _wrote(release):
        sources.setdefault(ground.name, []).append(ground.source)
    recorded = tuple(f"{name} ({', '.join(of)})" for name, of in sources.items())
    return recorded or tuple(f"{name} (declared)" for name in release.dossier.governance.commit_authors)


def reported(title: str, name: SuiteName, release: Release) -> CheckItem:
    """What the report of a suite says: a failure counts, and a report without one is a declaration."""
    suite = release.evidence.suites.get(name)
    if suite is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    if not 0 < suite.total == suite.passed:
        return CheckItem(title, is_checked=False, note=_reported(suite), mark=Mark.FAIL)
    return CheckItem(title, is_checked=False, note=f"{declared(release.author, _reported(suite))}, {NOT_RUN_HERE}")


def _reported(suite: SuiteResult) -> str:
    return f"{suite.passed}/{suite.total} passed by the report {suite.source.name}"
