"""Documents about the installation's policy: the one in force, open proposals, and their differences."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from signoff.domain.events import Recorded
from signoff.domain.floor import Floor, InForce, Origin, Tendency, content_digest, differences
from signoff.domain.installation_policy import PolicyProposal
from signoff.domain.policy import Policy, Role
from signoff.ledger.floor import read_content

if TYPE_CHECKING:
    from signoff.app.policy import PolicyStatus

Versions = Iterable[tuple[Recorded, PolicyProposal]]


class FloorDocument(TypedDict):
    """The policy that a release is held to, and whether two people confirmed it for the installation."""

    says: str
    origin: Origin
    name: str
    version: str
    number: int
    digest: str
    is_confirmed: bool
    confirmed_by: list[str]


class DifferenceDocument(TypedDict):
    """One key that a proposal would change."""

    path: str
    before: str
    after: str
    tendency: Tendency


class PolicyProposalDocument(TypedDict):
    """A policy that waits for a second person. `content` is the canonical JSON that both people sign."""

    proposal: str
    name: str
    version: str
    number: int
    replaces: str
    digest: str
    content: str
    proposed_by: str
    role: Role
    signed_at: str
    expires_at: str
    differences: list[DifferenceDocument]


class PolicyVersionDocument(TypedDict):
    """A version of the policy, and when it came into force."""

    number: int
    name: str
    version: str
    digest: str
    proposed_by: str
    confirmed_by: str
    confirmed_at: str


class PolicyDocument(FloorDocument):
    """The policy in force, the open proposals, and every version so far.

    `next_number` and `replaces` belong to the signed subject of a new proposal. `unknown_figures` says what the
    order gate does while a figure is unknown.
    """

    confirmed_at: str | None
    unknown_figures: str
    policy: dict[str, object]
    next_number: int
    replaces: str
    proposals: list[PolicyProposalDocument]
    versions: list[PolicyVersionDocument]


class DeclinedPolicyDocument(PolicyProposalDocument):
    """A proposed policy that was declined."""

    declined_by: str


def floor_document(floor: Floor) -> FloorDocument:
    """A policy by name."""
    return {
        "says": floor.words,
        "origin": floor.origin,
        "name": floor.name,
        "version": floor.version,
        "number": floor.number,
        "digest": floor.digest,
        "is_confirmed": floor.is_confirmed,
        "confirmed_by": list(floor.confirmed_by),
    }


def policy_document(status: "PolicyStatus", versions: Versions) -> PolicyDocument:
    """The whole state of the installation's policy."""
    in_force, state = status.in_force, status.state
    return {
        **floor_document(in_force.floor),
        "confirmed_at": None if in_force.confirmed_at is None else in_force.confirmed_at.isoformat(),
        "unknown_figures": in_force.policy.order_gate.words,
        "policy": json.loads(in_force.content),
        "next_number": state.number + 1,
        "replaces": state.digest,
        "proposals": [policy_proposal_document(proposal, status) for proposal in status.proposals],
        "versions": [_version(number, *version) for number, version in enumerate(versions, start=1)],
    }


def policy_proposal_document(proposal: PolicyProposal, status: "PolicyStatus") -> PolicyProposalDocument:
    """A proposed policy, compared with the one in force."""
    proposed = read_content(proposal.content)
    return {
        "proposal": proposal.id,
        "name": proposed.name,
        "version": proposed.version,
        "number": status.state.number + 1,
        "replaces": status.state.digest,
        "digest": content_digest(proposal.content),
        "content": proposal.content,
        "proposed_by": proposal.proposed_by,
        "role": proposal.signature.role,
        "signed_at": proposal.signature.signed_at.isoformat(),
        "expires_at": proposal.expires_at.isoformat(),
        "differences": difference_documents(status.in_force, proposed),
    }


def difference_documents(in_force: InForce, proposed: Policy) -> list[DifferenceDocument]:
    """Every key that a policy would change."""
    return [
        {"path": d.path, "before": d.before, "after": d.after, "tendency": d.tendency}
        for d in differences(in_force.policy, proposed)
    ]


def _version(number: int, recorded: Recorded, proposal: PolicyProposal) -> PolicyVersionDocument:
    policy = read_content(proposal.content)
    return {
        "number": number,
        "name": policy.name,
        "version": policy.version,
        "digest": content_digest(proposal.content),
        "proposed_by": proposal.proposed_by,
        "confirmed_by": recorded.actor,
        "confirmed_at": recorded.at.isoformat(),
    }
