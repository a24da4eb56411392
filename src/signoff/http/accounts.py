"""Tokens over HTTP: who asks decides which of them are shown, and no answer is kept."""

from typing import Annotated

from fastapi import APIRouter, Depends

from signoff.domain.access import Duty, Principal, Verb
from signoff.http.access import Installation, allowed
from signoff.verbs.bodies import Limit, Name, TokenRequest
from signoff.verbs.documents import IssuedTokenDocument, RevokedDocument, TokensPage
from signoff.verbs.local import Local

# An answer that holds a secret is not kept to be given again, so that these are no commands.
router = APIRouter(prefix="/api/v1")
HoldingTokens = Annotated[Principal, Depends(allowed(Verb.MANAGE_TOKENS))]


@router.get("/tokens", tags=["people"])
def held_tokens(
    house: Installation, principal: HoldingTokens, after: Name | None = None, limit: Limit = 100
) -> TokensPage:
    """One's own tokens, all of them for an administrator; a page at a time, by id."""
    is_any = Duty.ADMINISTRATOR in principal.duties
    return Local(house, principal.name).tokens(None if is_any else principal.name, after=after, limit=limit)


@router.post("/tokens", tags=["people"], status_code=201)
def issue_token(body: TokenRequest, house: Installation, principal: HoldingTokens) -> IssuedTokenDocument:
    """A new token; its secret is in this answer and nowhere else, so no idempotency key repeats it."""
    return Local(house, principal.name).issue_token(
        body.holder, tuple(body.scopes), days=body.days, is_machine=body.is_machine, by=principal
    )


@router.delete("/tokens/{token}", tags=["people"])
def revoke_token(token: Name, house: Installation, principal: HoldingTokens) -> RevokedDocument:
    """End a token at once."""
    return Local(house, principal.name).revoke_token(token, by=principal)
