"""Recording a version that was live before Signoff came.

It becomes the champion that a release can replace and fall back to. It was never validated here, and every page that
shows it says so; since it puts a version into force, it takes as many people as an override.
"""

from dataclasses import dataclass

from signoff.app.approvals import Signatory, opening_key
from signoff.app.record import Change, Record, deployment_stream
from signoff.app.signing import sign
from signoff.domain.deployment import ENDED, Deployment
from signoff.domain.errors import RefusedError
from signoff.domain.events import Adopted, Verdict
from signoff.domain.policy import Policy
from signoff.ledger.canonical import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A version, the policy it is recorded under, and why."""

    model: str
    version: str
    policy: Policy
    reason: str


def adopt(record: Record, adoption: Adoption, signatories: tuple[Signatory, ...]) -> Deployment:
    """Record the live version, signed by the people given. Repeating it changes nothing."""
    identity = f"{adoption.model}-{adoption.version}-adopted"
    if (known := record.find(identity)) is not None:
        return known
    if any(d.state not in ENDED for d in record.deployments(adoption.model)):
        raise RefusedError(f"{adoption.model} has a release on record already; adopt only what Signoff never saw.")
    needed = adoption.policy.approvals.override_persons
    if len({s.person for s in signatories}) < needed:
        raise RefusedError(f"Adopting a live version takes {needed} different people, found {len(signatories)}.")
    wrong = [s.role.value for s in signatories if s.role not in adoption.policy.approvals.override_roles]
    if wrong:
        allowed = ", ".join(adoption.policy.approvals.override_roles)
        raise RefusedError(f"Adopting is for the roles {allowed}; found {', '.join(wrong)}.")
    signatures = tuple(
        sign(
            record,
            s.signer,
            person=s.person,
            role=s.role,
            verdict=Verdict.ADOPT,
            subject=digest(f"{adoption.model}:{adoption.version}".encode()),
            model=adoption.model,
            version=adoption.version,
            deployment=identity,
            policy=adoption.policy,
            reason=adoption.reason,
        )
        for s in signatories
    )
    event = Adopted(
        deployment=identity,
        model=adoption.model,
        version=adoption.version,
        policy=adoption.policy,
        signatures=signatures,
        reason=adoption.reason,
    )
    record.commit(
        Change(stream=deployment_stream(identity), state=None, events=(event,)),
        actor=signatories[0].person,
        key=opening_key(record, adoption.model),
    )
    return record.deployment(identity)
