"""Every verb in one table: its request, its arguments, its answer, and the permission that it needs.

A verb of `Verbs` is declared once, with its signature, its words and its row. `Local` carries it out. `Remote` inherits
the plain ones: their arguments go into the path, the query or the body. The server's routes are generated from the
same rows. A route `is_by_hand` if it takes an archive, streams, or signs in its own way; its row then gives its path
and permission, and a test compares the two.
"""

# ruff: noqa: ARG002 - the bodies of plain verbs never run
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from enum import Enum, auto
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeVar, cast, get_type_hints

from pydantic import Field

from signoff.domain.deployment import State
from signoff.domain.events import PauseReason, PersonEnrolled, RollbackCause
from signoff.domain.gates.assess import Progress, silent
from signoff.domain.permissions import NEEDS_FRESH_SIGN_IN, AccessRole, Permission
from signoff.domain.policy import Role
from signoff.verbs import bodies, documents, release_documents
from signoff.verbs.bodies import Body, Limit, Name
from signoff.verbs.documents import IssuedTokenDocument
from signoff.verbs.local import Local, SignAs, SignPolicyAs
from signoff.verbs.looks import PAGE
from signoff.verbs.policy_documents import DeclinedPolicyDocument, PolicyDocument
from signoff.verbs.release_documents import Document

F = TypeVar("F", bound=Callable[..., Any])
Query = Mapping[str, tuple[Any, object]]
PAGED: Final[Query] = {"after": (Name | None, None), "limit": (Limit, PAGE)}
OF_RELEASES: Final[Query] = {"model": (Name | None, None), "state": (State | None, None), **PAGED}
OF_FLAGS: Final[Query] = {"version": (Name | None, None)}
OF_HISTORY: Final[Query] = {"after": (Annotated[int, Field(ge=0, le=2**31 - 1)], 0), "limit": (Limit, PAGE)}


class Basis(Enum):
    """The part of a request that a verb's ledger entry uses: nothing, its idempotency key, or also the revision."""

    NOTHING = auto()
    KEY = auto()
    REVISION = auto()


# Fields that several rows share, or that make a row too long for one line.
Fields = dict[str, Any]
BY_HAND: Final[Fields] = {"is_by_hand": True}
ROLLOUT: Final[Fields] = {"tag": "rollout", "basis": Basis.REVISION}
STARTED: Final[Fields] = ROLLOUT | {"body": bodies.StartRequest, "is_body_optional": True}
LEAVING: Final[Fields] = ROLLOUT | {"is_leaving": True}
STATEMENT: Final[Fields] = {"body": bodies.StatementRequest}
SIGNATURES: Final[Fields] = {"tag": "signatures", "basis": Basis.REVISION}
SIGNED: Final[Fields] = SIGNATURES | {"is_signed": True}
ARMED: Final[Fields] = {"tag": "kill", "body": bodies.RearmRequest, "basis": Basis.KEY, "is_signed": True}
ADOPTED: Final[Fields] = {"tag": "signatures", "body": bodies.AdoptionRequest, "is_signed": True}
ADOPTION: Final[Fields] = {"tag": "signatures", "body": bodies.AdoptionStatementRequest}
VOUCHED: Final[Fields] = {"tag": "authenticators", "body": bodies.VoucherRequest}
PROPOSED: Final[Fields] = {"tag": "people", "body": bodies.ProposalRequest, "status": 201}
SECRET: Final[Fields] = {"tag": "people", "is_repeatable": False}
HELD: Final[Fields] = SECRET | {"name": "held_tokens"}
POLICY: Final[Fields] = {"tag": "policy"}
OF_POLICY: Final[Fields] = POLICY | {"body": bodies.PolicyStatementRequest}
POLICY_SIGNED: Final[Fields] = POLICY | {"basis": Basis.KEY, "is_signed": True}
POLICY_CONFIRMED: Final[Fields] = POLICY_SIGNED | {"body": bodies.PolicyConfirmationRequest}
POLICY_PROPOSED: Final[Fields] = POLICY_SIGNED | {"body": bodies.PolicyProposalRequest, "status": 201}


class UnwrittenError(AssertionError):
    """Raised by the body of a plain verb, which never runs: `plain` replaces it with the request."""


@dataclass(frozen=True, slots=True)
class Row:
    """One verb over HTTP. `carry_out` is the function of `Local` that a generated route calls.

    `query` gives the type and the default of each parameter; `listed` is the key of a list that comes in pages and is
    read to its end. `is_repeatable` means that an answer may be stored for its idempotency key; `is_leaving` that the
    verb takes risk away and waits for no other request; `is_signed` that the body has an envelope; `is_tagged` that the
    answer's revision is its entity tag.
    """

    permission: Permission
    method: str
    path: str
    _: KW_ONLY
    tag: str = ""
    carry_out: Callable[..., Any] | None = None
    name: str = ""
    says: str = ""
    body: type[Body] | None = None
    is_body_optional: bool = False
    query: Query = field(default_factory=dict)
    listed: str | None = None
    status: int = 200
    basis: Basis = Basis.NOTHING
    is_leaving: bool = False
    is_repeatable: bool = True
    is_signed: bool = False
    is_tagged: bool = False
    is_by_hand: bool = False

    @property
    def answer(self) -> Any:  # noqa: ANN401 - a TypedDict is no type to `type`
        """The type of the verb's document."""
        return None if self.carry_out is None else get_type_hints(self.carry_out)["return"]

    @property
    def needs_fresh_sign_in(self) -> bool:
        """Whether the verb needs a recent sign-in."""
        return self.permission in NEEDS_FRESH_SIGN_IN

    @property
    def named_in_path(self) -> tuple[str, ...]:
        """The parameters in the path."""
        return tuple(re.findall(r"{(\w+)", self.path))


def plain(permission: Permission, asked: str, **further: Any) -> Callable[[F], F]:  # noqa: ANN401 - the fields of a row
    """Declare a verb that subclasses request with its arguments alone; the server supplies defaults."""

    def declare(declared: F) -> F:
        row, signature = _row(declared, permission, asked, further), inspect.signature(declared)
        usual = {name: parameter.default for name, parameter in signature.parameters.items()}

        @wraps(declared)
        def ask(self: Any, *arguments: object, **named: object) -> object:  # noqa: ANN401 - Remote, which knows this room
            bound = signature.bind(None, *arguments, **named).arguments
            return self.ask(row, **{name: value for name, value in bound.items() if value not in (None, usual[name])})

        return cast("F", _with(ask, row))

    return declare


def routed(permission: Permission, asked: str, **further: Any) -> Callable[[F], F]:  # noqa: ANN401 - the fields of a row
    """Declare a verb that each face carries out in its own way."""
    return lambda declared: _with(declared, _row(declared, permission, asked, further))


def _row(declared: Callable[..., Any], permission: Permission, asked: str, further: Mapping[str, Any]) -> Row:
    method, path = asked.split()
    name = declared.__name__
    says = (inspect.getdoc(declared) or "").partition("\n\n")[0].replace("\n", " ")
    usual = {"name": name, "says": says, "carry_out": getattr(Local, name, None)}
    return Row(permission, method, path, **{**usual, **further})


def _with(function: F, row: Row) -> F:
    function.row = row  # type: ignore[attr-defined]
    return function


class Verbs(Protocol):
    """Every verb of an installation, here or at a server.

    The first paragraph of a verb's words describes its route.
    """

    def at(self, deployment_id: str, revision: int | None) -> "Verbs":
        """The same verbs, refused where the release has moved on from this revision."""

    @plain(Permission.READ, "GET /people", tag="people", query=PAGED, listed="people")
    def people(self) -> documents.PeoplePage:
        """The people with their roles, access roles and binding to the identity provider; a page at a time, by name."""
        raise UnwrittenError

    def enrol(self, person: PersonEnrolled) -> Document:
        """Let a person sign in these roles with this public key; a server takes it as a proposal.

        A key in use is replaced only where `replaces_key` says that this is meant.
        """

    def grant(self, name: str, duties: tuple[AccessRole, ...]) -> Document:
        """Give a person duties beside those of their roles; a server takes it as a proposal."""

    def bind(self, name: str, *, issuer: str, subject: str) -> Document:
        """Bind a person to this identity of the provider; a server takes it as a proposal."""

    @plain(Permission.ENROL, "POST /unbindings", tag="people", body=bodies.UnbindingRequest)
    def unbind(self, *, issuer: str, subject: str) -> documents.UnboundDocument:
        """End the sign-in of an identity of the provider."""
        raise UnwrittenError

    @plain(Permission.ENROL, "POST /withdrawals", tag="people", body=bodies.WithdrawalRequest)
    def withdraw(self, name: str, powers: tuple[AccessRole | Role, ...], *, reason: str) -> documents.DutiesDocument:
        """Take duties and roles from a person at once."""
        raise UnwrittenError

    @plain(Permission.READ, "GET /proposals", tag="people", query=PAGED, listed="proposals")
    def proposals(self) -> documents.ProposalsPage:
        """Changes of people that wait for a second person; a page at a time, by id."""
        raise UnwrittenError

    @plain(Permission.CONFIRM, "POST /proposals/{proposal}/confirm", tag="people")
    def confirm(self, proposal: str) -> documents.ConfirmedProposalDocument:
        """Let a proposed change take effect; neither its proposer nor its subject may confirm it."""
        raise UnwrittenError

    @plain(Permission.CONFIRM, "POST /proposals/{proposal}/decline", tag="people")
    def decline(self, proposal: str) -> documents.DeclinedProposalDocument:
        """Decline a proposed change."""
        raise UnwrittenError

    def invite(self, name: str) -> Document:
        """A one-time sign-in link for the first administrator, at the installation itself."""

    @plain(Permission.MANAGE_TOKENS, "POST /tokens", body=bodies.TokenRequest, status=201, **SECRET)
    def issue_token(
        self, holder: str, scopes: tuple[Permission, ...], *, days: int, is_machine: bool
    ) -> IssuedTokenDocument:
        """A new token; its secret is in this answer and nowhere else, so no idempotency key repeats it.

        Without a scope the token has all permissions of its holder.
        """
        raise UnwrittenError

    @plain(Permission.MANAGE_TOKENS, "GET /tokens", carry_out=Local.held_tokens, query=PAGED, listed="tokens", **HELD)
    def tokens(self) -> documents.TokensPage:
        """Your own tokens, or all tokens for an administrator; a page at a time, by id."""
        raise UnwrittenError

    @plain(Permission.MANAGE_TOKENS, "DELETE /tokens/{token}", **SECRET)
    def revoke_token(self, token: str) -> documents.RevokedDocument:
        """End a token at once."""
        raise UnwrittenError

    @routed(Permission.CHECK, "POST /checks", **BY_HAND)
    def check(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> Document:
        """Run every gate; nothing is recorded. `seed` repeats the replay of an earlier assessment."""

    @routed(Permission.CHECK, "POST /memos", **BY_HAND)
    def memo(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> tuple[Document, dict[str, bytes]]:
        """Run every gate and compose the memo; its files, and nothing is recorded. `seed` is as in `check`."""

    @plain(Permission.READ, "GET /credentials", tag="authenticators")
    def credentials(self) -> documents.CredentialsDocument:
        """Your authenticators, and the one that waits for you to vouch, with the statement to sign."""
        raise UnwrittenError

    @routed(Permission.MANAGE_CREDENTIALS, "POST /credentials/vouchers", carry_out=Local.vouch_with, **VOUCHED)
    def vouch(self, key_id: str, key: Path | None = None) -> Document:
        """Let the authenticator that waits count: the envelope is signed with your key, or with one that counts
        already.

        The signatory here names the key id that the browser showed.
        """

    @plain(Permission.MANAGE_CREDENTIALS, "POST /credentials/{credential}/withdraw", **BY_HAND)
    def withdraw_credential(self, credential: str, *, reason: str) -> documents.CredentialsDocument:
        """Withdraw one of your authenticators; it can sign no more."""
        raise UnwrittenError

    @routed(Permission.SUBMIT, "POST /deployments", **BY_HAND)
    def submit(self, folder: Path, policy: Path | None, progress: Progress = silent) -> Document:
        """Assess a folder and open its release."""

    @routed(Permission.OVERRIDE, "POST /deployments/{deployment_id}/overrides", body=bodies.SignatureRequest, **SIGNED)
    def override(self, deployment_id: str, signing: SignAs, *, reason: str) -> Document:
        """Take responsibility for the gates that block; it needs two people, each with a recent sign-in."""

    @routed(Permission.READ, "GET /deployments/{deployment_id}/to-sign", **BY_HAND)
    def to_sign(self, deployment_id: str) -> Document:
        """The content that an approval will sign: the memo, its digest, the gates, the open conditions."""

    @routed(Permission.APPROVE, "POST /deployments/{deployment_id}/approvals", body=bodies.SignatureRequest, **SIGNED)
    def approve(
        self, deployment_id: str, signing: SignAs, *, conditions: tuple[str, ...] = (), manifest: str | None = None
    ) -> Document:
        """Sign the manifest in a role; with conditions, the approval is conditional.

        Where a manifest was shown, that one alone is signed.
        """

    @routed(Permission.REJECT, "POST /deployments/{deployment_id}/rejections", body=bodies.SignatureRequest, **SIGNED)
    def reject(self, deployment_id: str, signing: SignAs, *, reason: str) -> Document:
        """Reject a release before its rollout, for good."""

    @routed(Permission.MEET, "POST /deployments/{deployment_id}/conditions", body=bodies.ConditionRequest, **SIGNED)
    def meet(self, deployment_id: str, signing: SignAs, *, condition: str, note: str) -> Document:
        """Record that a condition of your own approval is met."""

    @routed(Permission.ADOPT, "POST /models/{model}/adoptions", carry_out=Local.countersign, **ADOPTED)
    def adopt(self, model: str, version: str, signing: tuple[SignAs, ...], *, reason: str) -> Document:
        """Sign for recording a live version; a second person with the same words within a day records it."""

    @routed(Permission.START, "POST /deployments/{deployment_id}/start", carry_out=Local.start_presented, **STARTED)
    def start(self, deployment_id: str, key: Path | None = None) -> Document:
        """Enter shadow; with an envelope, who starts it signs section 12."""

    @plain(Permission.MARK_DONE, "POST /deployments/{deployment_id}/items-done", body=bodies.ItemDoneRequest, **ROLLOUT)
    def mark_done(self, deployment_id: str, item: str, *, note: str) -> release_documents.ReleaseDocument:
        """Record that you did an item of section 9: a meeting, a dashboard, a document, a message."""
        raise UnwrittenError

    @routed(Permission.READ, "GET /deployments/{deployment_id}/living-memo", **BY_HAND)
    def living_memo(self, deployment_id: str) -> tuple[Document, str, tuple[str, ...] | None, dict[str, bytes]]:
        """The memo with the events since its signature; the signed memo's place, and its altered files.

        None for the altered files means that an older server does not compare them.
        """

    @plain(Permission.ADVANCE, "POST /deployments/{deployment_id}/advance", **ROLLOUT)
    def advance(self, deployment_id: str) -> release_documents.ReleaseDocument:
        """Advance one phase, if every condition holds."""
        raise UnwrittenError

    @plain(Permission.PAUSE, "POST /deployments/{deployment_id}/pause", body=bodies.PauseRequest, **ROLLOUT)
    def pause(self, deployment_id: str, reason: PauseReason, *, note: str) -> release_documents.ReleaseDocument:
        """Stop the phase clock."""
        raise UnwrittenError

    @plain(Permission.RESUME, "POST /deployments/{deployment_id}/resume", body=bodies.PauseRequest, **ROLLOUT)
    def resume(self, deployment_id: str, reason: PauseReason, *, note: str) -> release_documents.ReleaseDocument:
        """Remove one pause reason."""
        raise UnwrittenError

    @plain(Permission.ROLLBACK, "POST /deployments/{deployment_id}/rollback", body=bodies.RollbackRequest, **LEAVING)
    def rollback(
        self, deployment_id: str, occasion: RollbackCause, *, reason: str
    ) -> release_documents.RolledBackDocument:
        """Go back to the previous version now; one that was interrupted continues."""
        raise UnwrittenError

    @plain(
        Permission.ATTEST_FLAT,
        "POST /deployments/{deployment_id}/attest-flat",
        body=bodies.AttestFlatRequest,
        **LEAVING,
    )
    def attest_flat(self, deployment_id: str, *, reason: str) -> release_documents.RolledBackDocument:
        """Attest that a model is flat if no venue says so; the rollback then continues."""
        raise UnwrittenError

    @plain(Permission.KILL, "POST /models/{model}/kill", **BY_HAND)
    def kill(self, model: str, *, reason: str) -> documents.KilledDocument:
        """Stop trading a model now."""
        raise UnwrittenError

    @plain(Permission.KILL, "POST /kill", **BY_HAND)
    def kill_many(self, *, reason: str, desk: str | None = None) -> documents.StoppedManyDocument:
        """Stop trading every model of a desk now; without a desk, every model."""
        raise UnwrittenError

    @routed(Permission.REARM, "POST /models/{model}/rearm", **ARMED)
    def rearm(self, model: str, signing: SignAs, *, reason: str) -> Document:
        """Sign for arming a killed model again; the second person arms, and live releases re-enter at shadow."""

    @routed(Permission.REHEARSE, "POST /models/{model}/rehearsals", **BY_HAND)
    def rehearse(self, model: str, folder: Path | None = None) -> Document:
        """Rehearse the rollback by the plan of a dossier, or of the last release on record."""

    @plain(
        Permission.OBSERVE, "POST /deployments/{deployment_id}/observations", body=bodies.ObservationRequest, **ROLLOUT
    )
    def observe(self, deployment_id: str, session: date | None = None) -> documents.ObservedDocument:
        """One monitoring pass; a trigger that holds rolls back."""
        raise UnwrittenError

    @plain(
        Permission.NOT_HELD,
        "POST /deployments/{deployment_id}/sessions-not-held",
        body=bodies.NotHeldRequest,
        **ROLLOUT,
    )
    def not_held(self, deployment_id: str, session: date, *, reason: str) -> release_documents.ReleaseDocument:
        """Declare that the venue did not hold a session; it is then neither silence nor a day of a phase."""
        raise UnwrittenError

    @plain(Permission.REVIEW, "POST /deployments/{deployment_id}/reviews", body=bodies.ReviewRequest, **ROLLOUT)
    def review(self, deployment_id: str, *, notes: str) -> documents.ReviewedDocument:
        """The 30-day review."""
        raise UnwrittenError

    @plain(Permission.READ, "GET /deployments/{deployment_id}", tag="releases", is_tagged=True)
    def deployment(self, deployment_id: str) -> release_documents.ReleaseDocument:
        """One release; the entity tag is its revision."""
        raise UnwrittenError

    @plain(Permission.READ, "GET /deployments", tag="releases", query=OF_RELEASES)
    def deployments(
        self, *, model: str | None = None, state: State | None = None, after: str | None = None, limit: int = PAGE
    ) -> release_documents.DeploymentsPage:
        """Releases a page at a time, by id; `next` is the `after` of the page that follows."""
        raise UnwrittenError

    @plain(Permission.READ_FLAGS, "GET /models/{model}/flags", tag="models", query=OF_FLAGS)
    def flags(self, model: str, *, version: str | None = None) -> release_documents.FlagsDocument:
        """The flags of one model, from the record: those of this version, or of the only one alive."""
        raise UnwrittenError

    @routed(Permission.READ, "GET /history/{name}", tag="releases", query=OF_HISTORY)
    def history(self, name: str, *, after: int = 0, limit: int | None = None) -> Document:
        """The history of a model or one release, in order; `next` is the `after` of the page that follows."""

    @plain(Permission.REVIEW, "POST /deployments/{deployment_id}/post-mortem", body=bodies.PostMortemRequest, **ROLLOUT)
    def post_mortem(self, deployment_id: str, *, notes: str, root_cause: str = "") -> release_documents.ReleaseDocument:
        """Record the post-mortem of a rollback; the policy says when it is due. The root cause may come later."""
        raise UnwrittenError

    @routed(Permission.EXPORT, "GET /export", **BY_HAND)
    def export(self) -> dict[str, bytes]:
        """Every file of an export."""

    def export_pieces(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The same in pieces; read each file whole before the next."""

    @plain(Permission.READ, "GET /policy", name="show", **POLICY)
    def policy(self) -> PolicyDocument:
        """The policy in force, the open proposals, and every version so far."""
        raise UnwrittenError

    @routed(Permission.PROPOSE_POLICY, "POST /policy/proposals", carry_out=Local.propose_policy_text, **POLICY_PROPOSED)
    def propose_policy(self, file: Path, signing: SignPolicyAs) -> Document:
        """Propose a policy by signing it; a second person may confirm it within a week."""

    @routed(Permission.CONFIRM_POLICY, "POST /policy/proposals/{proposal}/confirm", **POLICY_CONFIRMED)
    def confirm_policy(self, proposal: str | None, signing: SignPolicyAs) -> Document:
        """Confirm a proposed policy by signing it as the second person; it applies to later submissions.

        Without an id, the only one that is open is meant.
        """

    @plain(Permission.CONFIRM_POLICY, "POST /policy/proposals/{proposal}/decline", basis=Basis.KEY, **POLICY)
    def decline_policy(self, proposal: str) -> DeclinedPolicyDocument:
        """Decline a proposed policy."""
        raise UnwrittenError


# Routes of pages and other clients, beside the verbs.
OVER_HTTP: Final = (
    _row(Local.statement, Permission.READ, "POST /deployments/{deployment_id}/statements", STATEMENT | SIGNATURES),
    _row(
        Local.start_statement, Permission.START, "POST /deployments/{deployment_id}/start-statement", {"tag": "rollout"}
    ),
    _row(Local.rearm_statement, Permission.READ, "POST /models/{model}/rearm/statements", STATEMENT | {"tag": "kill"}),
    _row(Local.adoption_statement, Permission.READ, "POST /models/{model}/adoptions/statements", ADOPTION),
    _row(Local.policy_statement, Permission.READ, "POST /policy/statements", OF_POLICY),
    _row(Local.propose, Permission.ENROL, "POST /proposals", PROPOSED),
    _row(Local.models, Permission.READ, "GET /models", {"tag": "models", "query": PAGED}),
    Row(Permission.READ, "GET", "/me", is_by_hand=True),
    Row(Permission.READ, "GET", "/deployments/{deployment_id}/editions/{edition}/{path}", is_by_hand=True),
    Row(Permission.MANAGE_CREDENTIALS, "POST", "/credentials", is_by_hand=True),
    Row(Permission.MANAGE_CREDENTIALS, "POST", "/credentials/options", is_by_hand=True),
    Row(Permission.READ_FLAGS, "GET", "/stream", is_by_hand=True),
)
CATALOGUE: Final[tuple[Row, ...]] = (
    *(declared.row for declared in vars(Verbs).values() if hasattr(declared, "row")),
    *OVER_HTTP,
)
_: type[Verbs] = Local
