"""Carries out each verb on this machine's installation. The catalogue describes the verbs."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Final

from signoff.adapters.documents import load_policy, parse_policy
from signoff.adapters.signing_keys import KeyFile
from signoff.app.approvals import APPROVED, SUBMITTED
from signoff.app.assess import submission_errors
from signoff.app.grandfather import adopt as adopt_version
from signoff.app.grandfather import adoption_statement, countersign
from signoff.app.kill import answer_within
from signoff.app.people import bind, confirm, decline, enrol, grant, invite, propose, unbind, withdraw
from signoff.app.record import Caller, Expectation
from signoff.app.review import review
from signoff.app.rollback_drill import rehearse
from signoff.app.signing import Presented, SigningPerson, deployer_prepared
from signoff.domain import decisions
from signoff.domain.decisions.adoption import Adoption
from signoff.domain.deployment import Deployment
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, SignoffError, is_fault
from signoff.domain.events import DutiesGranted, PauseReason, PersonEnrolled, RollbackCause, SubjectBound, Vote
from signoff.domain.gates.assess import Progress, silent
from signoff.domain.installation_policy import may_sign
from signoff.domain.people import Proposal
from signoff.domain.permissions import AccessRole, Permission, Principal
from signoff.domain.policy import Role
from signoff.domain.recognition import Recognition, near
from signoff.installation import Installation
from signoff.ledger.webauthn import read_vouching
from signoff.verbs.bodies import SENT
from signoff.verbs.documents import (
    AssessmentDocument,
    BoundDocument,
    ConfirmedProposalDocument,
    CountersignedDocument,
    CredentialsDocument,
    DeclinedProposalDocument,
    DutiesDocument,
    EnrolledDocument,
    InvitationDocument,
    IssuedTokenDocument,
    KilledDocument,
    LatchDocument,
    ObservedDocument,
    PeoplePage,
    ProposalDocument,
    ProposalsPage,
    RehearsedDocument,
    ReviewedDocument,
    RevokedDocument,
    StoppedManyDocument,
    TokensPage,
    ToSignDocument,
    UnboundDocument,
    assessment_document,
    credentials_document,
    killed_document,
    latch_document,
    looking_like,
    observed_document,
    person_document,
    proposal_document,
    rehearsed_document,
    reviewed_document,
    stopped_many_document,
    to_sign_document,
    token_document,
)
from signoff.verbs.looks import Looks, page_of
from signoff.verbs.policy_documents import (
    DeclinedPolicyDocument,
    PolicyDocument,
    PolicyProposalDocument,
    policy_document,
    policy_proposal_document,
)
from signoff.verbs.release_documents import ReleaseDocument, RolledBackDocument

TELLING_S: Final = 5.0
RECOGNISED_S: Final = 1.0
LEAST_KEY_ID: Final = 12
ON_A_RELEASE: Final = frozenset({Vote.APPROVE, Vote.CONDITIONAL, Vote.REJECT, Vote.OVERRIDE})
log = logging.getLogger("signoff.verbs")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAs:
    """The role and key of a person who signs here; the key in the home by default."""

    role: Role
    person: str | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignPolicyAs:
    """The person who signs for the policy; by default in the first of their roles that has a say in it."""

    role: Role | None = None
    person: str | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Local(Looks):
    """Verbs over an installation, in the name of `actor`. Signing verbs take a signatory or a `SignAs`."""

    house: Installation
    actor: str

    def at(self, deployment_id: str, revision: int | None) -> "Local":
        if revision is None:
            return self
        return Local(self.house.for_request(Caller(expected=Expectation(deployment_id, revision))), self.actor)

    def people(self, *, after: str | None = None, limit: int | None = None) -> PeoplePage:
        people = self.house.record.people()
        shown, further = page_of(people.by_name, after, limit)
        return {"people": [person_document(person, people) for person in shown], "next": further}

    def enrol(self, person: PersonEnrolled) -> EnrolledDocument:
        enrol(
            self.house.record,
            name=person.name,
            roles=person.roles,
            key_id=person.key_id,
            public_key=person.public_key,
            actor=self.actor,
            logins=person.logins,
            key_made_by=person.key_made_by,
            is_replacing=person.replaces_key,
        )
        enrolled = self.house.record.people().named(person.name)
        return {
            "name": person.name,
            "roles": list(person.roles),
            "key_id": person.key_id,
            "key_made_by": enrolled.key_made_by or None,
            "key_replaced": enrolled.key_replaced or None,
            "logins": list(enrolled.logins),
            "looks_like": list(looking_like(person.name, enrolled.logins, self.house.record.people())),
        }

    def grant(self, name: str, duties: tuple[AccessRole, ...]) -> DutiesDocument:
        grant(self.house.record, name, frozenset(duties), actor=self.actor)
        return {"name": name, "duties": sorted(self.house.record.people().named(name).duties)}

    def bind(self, name: str, *, issuer: str, subject: str) -> BoundDocument:
        bind(self.house.record, name, issuer=issuer.rstrip("/"), subject=subject, actor=self.actor)
        return {"name": name, "issuer": issuer.rstrip("/"), "subject": subject}

    def unbind(self, *, issuer: str, subject: str) -> UnboundDocument:
        unbind(self.house.record, issuer=issuer.rstrip("/"), subject=subject, actor=self.actor)
        self.house.accounts.known.forget()
        return {"unbound": subject, "issuer": issuer.rstrip("/")}

    def withdraw(self, name: str, powers: tuple[AccessRole | Role, ...], *, reason: str) -> DutiesDocument:
        withdraw(self.house.record, name, frozenset(powers), reason=reason, actor=self.actor)
        self.house.accounts.known.forget()
        return {"name": name, "duties": sorted(self.house.record.people().named(name).duties)}

    def propose(self, change: PersonEnrolled | DutiesGranted | SubjectBound) -> ProposalDocument:
        """Propose to enrol a person, to give them duties, or to let them sign in; asking again finds the open
        proposal.
        """
        return self._proposal(propose(self.house.record, change, actor=self.actor))

    def proposals(self, *, after: str | None = None, limit: int | None = None) -> ProposalsPage:
        now = self.house.clock.now()
        waiting = {p.id: p for p in self.house.record.people().proposals.values() if p.expires_at > now}
        shown, further = page_of(waiting, after, limit)
        return {"proposals": [self._proposal(proposal) for proposal in shown], "next": further}

    def confirm(self, proposal: str) -> ConfirmedProposalDocument:
        confirmed = confirm(self.house.record, proposal, actor=self.actor)
        return {**self._proposal(confirmed), "confirmed_by": self.actor}

    def decline(self, proposal: str) -> DeclinedProposalDocument:
        declined = decline(self.house.record, proposal, actor=self.actor)
        return {**self._proposal(declined), "declined_by": self.actor}

    def _proposal(self, proposal: Proposal) -> ProposalDocument:
        return proposal_document(proposal, self.house.record.people())

    def invite(self, name: str) -> InvitationDocument:
        invitation = invite(self.house.record, name, actor=self.actor)
        return {"name": invitation.name, "secret": invitation.secret}

    def issue_token(
        self,
        holder: str,
        scopes: tuple[Permission, ...],
        *,
        days: int,
        is_machine: bool,
        by: Principal | None = None,
    ) -> IssuedTokenDocument:
        accounts = self.house.accounts
        wanted = frozenset(scopes) or accounts.widest(holder, is_machine=is_machine, by=by)
        issued = accounts.issue_token(holder, scopes=wanted, actor=self.actor, by=by, days=days, is_machine=is_machine)
        return {**token_document(issued.token), "token": issued.secret}

    def tokens(self, of: str | None = None, *, after: str | None = None, limit: int | None = None) -> TokensPage:
        tokens = {token.id: token for token in self.house.record.people().tokens.values() if of in {None, token.person}}
        shown, further = page_of(tokens, after, limit)
        return {"tokens": [token_document(token) for token in shown], "next": further}

    def held_tokens(self, by: Principal, *, after: str | None = None, limit: int | None = None) -> TokensPage:
        is_any = AccessRole.ADMINISTRATOR in by.duties
        return self.tokens(None if is_any else by.name, after=after, limit=limit)

    def revoke_token(self, token: str, by: Principal | None = None) -> RevokedDocument:
        self.house.accounts.revoke_token(token, actor=self.actor, by=by)
        return {"revoked": token}

    def check(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> AssessmentDocument:
        release = self.house.assessor.assess(folder, policy, progress, seed=seed, may_be_unfinished=True)
        is_there = self.house.settings.home.is_dir()
        foreseen = self.house.approvals.foreseen(folder, release, actor=self.actor) if is_there else ()
        unsignable = self.house.approvals.unsignable(folder, release, actor=self.actor) if is_there else ()
        return assessment_document(release, foreseen, unsignable)

    def memo(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> tuple[AssessmentDocument, dict[str, bytes]]:
        release = self.house.assessor.assess(folder, policy, progress, seed=seed)
        submission_errors(release)
        progress("composing and rendering the memo", 0, 1)
        return assessment_document(release), self.house.publisher.publish(release, None).files

    def credentials(self) -> CredentialsDocument:
        person, authenticators = self.house.record.people().by_name.get(self.actor), self.house.authenticators
        credentials = () if person is None else person.credentials
        return credentials_document(self.actor, credentials, authenticators.waiting(self.actor))

    def vouch(self, key_id: str, key: Path | None = None) -> CredentialsDocument:
        waiting = self.house.authenticators.waiting(self.actor)
        statement = b"" if waiting is None else waiting.statement
        signer = KeyFile.load(key or self.house.key_path(self.actor))
        return self.vouch_with(signer.sign_statement(checked_vouching(statement, self.actor, key_id)))

    def vouch_with(self, envelope: str) -> CredentialsDocument:
        """Vouch for the waiting authenticator by an envelope that its owner signed."""
        self.house.authenticators.vouch(self.actor, envelope)
        return self.credentials()

    def withdraw_credential(self, credential: str, *, reason: str) -> CredentialsDocument:
        self.house.authenticators.withdraw(self.actor, credential, reason=reason)
        return self.credentials()

    def submit(self, folder: Path, policy: Path | None, progress: Progress = silent) -> ReleaseDocument:
        release = self.house.assessor.assess(folder, policy, progress, is_submission=True)
        progress("composing the memo and recording the submission", 0, 1)
        state = self.house.approvals.submit(folder, release, actor=self.actor)
        self.house.ledger.anchor()
        return self._released(state)

    def override(self, deployment_id: str, signing: SignAs | SigningPerson, *, reason: str) -> ReleaseDocument:
        self.house.approvals.refuse_overriding_role(deployment_id, signing.role)
        return self._released(self.house.approvals.override(deployment_id, self._signatory(signing), reason=reason))

    def to_sign(self, deployment_id: str) -> ToSignDocument:
        state = self.house.record.deployment(deployment_id)
        memo, results = self.house.approvals.to_sign(state)
        return to_sign_document(state, results, None if memo is None else str(memo))

    def approve(
        self,
        deployment_id: str,
        signing: SignAs | SigningPerson,
        *,
        conditions: tuple[str, ...] = (),
        manifest: str | None = None,
    ) -> ReleaseDocument:
        signatory = self._signatory(signing)
        return self._released(
            self.house.approvals.approve(deployment_id, signatory, conditions=conditions, manifest=manifest)
        )

    def reject(self, deployment_id: str, signing: SignAs | SigningPerson, *, reason: str) -> ReleaseDocument:
        return self._released(self.house.approvals.reject(deployment_id, self._signatory(signing), reason=reason))

    def meet(
        self, deployment_id: str, signing: SignAs | SigningPerson, *, condition: str, note: str
    ) -> ReleaseDocument:
        person = signing.person or self.house.signatory(signing.role).person
        state = self.house.approvals.meet(
            deployment_id, person=person, role=signing.role, condition=condition, note=note
        )
        return self._released(state)

    def adopt(
        self, model: str, version: str, signing: tuple[SignAs | SigningPerson, ...], *, reason: str
    ) -> ReleaseDocument:
        signatories = tuple(map(self._signatory, signing))
        return self._released(
            adopt_version(self.house.record, self._adoption(model, version, reason), signatories, self.house.registry)
        )

    def countersign(
        self, model: str, version: str, signing: SigningPerson, *, reason: str
    ) -> ReleaseDocument | CountersignedDocument:
        """One person's signature for recording a live version; the last needed signature records it."""
        adoption = self._adoption(model, version, reason)
        state = countersign(self.house.record, self.house.shelf, adoption, signing, self.house.registry)
        if state is None:
            return {"deployment": adoption.deployment, "waits_for_persons": True}
        return self._released(state)

    def adoption_statement(self, model: str, version: str, role: Role, *, reason: str) -> bytes:
        """The statement to sign to record a version that was live before Signoff came."""
        adoption = self._adoption(model, version, reason)
        return adoption_statement(self.house.record, adoption, person=self.actor, role=role)

    def statement(
        self, deployment_id: str, role: Role, verdict: Vote, *, conditions: tuple[str, ...] = (), reason: str = ""
    ) -> bytes:
        """The statement to sign, which you put into an envelope with your own key and present."""
        if verdict not in ON_A_RELEASE:
            raise BadInputError(f"Expected a verdict on a release, found {verdict.value!r}.")
        return self.house.approvals.statement(
            deployment_id, person=self.actor, role=role, verdict=verdict, conditions=conditions, reason=reason
        )

    def rearm_statement(self, model: str, role: Role, *, reason: str) -> bytes:
        """The statement to sign to arm a killed model again."""
        return self.house.kill_switch.statement(model, person=self.actor, role=role, reason=reason)

    def policy_statement(self, act: str, role: Role, *, text: str, proposal: str | None) -> bytes:
        """The statement to sign to propose a policy, or to confirm a proposal."""
        policies = self.house.policies
        if act != "confirm":
            policy = parse_policy(SENT, text.encode()).value
            return policies.proposal_statement(policy, person=self.actor, role=role)
        if proposal is None:
            raise BadInputError("Expected `proposal`, the id of the policy that is to be confirmed; found none.")
        return policies.confirmation_statement(proposal, person=self.actor, role=role)

    def start(self, deployment_id: str, key: Path | None = None) -> ReleaseDocument:
        """Enter shadow; the person who starts it signs section 12 if their key is here.

        The due notices are sent now.
        """
        signer = None
        if self.is_at_hand(key):
            signer = KeyFile.load(key or self.house.key_path(self.actor))
        try:
            state = self.house.rollout.start(deployment_id, actor=self.actor, signer=signer)
        except SignoffError:
            self._tell_in_time(self._tell)  # only a start that waits for its notices sends them
            raise
        return self._started(state)

    def start_presented(self, deployment_id: str, *, envelope: str | None = None) -> ReleaseDocument:
        """The same with a signature made elsewhere, or without one."""
        signer = None if envelope is None else Presented(envelope)
        return self._started(self.house.rollout.start(deployment_id, actor=self.actor, signer=signer))

    def _started(self, state: Deployment) -> ReleaseDocument:
        """A release that has just started; its T=0 notices are sent at once."""
        self._tell_in_time(self._tell)
        return self._released(state)

    def is_at_hand(self, key: Path | None) -> bool:
        """Whether the actor can sign here: a key was named, or the home has the key of their enrolment."""
        if key is not None:
            return True
        if not self.house.is_there or not (path := self.house.key_path(self.actor)).is_file():
            return False
        person = self.house.record.people().by_name.get(self.actor)
        return person is not None and person.key_id == KeyFile.load(path).key_id

    def start_statement(self, deployment_id: str) -> bytes:
        """The statement to sign under section 12, to be presented with the start of this rollout."""
        return deployer_prepared(self.house.record, self.house.record.deployment(deployment_id), self.actor)

    def mark_done(self, deployment_id: str, item: str, *, note: str) -> ReleaseDocument:
        record, actor = self.house.record, self.actor
        record.people().named(actor)
        after = record.decide(
            deployment_id, lambda state: decisions.notices.mark_done(state, item, actor, note), actor=actor, verb="done"
        )
        return self._released(after)

    def living_memo(self, deployment_id: str) -> tuple[ReleaseDocument, str, tuple[str, ...] | None, dict[str, bytes]]:
        approvals = self.house.approvals
        state = self.house.record.deployment(deployment_id)
        files = approvals.living_memo(state)
        editions = dict(state.editions)
        signed = next((e for e in (APPROVED, SUBMITTED) if e in editions), None)
        where = "" if signed is None else str(self.house.releases.folder(deployment_id, signed) / "deployment_memo.pdf")
        return self._released(state), where, approvals.altered(state), files

    def advance(self, deployment_id: str) -> ReleaseDocument:
        return self._released(self.house.rollout.advance(deployment_id, actor=self.actor))

    def pause(self, deployment_id: str, reason: PauseReason, *, note: str) -> ReleaseDocument:
        return self._released(self.house.rollout.pause(deployment_id, reason, note, actor=self.actor))

    def resume(self, deployment_id: str, reason: PauseReason, *, note: str) -> ReleaseDocument:
        return self._released(self.house.rollout.resume(deployment_id, reason, note, actor=self.actor))

    def rollback(self, deployment_id: str, occasion: RollbackCause, *, reason: str) -> RolledBackDocument:
        """Go back to the previous version now. A worker does and reports what remains to be sent or anchored."""
        way_back = self.house.rollback
        way_back.start(deployment_id, occasion, "person", reason, actor=self.actor)
        return self._taken_back(way_back.take_back(deployment_id, actor=self.actor))

    def attest_flat(self, deployment_id: str, *, reason: str) -> RolledBackDocument:
        return self._taken_back(self.house.rollback.take_on_trust(deployment_id, reason, actor=self.actor))

    def _taken_back(self, state: Deployment) -> RolledBackDocument:
        owed = self.house.rollback.tell(state, actor=self.actor)
        self._tell_in_time(self._tell_and_anchor)
        return {**self._released(self.house.record.deployment(state.id)), "memo_owed_because": owed}

    def _tell_in_time(self, tell: Callable[[], None]) -> None:
        telling = Thread(target=tell, daemon=True)
        telling.start()
        telling.join(TELLING_S)  # a slow messenger must not delay a rollback or a start

    def _tell(self) -> None:
        self._carefully(self.house.deliver_notices)

    def _tell_and_anchor(self) -> None:
        self._carefully(self.house.deliver_notices, self.house.ledger.anchor)

    def _carefully(self, *acts: Callable[[], object]) -> None:
        for act in acts:
            try:
                act()
            except BaseException as error:
                if not is_fault(error):
                    raise
                log.warning("left to the worker", exc_info=error)

    def kill(self, model: str, *, reason: str) -> KilledDocument:
        """Stop trading a model now; then say whether it is known here, if the ledger answers in time."""
        switch = self.house.kill_switch
        stopped = switch.kill(model, reason=reason, actor=self.actor)
        recognition = answer_within(lambda: switch.record.recognised(model), RECOGNISED_S)
        return killed_document(stopped, recognition or Recognition())

    def kill_many(self, *, reason: str, desk: str | None = None) -> StoppedManyDocument:
        return stopped_many_document(self.house.kill_switch.kill_many(reason=reason, actor=self.actor, desk=desk))

    def rearm(self, model: str, signing: SignAs | SigningPerson, *, reason: str) -> LatchDocument:
        return latch_document(self.house.kill_switch.rearm(model, self._signatory(signing), reason=reason))

    def rehearse(self, model: str, folder: Path | None = None) -> RehearsedDocument:
        house = self.house
        planned = [d for d in house.record.deployments(model) if d.undertakings is not None]
        if folder is not None:
            inputs = house.assessor.inputs(folder)
            policy, undertakings = inputs.policy, inputs.dossier.undertakings
            registered = inputs.dossier.registered_model
        elif planned and planned[-1].undertakings is not None:
            policy, undertakings = planned[-1].policy, planned[-1].undertakings
            registered = planned[-1].registered_model
        else:
            nearest = near(model, house.record.models())
            raise NotFoundError(
                f"Expected a release of {model} on record or --dossier DIR, found neither; models on record: {nearest}."
            )
        result = rehearse(
            house.record,
            house.stage(),
            model=model,
            policy=policy,
            undertakings=undertakings,
            actor=self.actor,
            registered_model=registered,
        )
        return rehearsed_document(model, result, policy)

    def observe(self, deployment_id: str, session: date | None = None) -> ObservedDocument:
        model = self.house.record.deployment(deployment_id).model
        state, observed = self.house.watch(model).observe(deployment_id, session, actor=self.actor)
        return observed_document(state, observed)

    def not_held(self, deployment_id: str, session: date, *, reason: str) -> ReleaseDocument:
        watch = self.house.watch(self.house.record.deployment(deployment_id).model)
        return self._released(watch.declare_not_held(deployment_id, session, reason, actor=self.actor))

    def review(self, deployment_id: str, *, notes: str) -> ReviewedDocument:
        model = self.house.record.deployment(deployment_id).model
        result = review(self.house.record, self.house.watch(model), deployment_id, notes=notes, actor=self.actor)
        return reviewed_document(deployment_id, result, self.house.clock.now().date())

    def post_mortem(self, deployment_id: str, *, notes: str, root_cause: str = "") -> ReleaseDocument:
        procedure = self.house.rollback
        return self._released(procedure.hold_post_mortem(deployment_id, notes, actor=self.actor, root_cause=root_cause))

    def export(self) -> dict[str, bytes]:
        return self.house.ledger.export()

    def export_pieces(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        return self.house.ledger.export_pieces()

    def _signatory(self, signing: SignAs | SigningPerson) -> SigningPerson:
        if isinstance(signing, SigningPerson):
            return signing
        return self.house.signatory(signing.role, signing.person, signing.key)

    def policy(self) -> PolicyDocument:
        policies = self.house.policies
        return policy_document(policies.standing(), policies.versions())

    def propose_policy(self, file: Path, signing: SignPolicyAs | SigningPerson) -> PolicyProposalDocument:
        return self.propose_policy_text(file, load_policy(file).content, signing)

    def propose_policy_text(
        self, name: Path, text: bytes, signing: SignPolicyAs | SigningPerson
    ) -> PolicyProposalDocument:
        """The same from the file's bytes; `name` names them in messages."""
        policy = parse_policy(name, text).value
        proposal = self.house.policies.propose(policy, self._policy_signatory(signing, Permission.PROPOSE_POLICY))
        return policy_proposal_document(proposal, self.house.policies.standing())

    def confirm_policy(self, proposal: str | None, signing: SignPolicyAs | SigningPerson) -> PolicyDocument:
        policies = self.house.policies
        proposal_id = proposal or only_open([open_proposal.id for open_proposal in policies.standing().proposals])
        policies.confirm(proposal_id, self._policy_signatory(signing, Permission.CONFIRM_POLICY))
        return self.policy()

    def decline_policy(self, proposal: str) -> DeclinedPolicyDocument:
        status = self.house.policies.standing()
        declined = self.house.policies.decline(proposal, actor=self.actor)
        return {**policy_proposal_document(declined, status), "declined_by": self.actor}

    def _policy_signatory(self, signing: SignPolicyAs | SigningPerson, verb: Permission) -> SigningPerson:
        if isinstance(signing, SigningPerson):
            return signing
        role, person = signing.role, signing.person
        if role is None:
            if person is None:
                raise BadInputError("Expected the person who signs, found none. Name them with --as NAME, or a --role.")
            role = policy_role(person, self.house.record.people().named(person).roles, verb)
        return self.house.signatory(role, person, signing.key)

    def _adoption(self, model: str, version: str, reason: str) -> Adoption:
        policy = self.house.policies.in_force().policy
        return Adoption(model=model, version=version, policy=policy, reason=reason)


def policy_role(person: str, roles_held: Iterable[Role], verb: Permission) -> Role:
    """The first role of a person that has a say in the policy."""
    roles = tuple(roles_held)
    able = next((role for role in roles if may_sign(role, verb)), None)
    if able is None:
        listed = ", ".join(role.value for role in roles) or "no role"
        raise RefusedError(
            f"{person} holds {listed}. The policy is changed by two of risk_manager, compliance, head_of_trading and "
            "cto; let one of them sign."
        )
    return able


def only_open(proposals: list[str]) -> str:
    """The only open proposal; refused if there are none or several."""
    if len(proposals) != 1:
        listed = ", ".join(proposals) or "none"
        raise BadInputError(
            f"Expected the id of a policy proposal, since there is not exactly one; open are: {listed}. `signoff "
            "policy show` says what each would change."
        )
    return proposals[0]


def checked_vouching(statement: bytes, person: str, key_id: str) -> bytes:
    """Refuse a statement unless it vouches for this person's own authenticator with the key id that they saw.

    An operator could substitute another one; the person saw the key id in the browser that created it.
    """
    if len(key_id) < LEAST_KEY_ID:
        raise BadInputError(
            f"Expected the key id as the browser showed it, {LEAST_KEY_ID} digits at least: {key_id!r}."
        )
    if not statement:
        raise NotFoundError(f"No authenticator of {person} waits to be vouched for; make one at /credentials.")
    name, credential = read_vouching(statement)
    if name != person or not credential.key_id.startswith(key_id.lower()):
        raise RefusedError(
            f"What waits is an authenticator of {name} with the key id {credential.key_id[:16]}…, and you were to "
            f"vouch for {key_id} of {person}. Nothing was signed; if the browser showed you that id, tell "
            "the operators."
        )
    return statement
