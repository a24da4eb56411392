"""Adopt a version that was live before Signoff.

It becomes the champion, which a release can replace and fall back to. It was not validated here, and every page that
shows it says so. An adoption puts a version into force, so it takes as many people as an override.
"""

import json
from datetime import timedelta
from typing import Final

from signoff.app.approvals import opening_key
from signoff.app.champion import naming
from signoff.app.record import Record, StreamChange, deployment_stream
from signoff.app.signing import SigningPerson, prepare, sign
from signoff.domain import decisions
from signoff.domain.artifacts import NO_REGISTRY, NOT_REGISTERED, Pin
from signoff.domain.decisions.adoption import Adoption
from signoff.domain.deployment import Deployment
from signoff.domain.events import Adopted, Signature, Vote
from signoff.domain.policy import Role
from signoff.domain.statement import Decision
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode_state, encode_state
from signoff.ports.registry import Registry
from signoff.ports.ttl_store import TtlStore

KIND: Final = "adoption"
WAITS: Final = timedelta(days=1)


def adopt(
    record: Record, adoption: Adoption, signatories: tuple[SigningPerson, ...], registry: Registry | None = None
) -> Deployment:
    """Record the live version, signed by `signatories`. Repeating it changes nothing."""
    if (release := record.find(adoption.deployment)) is not None:
        return release
    decisions.adoption.adopt(adoption, record.deployments(adoption.model), [s.role for s in signatories])
    decisions.adoption.by_enough(adoption, [s.person for s in signatories])
    return _recorded(record, adoption, tuple(sign(record, _decision(adoption), s) for s in signatories), registry)


def countersign(
    record: Record, shelf: TtlStore, adoption: Adoption, signatory: SigningPerson, registry: Registry | None = None
) -> Deployment | None:
    """Add one person's signature of several; None while others are missing.

    A signature waits a day for the others, and counts only if its person then still holds the role and key.
    """
    if (release := record.find(adoption.deployment)) is not None:
        return release
    decisions.adoption.adopt(adoption, record.deployments(adoption.model), [signatory.role])
    name, now = digest(canonical([adoption.model, adoption.version, adoption.reason])), record.now()
    waiting = shelf.get(KIND, name, now)
    earlier = tuple(decode_state(Signature, text.encode()) for text in json.loads(waiting or b"[]"))
    people = record.people().by_name
    valid = (s for s in earlier if s.person in people and s.role in people[s.person].roles)
    others = tuple(s for s in valid if s.person != signatory.person and people[s.person].key_id == s.key_id)
    signatures = (*others, sign(record, _decision(adoption), signatory))
    if len(signatures) < adoption.policy.approvals.override_persons:
        shelf.put(KIND, name, canonical([encode_state(s).decode() for s in signatures]), now + WAITS)
        return None
    state = _recorded(record, adoption, signatures, registry)
    shelf.drop(KIND, name)
    return state


def adoption_statement(record: Record, adoption: Adoption, *, person: str, role: Role) -> bytes:
    """The statement that this person has to sign in this role."""
    return prepare(record, _decision(adoption), person=person, role=role)


def _decision(adoption: Adoption) -> Decision:
    """The decision that every signature of an adoption states."""
    return Decision(
        verdict=Vote.ADOPT,
        subject=digest(f"{adoption.model}:{adoption.version}".encode()),
        model=adoption.model,
        version=adoption.version,
        deployment=adoption.deployment,
        policy=adoption.policy,
        reason=adoption.reason,
    )


def _recorded(
    record: Record, adoption: Adoption, signatures: tuple[Signature, ...], registry: Registry | None
) -> Deployment:
    pin, unbound = _bound(registry, adoption)
    event = Adopted(
        deployment=adoption.deployment,
        model=adoption.model,
        version=adoption.version,
        policy=adoption.policy,
        signatures=signatures,
        reason=adoption.reason,
        bound=pin,
        unbound=unbound,
    )
    record.commit(
        StreamChange(stream=deployment_stream(adoption.deployment), state=None, events=(event,)),
        actor=signatures[0].person,
        key=opening_key(record, adoption.model),
        effects=(naming(adoption.model, adoption.deployment),),
    )
    return record.deployment(adoption.deployment)


def _bound(registry: Registry | None, adoption: Adoption) -> tuple[Pin | None, str]:
    """The adopted version's pin as of now, or why there is none."""
    if registry is None:
        return None, NO_REGISTRY
    registered = registry.version(adoption.model, adoption.version)
    if registered is None or registered.number is None:
        return None, NOT_REGISTERED
    artifacts = registry.artifacts(adoption.model, adoption.version, number=registered.number)
    return (None, NOT_REGISTERED) if artifacts is None else (artifacts.pin, "")
