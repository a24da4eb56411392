"""The memo and its supporting files, with one manifest over them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from signoff.app.assess import AssessedRelease
from signoff.app.bound import attached, checked, is_registered
from signoff.app.record import Record, deployment_stream, model_stream
from signoff.domain.artifacts import PreviousCheck
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import UnavailableError
from signoff.domain.events import Certified, ItemDone, NoticeSent, Observed, Phase, PhaseEntered, Recorded
from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Memo
from signoff.domain.memo.lived import lived
from signoff.domain.memo.proof import Trail, journaled, paper_log, performance_breach
from signoff.domain.memo.standing import Standing
from signoff.domain.rollback_drill import Rehearsal
from signoff.ledger.manifest import Entry, manifest_of
from signoff.ports.registry import Registry
from signoff.rendering.attachments import backtest_report, paper_trading_logs, risk_matrix
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf
from signoff.rendering.validation_report import validation_html, validation_pdf

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The files of an edition, and the facts that section 12 certifies."""

    files: dict[str, bytes]
    certified: tuple[Certified, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Composes and renders memos from a release and its record."""

    record: Record
    registry: Registry | None
    unreached: str = ""
    """Why the registry was not read, if it was unreachable."""

    def publish(self, release: AssessedRelease, state: Deployment | None) -> Edition:
        """An edition with all its files; the same record and inputs give the same bytes."""
        memo = self.compose(release, state)
        files = {**rendered(memo), **attachments(release, memo), **release.files}
        return Edition(files=with_manifest(files, release.unkept), certified=memo.certified)

    def living(self, release: AssessedRelease, state: Deployment, *, unreached: str = "") -> dict[str, bytes]:
        """The memo as of now, with the events since it was signed; issued editions stay as they are.

        `unreached` says why the registry is unreachable; the release then holds the versions kept at validation.
        """
        try:
            memo = replace(self, unreached=unreached).compose(release, state)
        except UnavailableError as error:
            unreached = f"registry not reachable: {error}"
            memo = replace(self, unreached=unreached).compose(release, state)
        if unreached:
            memo = replace(memo, notices=(_unreached_words(unreached), *memo.notices))
        history = self.record.history(deployment_stream(state.id))
        of_model = self.record.history(model_stream(state.model))
        memo = lived(memo, history, self.record.now(), state=state, of_model=of_model)
        named = rendered(memo).items()
        return {name.replace("deployment_memo", "living_memo"): content for name, content in named}

    def attach(self, state: Deployment, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Attach a release's documents to its registered version; returns those missing for `governance_ready`."""
        if self.registry is None or not is_registered(self.registry, state):
            return ()
        documents = {
            "deployment_memo.pdf": files["deployment_memo.pdf"],
            "backtest_report.pdf": files["attachments/backtest_report.pdf"],
            "validation_results.pdf": files["attachments/validation_results.pdf"],
        }
        links = state.undertakings.documents if state.undertakings else {}
        if (card := files.get(f"inputs/{links.get('model_card', '')}")) is not None:
            documents["model_card.md"] = card
        if (repository := links.get("repository")) is not None:
            documents["repository.txt"] = f"{repository}\n".encode()
        return attached(self.registry, state, documents)

    def compose(self, release: AssessedRelease, state: Deployment | None) -> Memo:
        """The memo as a value."""
        inputs = release.inputs
        return compose(
            inputs.dossier,
            inputs.policy,
            inputs.evidence,
            release.assessment,
            self._standing(release, state),
            evidence_digest=release.package.digest,
            facts=release.figures,
        )

    def _standing(self, release: AssessedRelease, state: Deployment | None) -> Standing:
        inputs, model = release.inputs, release.inputs.dossier.model
        on_paper = paper_log(inputs.evidence.paper, inputs.evidence.predictions)
        result = Standing(
            required=inputs.policy.approvals.required,
            rehearsal=latest_rehearsal(self.record, model),
            previous_check=self._previous(release),
            links=inputs.links,
            trail=Trail(paper=on_paper),
            candidate_check=self._candidate(release),
            breach=self._breach(release),
            floor=inputs.floor,
        )
        if state is None:
            return result
        history = self.record.history(deployment_stream(state.id))
        return replace(
            result,
            approvals=state.approvals,
            overrides=state.overrides,
            is_approved=state.manifest is not None and not state.missing_roles,
            is_rejected=state.state is State.REJECTED,
            deployment_id=state.id,
            approved_manifest=state.manifest,
            barred=state.barred,
            grounds=state.grounds,
            unread=state.unread,
            floor=state.floor,
            notices=tuple(r.event for r in history if isinstance(r.event, NoticeSent)),
            open_conditions=tuple((c.role, c.text) for c in state.open_conditions),
            trail=journaled(tuple(r.event for r in history if isinstance(r.event, Observed)), on_paper),
            done=tuple((r.event, r.at, r.proof) for r in history if isinstance(r.event, ItemDone)),
            deployer=state.deployer,
            started_by=_started_by(history),
        )

    def _previous(self, release: AssessedRelease) -> PreviousCheck | None:
        header, champion = release.inputs.dossier.header, release.inputs.evidence.champion
        if header.previous_version is None:
            return None
        if self.unreached:
            return _not_asked(header.previous_version, self.unreached)
        if self.registry is None:
            return None
        pin = None if champion is None else champion.pin
        return checked(self.registry, _registered(release), header.previous_version, pin)

    def _breach(self, release: AssessedRelease) -> str:
        """The thresholds that the trading version broke last, with its version."""
        header = release.inputs.dossier.header
        for state in reversed(self.record.deployments(header.model)):
            if state.version == header.previous_version:
                events = (r.event for r in self.record.history(deployment_stream(state.id)))
                breach = performance_breach([e for e in events if isinstance(e, Observed)], state.policy)
                if breach:
                    return f"v{state.version}, {breach}"
        return ""

    def _candidate(self, release: AssessedRelease) -> PreviousCheck | None:
        candidate = release.inputs.evidence.candidate
        if candidate is None:
            return None
        if self.unreached:
            return _not_asked(candidate.version, self.unreached)
        if self.registry is None:
            return None
        return checked(self.registry, _registered(release), candidate.version, candidate.pin)


def _not_asked(version: str, why: str) -> PreviousCheck:
    return PreviousCheck(version=version, run_id="", is_working=None, detail=why)


def _unreached_words(why: str) -> str:
    return (
        f"{why.rstrip('.')}. The registry's facts of the release are the ones that were kept when the "
        "release was validated; what was not kept is not provided."
    )


def _started_by(history: Iterable[Recorded]) -> str | None:
    """Who started the rollout, None before its start."""
    starts = (r.actor for r in history if isinstance(r.event, PhaseEntered) and r.event.phase is Phase.SHADOW)
    return next(starts, None)


def rendered(memo: Memo) -> dict[str, bytes]:
    """A memo in its three formats, with the pictures that the Markdown links to."""
    text, pictures = markdown(memo)
    return {
        "deployment_memo.md": text,
        "deployment_memo.html": html(memo),
        "deployment_memo.pdf": pdf(memo),
        **{f"assets/{name}": content for name, content in pictures.items()},
    }


def attachments(release: AssessedRelease, memo: Memo) -> dict[str, bytes]:
    """The four attachments, and the validation results as a page; a missing paper log becomes a table without rows."""
    return {
        "attachments/backtest_report.pdf": backtest_report(release.assessment, release.inputs.evidence, memo),
        "attachments/validation_results.pdf": validation_pdf(release.assessment, release.inputs.evidence, memo),
        "attachments/validation_results.html": validation_html(release.assessment, release.inputs.evidence, memo),
        "attachments/paper_trading_logs.csv": paper_trading_logs(
            release.inputs.evidence.paper, release.assessment.paper
        ),
        "attachments/risk_matrix.xlsx": risk_matrix(release.inputs.dossier),
    }


def with_manifest(files: dict[str, bytes], unkept: Iterable[Entry] = ()) -> dict[str, bytes]:
    """The files with their manifest, which also lists `unkept` files."""
    return {**files, MANIFEST: manifest_of(files, unkept).to_bytes()}


def latest_rehearsal(record: Record, model: str) -> Rehearsal | None:
    """The last rollback rehearsal of a model."""
    latch = record.latch(model)
    return None if latch is None else latch.rehearsal


def _registered(release: AssessedRelease) -> str:
    dossier = release.inputs.dossier
    return dossier.registered_model or dossier.model
