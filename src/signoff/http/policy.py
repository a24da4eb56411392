"""The installation's policy over HTTP: all accounts read it, and two people who sign the same bytes change it."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from signoff.adapters.documents import parse_policy
from signoff.app.approvals import Signatory
from signoff.app.signing import Presented
from signoff.domain.access import Principal, Verb
from signoff.domain.errors import BadInputError
from signoff.domain.policy import Policy
from signoff.http.access import Installation, allowed
from signoff.http.bodies import Name, PolicyConfirmationRequest, PolicyProposalRequest, PolicyStatementRequest
from signoff.http.commands import Command, Naming
from signoff.http.releases import StatementDocument
from signoff.ledger.text import encoded
from signoff.verbs.local import Local
from signoff.verbs.policy_documents import DeclinedPolicyDocument, PolicyDocument, PolicyProposalDocument

router = APIRouter(prefix="/api/v1", tags=["policy"], route_class=Command)
SENT: Final = Path("policy.yaml")
Reading = Annotated[Principal, Depends(allowed(Verb.READ))]
Proposing = Annotated[Principal, Depends(allowed(Verb.PROPOSE_POLICY))]
Confirming = Annotated[Principal, Depends(allowed(Verb.CONFIRM_POLICY))]


@router.get("/policy")
def show(house: Installation, principal: Reading) -> PolicyDocument:
    """The policy in force, the open proposals, and every version so far."""
    return Local(house, principal.name).policy()


@router.post("/policy/statements")
def policy_statement(body: PolicyStatementRequest, house: Installation, principal: Reading) -> StatementDocument:
    """The statement to sign to propose a policy, or to confirm a proposal."""
    policies, person = house.policies, principal.name
    if body.act == "confirm":
        if body.proposal is None:
            raise BadInputError("Expected `proposal`, the id of the policy that is to be confirmed; found none.")
        said = policies.confirmation_statement(body.proposal, person=person, role=body.role)
    else:
        said = policies.proposal_statement(_parsed(body.text), person=person, role=body.role)
    return {"statement": encoded(said), "says": said.decode()}


@router.post("/policy/proposals", status_code=201)
def propose_policy(body: PolicyProposalRequest, house: Naming, principal: Proposing) -> PolicyProposalDocument:
    """Propose a policy by signing it; a second person may confirm it within a week."""
    signatory = Signatory(person=principal.name, role=body.role, signer=Presented(body.envelope))
    return Local(house, principal.name).propose_policy_text(SENT, body.text.encode(), signatory)


@router.post("/policy/proposals/{proposal}/confirm")
def confirm_policy(
    proposal: Name, body: PolicyConfirmationRequest, house: Naming, principal: Confirming
) -> PolicyDocument:
    """Confirm a proposed policy by signing it as the second person; it applies to later submissions."""
    signatory = Signatory(person=principal.name, role=body.role, signer=Presented(body.envelope))
    return Local(house, principal.name).confirm_policy(proposal, signatory)


@router.post("/policy/proposals/{proposal}/decline")
def decline_policy(proposal: Name, house: Naming, principal: Confirming) -> DeclinedPolicyDocument:
    """Decline a proposed policy."""
    return Local(house, principal.name).decline_policy(proposal)


def _parsed(text: str) -> Policy:
    return parse_policy(SENT, text.encode()).value
