"""Authenticators as their people manage them: over a ledger in memory, without a server."""

from types import SimpleNamespace

import pytest
from small_ledger import NOW, key
from soft_authenticator import SoftAuthenticator

from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.credentials import Authenticators, Site
from signoff.app.people import enrol, grant
from signoff.app.record import Record
from signoff.app.signing import Presented, SigningPerson, sign
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import Vote
from signoff.domain.permissions import AccessRole
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.domain.statement import Decision
from signoff.ledger.text import url_encoded
from signoff.verbs.local import checked_vouching

SITE = "https://signoff.example"


@pytest.fixture
def kept():
    record = Record(MemoryStore(key("the ledger").sign_checkpoint), SimpleNamespace(now=lambda: NOW))
    rae = key("Rae")
    roles = (Role.RISK_MANAGER,)
    enrol(record, name="Rae", roles=roles, key_id=rae.key_id, public_key=rae.public_key, actor="t")
    grant(record, "Ola", frozenset({AccessRole.OPERATOR}), actor="t")
    return Authenticators(record=record, shelf=MemoryTtlStore(), public_url=SITE)


def registered(kept, name, made, label="token"):
    challenge = kept.ask(name)
    attestation, client = made.registered(challenge)
    return kept.register(
        name, attestation_object=attestation, client_data=client, challenge=url_encoded(challenge), label=label
    )


def held(kept, name):
    return [credential.key_id for credential in kept.record.people().named(name).credentials]


def test_who_never_held_anything_begins_with_an_authenticator_and_vouches_by_it(kept):
    first, second = SoftAuthenticator(), SoftAuthenticator("EdDSA")
    assert registered(kept, "Ola", first) is None
    assert held(kept, "Ola") == [first.key_id]
    waiting = registered(kept, "Ola", second)
    assert held(kept, "Ola") == [first.key_id]
    with pytest.raises(RefusedError, match="does not hold"):
        kept.vouch("Ola", key("Ola").sign_statement(waiting.statement))
    kept.vouch("Ola", first.sign_statement(waiting.statement))
    assert held(kept, "Ola") == [first.key_id, second.key_id]
    assert kept.waiting("Ola") is None


def test_a_key_that_was_replaced_vouches_no_more_and_neither_does_its_replacement(kept):
    later = key("Rae, later")
    enrol(
        kept.record,
        name="Rae",
        roles=(Role.RISK_MANAGER,),
        key_id=later.key_id,
        public_key=later.public_key,
        actor="the operator",
        is_replacing=True,
    )
    waiting = registered(kept, "Rae", SoftAuthenticator())
    for signer in (key("Rae"), later):
        with pytest.raises(RefusedError, match="replaced their first one"):
            kept.vouch("Rae", signer.sign_statement(waiting.statement))


def test_one_authenticator_is_one_persons_also_after_it_was_withdrawn(kept):
    made = SoftAuthenticator()
    registered(kept, "Ola", made)
    kept.withdraw("Ola", made.credential().id, reason="left in a taxi")
    assert held(kept, "Ola") == []
    waiting = registered(kept, "Rae", made)
    with pytest.raises(RefusedError, match="enrolled before"):
        kept.vouch("Rae", key("Rae").sign_statement(waiting.statement))


@pytest.mark.parametrize("address", ["http://127.0.0.1:8400", "https://[::1]:8400", "https://10.0.0.7"])
def test_a_bare_address_has_no_authenticators(address):
    with pytest.raises(BadInputError, match="name of a host"):
        Site.at(address)


def test_a_site_is_its_host_and_origin():
    assert Site.at("https://Signoff.Example.com:8443/") == Site(
        "signoff.example.com", "https://signoff.example.com:8443"
    )
    assert Site.at("http://localhost:8400") == Site("localhost", "http://localhost:8400")


def test_without_a_provider_nobody_has_authenticators(kept):
    with pytest.raises(NotFoundError, match="SIGNOFF_OIDC_ISSUER"):
        Authenticators(record=kept.record, shelf=kept.shelf, public_url=None).ask("Rae")


def test_one_vouches_only_for_what_one_saw(kept):
    """The operator put an authenticator of their own in the place of the one that the browser made."""
    made, theirs = SoftAuthenticator(), SoftAuthenticator()
    statement = registered(kept, "Rae", theirs).statement
    with pytest.raises(RefusedError, match="tell the operators"):
        checked_vouching(statement, "Rae", made.key_id[:16])
    with pytest.raises(RefusedError, match="tell the operators"):
        checked_vouching(statement, "Ola", theirs.key_id[:16])
    with pytest.raises(BadInputError, match="12 digits"):
        checked_vouching(statement, "Rae", theirs.key_id[:4])
    with pytest.raises(NotFoundError, match="waits"):
        checked_vouching(b"", "Rae", theirs.key_id)
    assert checked_vouching(statement, "Rae", theirs.key_id[:16].upper()) == statement


@pytest.mark.parametrize("verdict", [Vote.REARM, Vote.ADOPT, Vote.REJECT])
def test_what_starts_takes_the_tier_and_what_stops_does_not(kept, verdict):
    policy = Policy(name="p", version="1", approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN))
    made = SoftAuthenticator()
    waiting = registered(kept, "Rae", made)
    kept.vouch("Rae", key("Rae").sign_statement(waiting.statement))

    def signed(signer):
        decision = Decision(
            verdict=verdict, subject="0" * 64, model="m", version="1", deployment="model/m", policy=policy
        )
        return sign(kept.record, decision, SigningPerson(person="Rae", role=Role.RISK_MANAGER, signer=signer))

    assert signed(made).tier is Tier.WEBAUTHN
    if verdict is Vote.REJECT:
        assert signed(key("Rae")).tier is Tier.KEY
    else:
        with pytest.raises(RefusedError, match="tier webauthn"):
            signed(key("Rae"))
    with pytest.raises(RefusedError, match="1 authenticator"):
        signed(SoftAuthenticator())
    with pytest.raises(BadInputError, match="envelope"):
        signed(Presented("{}"))
