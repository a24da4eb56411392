"""Whoever holds the database and the ledger's key writes a policy nobody signed: an auditor finds it offline."""

from dataclasses import replace
from datetime import timedelta

import pytest
from small_ledger import (
    NOW,
    STREAM,
    World,
    approved_release,
    enrolled,
    exported,
    key,
    memory_store,
    opened,
    signature,
    verified,
)

from signoff.domain.events import PolicyConfirmed, PolicyDeclined, PolicyProposed, Vote
from signoff.domain.floor import Floor, Origin, content_digest, subject_of
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.ledger.floor import content_of

FIRM = Policy(name="firm", version="1")
LAX = Policy(name="firm", version="1", approvals=ApprovalPolicy(roles=(Role.CTO,), compliance_required=False))
RAE, CAM, KIM = ("Rae", Role.RISK_MANAGER), ("Cam", Role.CTO), ("Kim", Role.LEAD_QUANT)


def signed(who, subject, verdict, policy=FIRM, **changes):
    person, role = who
    further = {"conditions": (), "said": {"deployment": "policy", "model": policy.name, "version": policy.version}}
    return signature(person, role, subject=subject, verdict=verdict, **(further | changes))


def proposed(policy=FIRM, who=RAE, *, number=1, replaces="", **changes):
    content = content_of(policy)
    subject = subject_of(number, replaces, content)
    made = PolicyProposed(
        proposal=subject[:16],
        number=number,
        replaces=replaces,
        content=content,
        expires_at=NOW + timedelta(days=7),
        signature=signed(who, subject, Vote.PROPOSE_POLICY, policy),
    )
    return replace(made, **changes)


def confirmed(proposal, who=CAM, **changes):
    subject = changes.pop("subject", proposal.signature.subject)
    return PolicyConfirmed(proposal=proposal.proposal, signature=signed(who, subject, Vote.CONFIRM_POLICY, **changes))


def of(policy, number=1):
    content = content_of(policy)
    return Floor(
        origin=Origin.CONFIRMED,
        name=policy.name,
        version=policy.version,
        digest=content_digest(content),
        number=number,
        confirmed_by=("Rae", "Cam"),
    )


@pytest.fixture
def world():
    world = World(memory_store())
    for name, role in (RAE, CAM, KIM):
        world.happens("people", enrolled(name, role))
    return world


def findings(world):
    return " ".join(what for _, what in verified(exported(world.store)).findings)


def test_a_policy_that_two_people_signed_verifies(world):
    first = proposed()
    world.happens("policy", first, confirmed(first))
    world.happens(STREAM, replace(opened(), policy=FIRM, floor=of(FIRM)))
    assert findings(world) == ""


def forge(world, monkeypatch, *events, stream="policy"):
    """Write what the fold would refuse, with a state to match: everything but the people's own keys is the forger's."""
    from signoff.domain import installation_policy

    with monkeypatch.context() as patch:
        patch.setattr(installation_policy, "_must", lambda *_: None)
        world.happens(stream, *events)


@pytest.mark.parametrize("by", ["the ledger", "Cam"])
def test_a_signature_that_the_proposer_did_not_make(world, by):
    subject = proposed().signature.subject
    forged = signed(RAE, subject, Vote.PROPOSE_POLICY, signer=key(by))
    world.happens("policy", proposed(signature=forged))
    assert "the signature of Rae does not hold" in findings(world)


def test_a_policy_exchanged_beneath_both_signatures(world, monkeypatch):
    first = proposed()
    forge(world, monkeypatch, replace(first, content=content_of(LAX)), confirmed(first))
    assert "signed for other bytes" in findings(world)


def test_one_person_twice(world, monkeypatch):
    first = proposed()
    forge(world, monkeypatch, first, confirmed(first, RAE))
    assert "confirmed a policy that they proposed themselves" in findings(world)


def test_one_person_under_two_names(world):
    world.happens("people", replace(enrolled("Rae", Role.RISK_MANAGER), logins=("rae7",)))
    world.happens("people", enrolled("rae7", Role.CTO))
    first = proposed()
    world.happens("policy", first, confirmed(first, ("rae7", Role.CTO)))
    assert "confirmed a policy that they proposed themselves" in findings(world)


def test_a_role_that_has_no_say(world):
    first = proposed()
    world.happens("policy", first, confirmed(first, KIM))
    assert "changes no policy" in findings(world)


def test_a_signature_of_another_kind(world):
    first = proposed()
    other = signed(CAM, first.signature.subject, Vote.PROPOSE_POLICY)
    world.happens("policy", first, PolicyConfirmed(proposal=first.proposal, signature=other))
    assert "changes no policy" in findings(world)


def test_signatures_of_an_earlier_version_used_again(world, monkeypatch):
    first = proposed(LAX)
    second = proposed(FIRM, number=2, replaces=content_digest(first.content))
    world.happens("policy", first, confirmed(first), second, confirmed(second))
    assert findings(world) == ""
    forge(world, monkeypatch, first, confirmed(first))
    assert "follows another policy" in findings(world)


def test_a_confirmation_after_the_week(world, monkeypatch):
    first = proposed(expires_at=NOW)
    forge(world, monkeypatch, first, confirmed(first))
    assert "not open" in findings(world)


def test_a_confirmation_of_what_was_declined(world, monkeypatch):
    first = proposed()
    world.happens("policy", first, PolicyDeclined(proposal=first.proposal))
    with pytest.raises(ValueError, match="not open"):
        world.happens("policy", confirmed(first))


def test_keys_where_the_policy_in_force_asks_for_authenticators(world):
    strong = Policy(name="strong", version="1", approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN))
    first = proposed(strong)
    second = proposed(FIRM, number=2, replaces=content_digest(first.content))
    world.happens("policy", first, confirmed(first))
    assert findings(world) == ""  # the policy that asks for more counts from the next one on
    world.happens("policy", second, confirmed(second))
    assert "weaker than the policy that was in force" in findings(world)


@pytest.mark.parametrize(
    ("policy", "floor", "word"),
    [
        (FIRM, None, "under another policy than version 1"),
        (LAX, of(LAX), "under another policy than version 1"),
        (FIRM, replace(of(FIRM), number=0, origin=Origin.BUILT_IN), "under another policy than version 1"),
        (LAX, of(FIRM), "held to less than version 1 of the policy in approvals.roles"),
    ],
)
def test_a_release_that_was_not_held_to_the_policy_in_force(world, policy, floor, word):
    first = proposed()
    world.happens("policy", first, confirmed(first))
    world.happens(STREAM, replace(opened(), policy=policy, floor=floor))
    assert word in findings(world)


def test_releases_from_before_any_policy_was_confirmed_stand():
    later = World(approved_release(memory_store()), requests=200)
    later.happens("people", enrolled(*CAM))
    first = proposed()
    later.happens("policy", first, confirmed(first))
    assert findings(later) == ""
