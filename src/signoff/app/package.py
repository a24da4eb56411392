"""The memo and everything it rests on, as files with one manifest over them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from signoff.app.assess import Release
from signoff.app.bound import attached, checked, is_registered
from signoff.app.record import Record, deployment_stream
from signoff.domain.deployment import Deployment, State
from signoff.domain.events import NoticeSent
from signoff.domain.evidence import PaperLog, Predictions
from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Memo
from signoff.domain.memo.standing import PreviousCheck, Standing
from signoff.domain.rehearsal import Rehearsal
from signoff.ledger.manifest import Entry, manifest_of
from signoff.ports.registry import Registry
from signoff.rendering.attachments import backtest_report, paper_trading_logs, risk_matrix
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf
from signoff.rendering.validation_report import validation_html, validation_pdf

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Composes and renders memos from a release and what the record knows of it."""

    record: Record
    registry: Registry | None

    def publish(self, release: Release, state: Deployment | None) -> dict[str, bytes]:
        """Every file of an edition; the same record and inputs give the same bytes."""
        memo = self.compose(release, state)
        return with_manifest({**rendered(memo), **attachments(release, memo), **release.files}, release.unkept)

    def attach(self, state: Deployment, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Attach a release's documents to its registered version; what is still missing for `governance_ready`."""
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

    def compose(self, release: Release, state: Deployment | None) -> Memo:
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

    def _standing(self, release: Release, state: Deployment | None) -> Standing:
        inputs, model = release.inputs, release.inputs.dossier.model
        standing = Standing(
            required=inputs.policy.approvals.required,
            rehearsal=latest_rehearsal(self.record, model),
            previous_check=self._previous(release),
            links=inputs.links,
            predictions_logged=_every_prediction_logged(inputs.evidence.paper, inputs.evidence.predictions),
            trades_attributed=_every_order_attributed(inputs.evidence.paper),
            is_reproducible=self._reproducible(release),
            floor=inputs.floor,
        )
        if state is None:
            return standing
        history = self.record.history(deployment_stream(state.id))
        return replace(
            standing,
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
        )

    def _previous(self, release: Release) -> PreviousCheck | None:
        header, champion = release.inputs.dossier.header, release.inputs.evidence.champion
        if self.registry is None or header.previous_version is None:
            return None
        pin = None if champion is None else champion.pin
        return checked(self.registry, _registered(release), header.previous_version, pin)

    def _reproducible(self, release: Release) -> bool | None:
        candidate = release.inputs.evidence.candidate
        if self.registry is None or candidate is None:
            return None
        return (
            candidate.git_commit is not None
            and checked(self.registry, _registered(release), candidate.version, candidate.pin).is_working
        )


def rendered(memo: Memo) -> dict[str, bytes]:
    """A memo in its three forms, with the pictures that the Markdown links to."""
    text, pictures = markdown(memo)
    return {
        "deployment_memo.md": text,
        "deployment_memo.html": html(memo),
        "deployment_memo.pdf": pdf(memo),
        **{f"assets/{name}": content for name, content in pictures.items()},
    }


def attachments(release: Release, memo: Memo) -> dict[str, bytes]:
    """The four attachments, the validation results as a page too; no paper log is a table without rows."""
    return {
        "attachments/backtest_report.pdf": backtest_report(release.assessment, memo),
        "attachments/validation_results.pdf": validation_pdf(release.assessment, release.inputs.evidence, memo),
        "attachments/validation_results.html": validation_html(release.assessment, release.inputs.evidence, memo),
        "attachments/paper_trading_logs.csv": paper_trading_logs(
            release.inputs.evidence.paper, release.assessment.paper
        ),
        "attachments/risk_matrix.xlsx": risk_matrix(release.inputs.dossier),
    }


def with_manifest(files: dict[str, bytes], unkept: Iterable[Entry] = ()) -> dict[str, bytes]:
    """The files and the manifest over all of them, and over those whose bytes are not kept."""
    return {**files, MANIFEST: manifest_of(files, unkept).to_bytes()}


def latest_rehearsal(record: Record, model: str) -> Rehearsal | None:
    """The last rollback rehearsal of a model."""
    latch = record.latch(model)
    return None if latch is None else latch.rehearsal


def _registered(release: Release) -> str:
    dossier = release.inputs.dossier
    return dossier.registered_model or dossier.model


def _every_prediction_logged(paper: PaperLog | None, predictions: Predictions | None) -> bool | None:
    """Whether each prediction of the paper period has its line in the paper log."""
    if paper is None or predictions is None or paper.timestamps.size == 0:
        return None
    inside = (predictions.timestamps >= paper.timestamps.min()) & (predictions.timestamps <= paper.timestamps.max())
    made = set(zip(predictions.timestamps[inside].tolist(), predictions.symbols[inside].tolist(), strict=True))
    logged = set(zip(paper.timestamps.tolist(), paper.symbols.tolist(), strict=True))
    return bool(made) and made <= logged


def _every_order_attributed(paper: PaperLog | None) -> bool | None:
    """Whether each order in the paper log stands on the line of a prediction of its own."""
    if paper is None or paper.quantity.size == 0:
        return None
    ordered = paper.quantity != 0
    return bool(ordered.any()) and bool(np.isfinite(paper.prediction[ordered]).all())
