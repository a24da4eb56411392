"""The approval round: submit, override, approve, reject, clear a condition.

Each request reads the files again. A byte that differs from the manifest voids every signature.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from signoff.app.assess import (
    ASSESSMENT,
    ENVIRONMENT,
    AssessedRelease,
    Assessor,
    KeptVersions,
    as_kept,
    refusals,
    submission_errors,
    unbound,
)
from signoff.app.assess import EarlierValidation as Fixed
from signoff.app.authorship import independence
from signoff.app.bound import checked, refuse_other_bytes
from signoff.app.held import profile_of
from signoff.app.notices import before_deployment
from signoff.app.objections import unrehearsed, unsigned
from signoff.app.package import MANIFEST, Publisher
from signoff.app.record import POLICY, Record, StreamChange, decided_again, deployment_stream
from signoff.app.signing import SigningPerson, prepare, sign
from signoff.domain import decisions
from signoff.domain.artifacts import BEFORE_BINDING, NO_REGISTRY, Pin
from signoff.domain.commitments import DeploymentType
from signoff.domain.conflict_of_interest import Independence
from signoff.domain.deployment import LIVE, SIGNED, Deployment, State
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.events import (
    AnyEvent,
    ApprovalsVoided,
    Approved,
    GateResult,
    MemoIssued,
    Opened,
    Validated,
    Vote,
)
from signoff.domain.policy import Role
from signoff.domain.rollback_drill import Rehearsal
from signoff.domain.signatories import unsignable
from signoff.domain.statement import Decision
from signoff.ledger.manifest import ARTIFACTS, differences, parse
from signoff.ports.commits import Commits
from signoff.ports.releases import Releases
from signoff.ports.store import Effect

INPUTS = "assessed"
SUBMITTED = "submitted"
BEFORE_ROLLOUT = SIGNED | {State.VALIDATED}
APPROVED = "approved"
# The first two events of a release are Opened and Validated.
BEGINNING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRound:
    """From a submitted folder to an approved or rejected release."""

    record: Record
    releases: Releases
    publisher: Publisher
    assessor: Assessor
    commits: Commits

    def submit(self, folder: Path, release: AssessedRelease, *, actor: str) -> Deployment:
        """Open a release, record its validation, and issue the memo for signature.

        No memo is issued while a gate blocks or the rehearsal is missing; submit again after the override or the
        rehearsal. The id is derived from the files, so a repeated or interrupted submission continues where it stopped.
        """
        submission_errors(release)
        deployment_id = release.identity
        decided_again(lambda: self._open(deployment_id, folder, release, actor=actor))
        state = self.record.deployment(deployment_id)
        if release.package.digest != state.package:  # submitted before, with another seed of the replay
            first = self.reassessed(state)
            decisions.submission.same_leaks(state, first.inputs.evidence.pit, release.inputs.evidence.pit)
            release = first
        return self._issue_if_free(state, release, actor=actor)

    def foreseen(self, folder: Path, release: AssessedRelease, *, actor: str) -> tuple[str, ...]:
        """The reasons why a submission of this release would be refused today; nothing is recorded."""
        asked: tuple[Callable[[], object], ...] = (
            lambda: decisions.submission.foreseen_policy(release.inputs.floor, self.assessor.in_force().floor),
            lambda: independence(self.record, self.commits, folder, release, actor=actor),
            lambda: _champion_checked(self.record, release),
        )
        try:
            if self.record.find(release.identity) is not None:
                return refusals(release)
        except SignoffError as error:
            return (*refusals(release), f"the record cannot be read: {error}")
        return (*refusals(release), *(refusal for ask in asked if (refusal := _refused(ask))))

    def refuse_overriding_role(self, deployment_id: str, role: Role) -> None:
        """Refuse a role that may not override; it is checked before a key is asked for."""
        decisions.approvals.overriding_role(self.record.deployment(deployment_id), role)

    def unsignable(self, folder: Path, release: AssessedRelease, *, actor: str) -> tuple[str, ...]:
        """The roles without a possible signatory if `actor` submitted this release today; nothing is recorded."""
        try:
            conflicts = independence(self.record, self.commits, folder, release, actor=actor)
            people = self.record.people().by_name.values()
        except SignoffError:  # `foreseen` returns this error
            return ()
        return unsignable(release.inputs.policy.approvals.required, people, conflicts.barred, conflicts.grounds)

    def unsigned(self, state: Deployment) -> tuple[str, ...]:
        """The open roles of a release that no enrolled person can sign in."""
        return unsigned(self.record, state)

    def _open(self, deployment_id: str, folder: Path, release: AssessedRelease, *, actor: str) -> None:
        """Record the release once; of two releases that are opened at the same time, one is refused.

        The two share no stream. They share the idempotency key, which numbers the releases of a model.
        """
        if self.record.find(deployment_id) is not None:
            return
        in_force = self.assessor.in_force()
        decisions.submission.under_the_policy_in_force(release.inputs.floor, in_force.floor)
        conflicts = independence(self.record, self.commits, folder, release, actor=actor)
        opened = replace(_opened(self.record, release, deployment_id, actor, conflicts), floor=in_force.floor)
        if opened.deployment_type is DeploymentType.ROLLBACK:
            self._works(opened)
        self._keep(deployment_id, INPUTS, release.files)
        self.record.store.put_blob(release.package.to_bytes())
        self.releases.remember_origin(deployment_id, folder, release.inputs.files)
        validated = _validated(self.record, self.assessor, release)
        self.record.commit(
            StreamChange(stream=deployment_stream(deployment_id), state=None, events=(opened, validated)),
            actor=actor,
            key=opening_key(self.record, opened.model),
            unchanged=((POLICY, in_force.revision),),
        )

    def _works(self, opened: Opened) -> None:
        """Refuse a rollback deployment whose version does not load and run today."""
        registry, name = self.publisher.registry, opened.registered_model or opened.model
        before = _live_before(self.record, opened)
        check = None if registry is None else checked(registry, name, opened.version, before)
        decisions.submission.redeployable(opened.model, opened.version, check)

    def override(self, deployment_id: str, signatory: SigningPerson, *, reason: str) -> Deployment:
        """Sign an override of the gates that block; the last signature needed issues the memo."""
        state = self.record.deployment(deployment_id)
        decisions.approvals.independent(state, self.record.people().named(signatory.person))
        release = self.reassessed(state)
        now = self.record.now()
        if not (state.state is State.VALIDATED and state.blocking and state.is_free_at(now)):
            signature = sign(
                self.record, _decision(state, Vote.OVERRIDE, state.package or "", reason=reason), signatory
            )
            if decisions.approvals.stands(signature, state.overrides_at(now)) and state.state in BEFORE_ROLLOUT:
                return self._issue_if_free(state, release, actor=signatory.person)
            self.record.decide(
                deployment_id,
                lambda present: decisions.approvals.sign_override(present, signature, now),
                actor=signatory.person,
                verb=f"override:{signatory.role}",
            )
        return self._issue_if_free(self.record.deployment(deployment_id), release, actor=signatory.person)

    def to_sign(self, state: Deployment) -> tuple[Path | None, tuple[GateResult, ...]]:
        """The path of the memo that approvals sign, and the gates' results at validation."""
        memo = self.releases.folder(state.id, SUBMITTED) / "deployment_memo.pdf"
        history = self.record.told({deployment_stream(state.id)}, limit=BEGINNING)
        results = [recorded.event.results for _, recorded in history if isinstance(recorded.event, Validated)]
        return memo if memo.is_file() else None, results[-1] if results else ()

    def approve(
        self,
        deployment_id: str,
        signatory: SigningPerson,
        *,
        conditions: tuple[str, ...] = (),
        manifest: str | None = None,
    ) -> Deployment:
        """Sign the manifest in a role, with or without conditions. Signing the same again changes nothing.

        `manifest` is the one that the person was shown. If it is no longer the release's, the signature is refused.
        """
        state = self.record.deployment(deployment_id)
        decisions.approvals.independent(state, self.record.people().named(signatory.person))
        package = self.package(state)
        if state.state in SIGNED and state.approvals and package.changed:
            voided = ApprovalsVoided(changed=package.changed)
            self.record.append(state, (voided,), actor=signatory.person, key=f"void:{deployment_id}:{state.revision}")
            state = self.record.deployment(deployment_id)
        verdict = Vote.CONDITIONAL if conditions else Vote.APPROVE
        signature = sign(
            self.record, _decision(state, verdict, manifest or state.manifest or "", conditions=conditions), signatory
        )
        again: list[AssessedRelease] = []

        def decide(present: Deployment) -> tuple[AnyEvent, ...]:
            events = decisions.approvals.approve(
                present, signature, package, self._rehearsal(present), self.record.now()
            )
            if not again and any(isinstance(event, Approved) for event in events):
                again.append(self._drawn_again(present))
            return events

        if not (
            state.state in SIGNED | LIVE
            and not package.changed
            and decisions.approvals.stands(signature, state.approvals)
        ):
            self.record.decide(
                deployment_id, decide, actor=signatory.person, verb=f"approve:{signatory.role}", effects=self._announced
            )
        state = self.record.deployment(deployment_id)
        if state.state is State.APPROVED:
            self.publish_approved(state, actor=signatory.person, release=next(iter(again), None))
        return self.record.deployment(deployment_id)

    def statement(
        self,
        deployment_id: str,
        *,
        person: str,
        role: Role,
        verdict: Vote,
        conditions: tuple[str, ...] = (),
        reason: str = "",
    ) -> bytes:
        """The statement that this person has to sign, for those who sign elsewhere and present the envelope."""
        state = self.record.deployment(deployment_id)
        if verdict is Vote.OVERRIDE:
            self.refuse_overriding_role(deployment_id, role)
        if verdict is not Vote.REJECT:
            decisions.approvals.independent(state, self.record.people().named(person))
        subject = {
            Vote.OVERRIDE: state.package,
            Vote.REJECT: state.manifest or state.package,
        }.get(verdict, state.manifest)
        decision = _decision(state, verdict, subject or "", conditions=conditions, reason=reason)
        return prepare(self.record, decision, person=person, role=role)

    def reject(self, deployment_id: str, signatory: SigningPerson, *, reason: str) -> Deployment:
        """Reject a release before its rollout; a rejection is final."""
        state = self.record.deployment(deployment_id)
        subject = state.manifest or state.package or ""
        signature = sign(self.record, _decision(state, Vote.REJECT, subject, reason=reason), signatory)
        if state.rejection is not None and decisions.approvals.stands(signature, (state.rejection,)):
            return state
        return self.record.decide(
            deployment_id,
            lambda now: decisions.approvals.reject(now, signature),
            actor=signatory.person,
            verb=f"reject:{signatory.role}",
        )

    def meet(self, deployment_id: str, *, person: str, role: Role, condition: str, note: str) -> Deployment:
        """Clear a condition that this role set."""
        self.record.people().holding(person, role)
        return self.record.decide(
            deployment_id,
            lambda now: decisions.approvals.meet_condition(now, role, condition, person, note),
            actor=person,
            verb=f"meet:{role}",
        )

    def publish_approved(self, state: Deployment, *, actor: str, release: AssessedRelease | None = None) -> Path:
        """Write the approved edition of the memo, with every signature, beside the edition that was signed."""
        self.publisher.attach(state, self.releases.read(state.id, SUBMITTED))
        release = release or self.reassessed(state)
        edition = self.publisher.publish(release, state)
        self.publisher.attach(state, edition.files)
        folder = self._keep(state.id, APPROVED, edition.files)
        digest = parse(edition.files[MANIFEST]).digest
        if (APPROVED, digest) not in state.editions:
            events = (MemoIssued(edition=APPROVED, manifest=digest, certified=edition.certified),)
            self.record.append(state, events, actor=actor, key=f"edition:{state.id}:{digest}")
        return folder

    def reassessed(self, state: Deployment) -> AssessedRelease:
        """Assess the submitted inputs again; refuse other bytes and other figures."""
        refuse_other_bytes(self.publisher.registry, state)
        return self._repeated(state, self._fixed(state))

    def living_memo(self, state: Deployment) -> dict[str, bytes]:
        """The living memo; without the registry, it uses the versions kept at validation."""
        try:
            release, unreached = self.reassessed(state), ""
        except SignoffError as error:
            try:
                release = self._repeated(state, replace(self._fixed(state), kept=self._versions(state)))
            except (SignoffError, KeyError, ValueError, TypeError):
                raise error from None
            is_away = self.publisher.registry is None or isinstance(error, UnavailableError)
            unreached = f"registry not reachable{'' if is_away else ', or not as validated'}: {error}"
        return self.publisher.living(release, state, unreached=unreached)

    def altered(self, state: Deployment, editions: Iterable[str] = (APPROVED, SUBMITTED)) -> tuple[str, ...]:
        """Files of these editions that differ from the issued ones, or are missing."""
        issued = dict(state.editions)
        return tuple(
            f"{edition}/{path}"
            for edition in editions
            if edition in issued
            for path in self._altered(state.id, edition, issued[edition])
        )

    def _altered(self, deployment_id: str, edition: str, manifest: str) -> tuple[str, ...]:
        try:
            files = dict(self.releases.read(deployment_id, edition))
            issued = self.record.store.blob(manifest)
        except (SignoffError, OSError) as error:
            return (f"{MANIFEST} (cannot be compared: {error})",)
        listed = files.pop(MANIFEST, b"")
        changed = differences(parse(issued), files) + ((MANIFEST,) if listed != issued else ())
        here = {*files, *((MANIFEST,) if listed else ())}
        return tuple(path if path in here else f"{path} (missing)" for path in changed)

    def _repeated(self, state: Deployment, fixed: Fixed) -> AssessedRelease:
        folder = self.releases.folder(state.id, INPUTS) / "inputs"
        release = self.assessor.assess(folder, folder / "policy.yaml", seed=state.replay_seed, validated=fixed)
        if release.package.digest != state.package:
            validated = parse(self.record.store.blob(state.package or ""))
            changed = differences(validated, release.files)
            decisions.submission.refuse_other_files(state, changed, has_registry=self.publisher.registry is not None)
        return release

    def _versions(self, state: Deployment) -> KeptVersions:
        """The registry's versions at validation, from the kept files."""
        blob = self.record.store.blob
        entries = {entry.path: entry for entry in parse(blob(state.package or "")).entries}
        versions = json.loads(blob(entries[ASSESSMENT].sha256))["registry"]
        contents = {
            path.removeprefix(ARTIFACTS): blob(entry.sha256)
            for path, entry in entries.items()
            if path.startswith(ARTIFACTS) and entry.is_kept
        }
        name = state.registry_name
        return KeptVersions(
            has_registry=state.unbound != NO_REGISTRY,
            candidate=as_kept(versions["candidate"], name, state.bound, contents),
            champion=as_kept(versions["champion"], name, state.bound_previous, {}),
        )

    def _fixed(self, state: Deployment) -> Fixed:
        """What the validation recorded: the pins, and the environment of the replay."""
        if state.unbound == BEFORE_BINDING:
            return Fixed(binds=False)
        entries = parse(self.record.store.blob(state.package or "")).entries
        sha256 = next((entry.sha256 for entry in entries if entry.path == ENVIRONMENT), None)
        environment = None if sha256 is None else self.record.store.blob(sha256)
        return Fixed(bound=state.bound, bound_previous=state.bound_previous, environment=environment)

    def _drawn_again(self, state: Deployment) -> AssessedRelease:
        """Replay the features on other dates, refuse other leaks, and return the release as validated.

        The author of the features may know the dates of the first replay, and cannot know those of the second.
        """
        release = self.reassessed(state)
        second = self.assessor.drawn_again(self.releases.folder(state.id, INPUTS) / "inputs", release)
        decisions.submission.same_leaks(state, release.inputs.evidence.pit, second)
        return release

    def package(self, state: Deployment) -> decisions.guards.Package:
        """How the files on disk differ from the signed ones; before the rollout, the submitted folder too."""
        if state.manifest is None:
            return decisions.guards.Package(manifest="", changed=(MANIFEST,))
        files = dict(self.releases.read(state.id, SUBMITTED))
        on_disk = files.pop(MANIFEST, b"")
        signed = self.record.store.blob(state.manifest)
        changed = differences(parse(signed), files) + ((MANIFEST,) if on_disk != signed else ())
        if state.state not in LIVE:
            changed += self._changed_at_origin(state, files)
        return decisions.guards.Package(manifest=state.manifest, changed=changed)

    def _changed_at_origin(self, state: Deployment, files: dict[str, bytes]) -> tuple[str, ...]:
        origin = self.releases.origin(state.id) or {}
        return tuple(
            f"{name} in the submitted folder"
            for name, content in origin.items()
            if files.get(f"inputs/{name}") != content
        )

    def _issue_if_free(self, state: Deployment, release: AssessedRelease, *, actor: str) -> Deployment:
        if state.state is not State.VALIDATED or not state.is_free_at(self.record.now()):
            return state
        if self.unrehearsed(state):
            return state
        files = self.publisher.publish(release, state).files
        self._keep(state.id, SUBMITTED, files)
        digest = parse(files[MANIFEST]).digest
        asked = decisions.approvals.request_approval(state, digest, self._rehearsal(state), self.record.now())
        events = (*asked, MemoIssued(edition=SUBMITTED, manifest=digest))
        self.record.append(state, events, actor=actor, key=f"issue:{state.id}:{digest}")
        return self.record.deployment(state.id)

    def unrehearsed(self, state: Deployment) -> tuple[str, ...]:
        """Why the model's last rehearsal does not count for this release; empty when it does."""
        return unrehearsed(self.record, state)

    def _rehearsal(self, state: Deployment) -> Rehearsal | None:
        latch = self.record.latch(state.model)
        return None if latch is None else latch.rehearsal

    def _keep(self, deployment_id: str, edition: str, files: Mapping[str, bytes]) -> Path:
        for content in files.values():
            self.record.store.put_blob(content)
        return self.releases.write(deployment_id, edition, files)

    def _announced(self, state: Deployment, events: tuple[AnyEvent, ...]) -> tuple[Effect, ...]:
        """The notices of T-24h, sent with the last signature needed."""
        is_last = any(isinstance(event, Approved) for event in events)
        return before_deployment(state, self.record.now()) if is_last else ()


def _decision(
    state: Deployment, verdict: Vote, subject: str, *, conditions: tuple[str, ...] = (), reason: str = ""
) -> Decision:
    return Decision(
        verdict=verdict,
        subject=subject,
        model=state.model,
        version=state.version,
        deployment=state.id,
        policy=state.policy,
        conditions=conditions,
        reason=reason,
    )


def _validated(record: Record, assessor: Assessor, release: AssessedRelease) -> Validated:
    """The validation to be recorded, with the pins of the validated version and of the one it falls back to."""
    candidate, champion = release.inputs.evidence.candidate, release.inputs.evidence.champion
    bound = None if candidate is None else candidate.pin
    bound_previous = None if champion is None else champion.pin
    live = next((d for d in record.deployments(release.inputs.dossier.model) if d.state is State.FULL), None)
    bound_previous = decisions.submission.falls_back_to(live, bound_previous)
    return Validated(
        results=_results(release),
        package=release.package.digest,
        replay_seed=release.replay_seed,
        bound=bound,
        bound_previous=bound_previous,
        unbound=unbound(assessor.registry, release),
        profile=profile_of(release.inputs.evidence),
    )


def _live_before(record: Record, opened: Opened) -> Pin | None:
    """The pin of the version's last bound release, None without one."""
    mine = [d for d in record.deployments(opened.model) if d.version == opened.version and d.bound is not None]
    return mine[-1].bound if mine else None


def opening_key(record: Record, model: str) -> str:
    """The idempotency key of a model's next release."""
    return f"open:{model}:{len(record.deployments(model))}"


def _refused(ask: Callable[[], object]) -> str:
    """The message of the SignoffError that `ask` raises, "" if it raises none."""
    try:
        ask()
    except SignoffError as error:
        return str(error)
    return ""


def _opened(
    record: Record, release: AssessedRelease, deployment_id: str, actor: str, conflicts: Independence
) -> Opened:
    dossier = release.inputs.dossier
    header = dossier.header
    champion = _champion_checked(record, release)
    return Opened(
        deployment=deployment_id,
        model=header.model,
        version=header.version,
        previous_version=header.previous_version,
        previous_deployment=champion.id if champion else None,
        deployment_type=header.deployment_type,
        submitted_by=actor,
        barred=conflicts.barred,
        policy=release.inputs.policy,
        undertakings=dossier.undertakings,
        dossier_digest=release.package.digest,
        registered_model=dossier.registered_model,
        grounds=conflicts.grounds,
        unread=(*conflicts.unread, *conflicts.unnamed),
        desk=header.desk,
    )


def _champion_checked(record: Record, release: AssessedRelease) -> Deployment | None:
    header = release.inputs.dossier.header
    return decisions.submission.champion_of(header, record.deployments(header.model))


def _results(release: AssessedRelease) -> tuple[GateResult, ...]:
    def finite(value: float | None) -> float | None:
        return value if value is not None and abs(value) < float("inf") else None

    return tuple(
        GateResult(
            key=f.key,
            outcome=f.outcome,
            is_blocking=f.is_blocking,
            statistic=finite(f.statistic.value),
            threshold=finite(f.threshold.value),
            n=f.n,
            is_near_miss=f.is_near_miss,
        )
        for f in release.assessment.findings
    )
