"""People, what they may do, and tokens: what gives power waits for a second person, what takes it away does not."""

from typing import Annotated

from fastapi import APIRouter, Depends

from signoff.domain.access import Duty, Principal, Verb
from signoff.http.access import Installation, allowed
from signoff.http.bodies import Limit, Name, ProposalRequest, TokenRequest, UnbindingRequest, WithdrawalRequest
from signoff.http.commands import Command
from signoff.verbs.documents import (
    ConfirmedProposalDocument,
    DeclinedProposalDocument,
    DutiesDocument,
    IssuedTokenDocument,
    PeoplePage,
    ProposalDocument,
    ProposalsPage,
    RevokedDocument,
    TokensPage,
    UnboundDocument,
)
from signoff.verbs.local import Local

router = APIRouter(prefix="/api/v1", route_class=Command)
# Apart, since an answer that holds a secret is not kept to be given again.
tokens = APIRouter(prefix="/api/v1")
Reading = Annotated[Principal, Depends(allowed(Verb.READ))]
Enrolling = Annotated[Principal, Depends(allowed(Verb.ENROL))]
Confirming = Annotated[Principal, Depends(allowed(Verb.CONFIRM))]
HoldingTokens = Annotated[Principal, Depends(allowed(Verb.MANAGE_TOKENS))]


@router.get("/people", tags=["people"])
def people(house: Installation, principal: Reading, after: Name | None = None, limit: Limit = 100) -> PeoplePage:
    """Who may sign, who may do what, and whom the identity provider knows; a page at a time, by name."""
    return Local(house, principal.name).people(after=after, limit=limit)


@router.get("/proposals", tags=["people"])
def proposals(house: Installation, principal: Reading, after: Name | None = None, limit: Limit = 100) -> ProposalsPage:
    """Changes of people that wait for a second person; a page at a time, by id."""
    return Local(house, principal.name).proposals(after=after, limit=limit)


@router.post("/proposals", tags=["people"], status_code=201)
def propose(body: ProposalRequest, house: Installation, principal: Enrolling) -> ProposalDocument:
    """Propose to enrol somebody, to give them duties, or to let them sign in; asking again finds the open proposal."""
    return Local(house, principal.name).propose(body.change.to_event())


@router.post("/proposals/{proposal}/confirm", tags=["people"])
def confirm(proposal: Name, house: Installation, principal: Confirming) -> ConfirmedProposalDocument:
    """Let a proposed change take effect: not by who proposed it, nor by whom it is about."""
    return Local(house, principal.name).confirm(proposal)


@router.post("/proposals/{proposal}/decline", tags=["people"])
def decline(proposal: Name, house: Installation, principal: Confirming) -> DeclinedProposalDocument:
    """Put a proposed change away."""
    return Local(house, principal.name).decline(proposal)


@router.post("/withdrawals", tags=["people"])
def withdraw(body: WithdrawalRequest, house: Installation, principal: Enrolling) -> DutiesDocument:
    """Take duties and roles from a person at once."""
    return Local(house, principal.name).withdraw(body.name, tuple(body.powers), reason=body.reason)


@router.post("/unbindings", tags=["people"])
def unbind(body: UnbindingRequest, house: Installation, principal: Enrolling) -> UnboundDocument:
    """Let an identity of the provider come in no more."""
    return Local(house, principal.name).unbind(issuer=body.issuer, subject=body.subject)


@tokens.get("/tokens", tags=["people"])
def held_tokens(
    house: Installation, principal: HoldingTokens, after: Name | None = None, limit: Limit = 100
) -> TokensPage:
    """One's own tokens, all of them for an administrator; a page at a time, by id."""
    is_any = Duty.ADMINISTRATOR in principal.duties
    return Local(house, principal.name).tokens(None if is_any else principal.name, after=after, limit=limit)


@tokens.post("/tokens", tags=["people"], status_code=201)
def issue_token(body: TokenRequest, house: Installation, principal: HoldingTokens) -> IssuedTokenDocument:
    """A new token; its secret is in this answer and nowhere else, so no idempotency key repeats it."""
    return Local(house, principal.name).issue_token(
        body.holder, tuple(body.scopes), days=body.days, is_machine=body.is_machine, by=principal
    )


@tokens.delete("/tokens/{token}", tags=["people"])
def revoke_token(token: Name, house: Installation, principal: HoldingTokens) -> RevokedDocument:
    """End a token at once."""
    return Local(house, principal.name).revoke_token(token, by=principal)
