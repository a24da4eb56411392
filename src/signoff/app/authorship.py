"""Conflicts of interest of a release, from the dossier, the commits, the experiment tracker and the record of tokens.

Names that are read are added to the declared ones. A release whose declared commits cannot be read is refused, unless
the policy lets the memo state it instead (`approvals.unread_commits`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from signoff.app.assess import AssessedRelease
from signoff.app.record import PEOPLE, Record
from signoff.domain import decisions
from signoff.domain.conflict_of_interest import Independence, Trace, grounds_of
from signoff.domain.dossier import Dossier
from signoff.domain.errors import UnavailableError
from signoff.domain.events import Because, TokenIssued
from signoff.domain.evidence import Evidence
from signoff.ports.commits import Commits, TooSlowError

Span = tuple[str | None, str]


def independence(
    record: Record, commits: Commits, folder: Path, release: AssessedRelease, *, actor: str
) -> Independence:
    """Who may not sign this release. RefusedError if the policy requires sources that could not be read."""
    dossier, evidence = release.inputs.dossier, release.inputs.evidence
    wrote, unread = _written(commits, folder, dossier, evidence)
    traces = (*_submitted(record, actor), *_declared(dossier), *wrote, *_tracked(evidence))
    enrolled = {person.name: person.known_as for person in record.people().by_name.values()}
    result = Independence(
        grounds=grounds_of(_with_addresses(traces, dossier), enrolled),
        unread=unread,
        unnamed=tuple(_unnamed(evidence)),
    )
    decisions.submission.whose_work_is_known(result, release.inputs.policy.approvals)
    return result


def _submitted(record: Record, actor: str) -> Iterator[Trace]:
    """Who submits, and who ever issued a token to them, even one that was revoked during the assessment."""
    yield Trace(known_as=(actor,), because=Because.SUBMITTED, source=actor)
    for recorded in record.history(PEOPLE):
        match recorded.event:
            case TokenIssued(token=token, person=machine, is_machine=True) if machine == actor:
                source = f"token {token} of {machine}"
                yield Trace(known_as=(recorded.actor,), because=Because.ISSUED_TOKEN, source=source)
            case _:
                continue


def _declared(dossier: Dossier) -> Iterator[Trace]:
    deploys = dossier.header.deployed_by
    yield Trace(known_as=(deploys.name, deploys.email), because=Because.DEPLOYS, source="as the dossier declares")
    for because, names in (
        (Because.WROTE, dossier.governance.commit_authors),
        (Because.PRODUCED_EVIDENCE, dossier.evidence.produced_by),
    ):
        for name in names:
            yield Trace(known_as=(name,), because=because, source="as the dossier declares")


def _tracked(evidence: Evidence) -> Iterator[Trace]:
    if evidence.candidate is not None:
        for user in evidence.candidate.users:
            source = f"ran {evidence.candidate.run_id[:8]}, which the registered version comes from"
            yield Trace(known_as=(user,), because=Because.PRODUCED_EVIDENCE, source=source)
    for table in evidence.tracked:
        for user, count in table.users.items():
            source = f"ran {count} of the {table.runs} run(s) of {table.name}"
            yield Trace(known_as=(user,), because=Because.PRODUCED_EVIDENCE, source=source)


def _unnamed(evidence: Evidence) -> Iterator[str]:
    """Tracked evidence without a known author."""
    if evidence.candidate is not None and not evidence.candidate.users:
        yield f"run {evidence.candidate.run_id[:8]}, which the registered version comes from, names no user"
    for table in evidence.tracked:
        if table.unnamed:
            yield f"{table.unnamed} of the {table.runs} run(s) of {table.name} name no user"


def _written(
    commits: Commits, folder: Path, dossier: Dossier, evidence: Evidence
) -> tuple[tuple[Trace, ...], tuple[str, ...]]:
    """The authors of the declared commits, and the commits that could not be read."""
    declared = dossier.governance.commits
    if declared is None:
        return (), ()
    traces: list[Trace] = []
    unread: list[str] = []
    spans = _spans(dossier, evidence)
    if not spans:
        unread.append("governance.commits.until is missing, and the model registry knows no commit of this version")
    for since, until in spans:
        span = until if since is None else f"{since}..{until}"
        try:
            written = commits.between(folder / declared.repository, since, until)
        except UnavailableError as error:
            unread.append(f"the authors of {span}: {error}")
            if isinstance(error, TooSlowError):
                break
            continue
        if written.commits == 0:
            unread.append(f"the authors of {span}: {declared.repository} has no commit in this range")
        span = written.until[:12] if written.since is None else f"{written.since[:12]}..{written.until[:12]}"
        for author, count in written.authors.items():
            source = f"{count} of the {written.commits} commit(s) {span}"
            traces.append(Trace(known_as=(author.name, author.email), because=Because.WROTE, source=source))
    return tuple(traces), tuple(unread)


def _spans(dossier: Dossier, evidence: Evidence) -> tuple[Span, ...]:
    """The declared commits, and those between the registered versions: a narrow declaration hides no author."""
    declared = dossier.governance.commits
    assert declared is not None
    before = None if evidence.champion is None else evidence.champion.git_commit
    this = None if evidence.candidate is None else evidence.candidate.git_commit
    since, until = declared.since or before, declared.until or this
    registered = [] if this is None else [(before or declared.since, this)]
    return tuple(dict.fromkeys([*([] if until is None else [(since, until)]), *registered]))


def _with_addresses(traces: Iterable[Trace], dossier: Dossier) -> Iterator[Trace]:
    """The traces, with the dossier's names for their e-mail addresses."""
    contacts = dossier.appendix.contacts
    named = {p.email.casefold(): p.name for p in (dossier.header.deployed_by, contacts.owner, contacts.tech_lead)}
    for trace in traces:
        also = (named.get(name.casefold(), "") for name in trace.known_as if name)
        yield Trace(known_as=(*trace.known_as, *also), because=trace.because, source=trace.source)
