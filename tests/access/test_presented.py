"""An envelope that was signed elsewhere: once, just now, by who presents it, for what is asked; else it is nothing."""

import json
from dataclasses import replace
from types import SimpleNamespace

import firm_policy
import pytest

from signoff.adapters.documents import load_policy
from signoff.app.people import confirm, enrol, propose
from signoff.app.signing import Presented, SigningPerson, sign
from signoff.cli.approving import _made as made
from signoff.domain.errors import BadInputError, RefusedError
from signoff.domain.events import ActorProof, PersonEnrolled, Vote
from signoff.domain.policy import Role
from signoff.domain.statement import Decision
from signoff.ledger.canonical import canonical
from signoff.ledger.text import decoded, encoded
from signoff.verbs.documents import proposed
from signoff.verbs.local import Local

ROLE = {"R. Moreau": Role.RISK_MANAGER, "A. Berg": Role.CTO}


@pytest.fixture
def switch(house):
    """Two people with keys, and two models that were killed."""
    for name, role in ROLE.items():
        key = house.key_of(name)
        enrol(house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="owner")
    for model in ("m", "n"):
        house.kill_switch.kill(model, reason="smoke", actor="t")
    return house.kill_switch


def signed(house, switch, person="R. Moreau", model="m", reason="safe"):
    statement = switch.statement(model, person=person, role=ROLE[person], reason=reason)
    return house.key_of(person).sign_statement(statement)


def present(switch, envelope, person="R. Moreau", model="m", reason="safe"):
    signatory = SigningPerson(person=person, role=ROLE[person], signer=Presented(envelope))
    return switch.rearm(model, signatory, reason=reason)


def test_two_people_arm_by_what_each_signed(house, switch):
    assert present(switch, signed(house, switch)).is_latched
    assert not present(switch, signed(house, switch, "A. Berg"), "A. Berg").is_latched


@pytest.mark.parametrize(
    "otherwise",
    [{"model": "n"}, {"reason": "another reason"}, {"person": "A. Berg"}],
    ids=["model", "reason", "person"],
)
def test_an_envelope_for_something_else_or_by_somebody_else_is_refused(house, switch, otherwise):
    with pytest.raises(RefusedError):
        present(switch, signed(house, switch), **otherwise)
    assert house.record.latch("m").rearm_signatures == house.record.latch("n").rearm_signatures == ()


def test_an_envelope_is_replayed_neither_at_once_nor_after_the_next_kill(house, switch):
    envelope = signed(house, switch)
    present(switch, envelope)
    with pytest.raises(RefusedError, match="signed already"):
        present(switch, envelope)
    switch.kill("m", reason="again", actor="t")
    with pytest.raises(RefusedError, match="what is asked for"):
        present(switch, envelope)


def test_an_envelope_that_was_kept_is_refused_after_five_minutes(house, switch, wall):
    envelope = signed(house, switch)
    wall.pass_(minutes=5, seconds=1)
    with pytest.raises(RefusedError, match="within five minutes"):
        present(switch, envelope)


@pytest.mark.parametrize(
    "forge",
    [
        lambda said: said["signatures"][0].update(sig=encoded(bytes(64))),
        lambda said: said.update(payload=encoded(decoded(said["payload"]).replace(b"R. Moreau", b"A. Berg"))),
        lambda said: said.update(payload=encoded(decoded(said["payload"]).replace(b'"safe"', b'"sure"'))),
        lambda said: said["signatures"].append(said["signatures"][0]),
        lambda said: said["signatures"].clear(),
        lambda said: said.update(payloadType="text/plain"),
    ],
)
def test_an_envelope_that_was_forged_is_refused(house, switch, forge):
    said = json.loads(signed(house, switch))
    forge(said)
    with pytest.raises((RefusedError, BadInputError)):
        present(switch, canonical(said).decode())
    assert house.record.latch("m").rearm_signatures == ()


def test_a_key_that_was_replaced_signs_no_more(house, switch):
    envelope = signed(house, switch)
    said = {"name": "R. Moreau", "roles": (Role.RISK_MANAGER,), "key_id": "k", "public_key": "p"}
    enrol(house.record, **said, actor="owner", is_replacing=True)
    with pytest.raises(RefusedError, match="enrolled with key"):
        present(switch, envelope)


def replaced(house, key, **more):
    """R. Moreau is enrolled with this key by somebody whose name nobody checked."""
    record = replace(house.record, proof=ActorProof.UNAUTHENTICATED)
    said = {"key_id": key.key_id, "public_key": key.public_key}
    enrol(record, name="R. Moreau", roles=(Role.RISK_MANAGER,), actor="mallory", **said, **more)


def rearmed_by(house, key):
    """What R. Moreau signs with this key."""
    decision = Decision(
        verdict=Vote.REARM,
        subject="a" * 64,
        model="m",
        version="",
        deployment="",
        policy=load_policy(firm_policy.FILE).value,
        reason="safe",
    )
    return sign(house.record, decision, SigningPerson(person="R. Moreau", role=Role.RISK_MANAGER, signer=key))


def test_a_key_in_use_is_replaced_only_where_that_is_meant_and_marks_what_it_signs(house, switch):
    first, other = house.key_of("R. Moreau"), house.key_of("mallory")
    assert rearmed_by(house, first).key_replaced == ""
    with pytest.raises(
        RefusedError, match=f"{first.key_id[:16]}… of R. Moreau, which is in use since 20.*--replace-key"
    ):
        replaced(house, other)
    replaced(house, other, is_replacing=True)
    mark = f"on {house.record.now():%Y-%m-%d} by mallory (unauthenticated)"
    signature = rearmed_by(house, other)
    assert signature.key_replaced == mark
    assert signature.made_with.endswith(f"(key replaced {mark})")
    (listed,) = (p for p in Local(house, "t").people()["people"] if p["name"] == "R. Moreau")
    assert listed["key_replaced"] == mark
    assert made(listed).endswith(f"(key replaced {mark})")


def test_a_key_dropped_first_leaves_the_mark_on_the_next_and_one_enrolled_again_keeps_it(house, switch):
    other = house.key_of("mallory")
    with pytest.raises(RefusedError, match="found no key"):
        replaced(house, SimpleNamespace(key_id="", public_key=""))
    replaced(house, SimpleNamespace(key_id="", public_key=""), is_replacing=True)
    replaced(house, other)
    replaced(house, other, logins=("rm",))
    assert "by mallory (unauthenticated)" in house.record.people().named("R. Moreau").key_replaced


def test_a_proposal_that_replaces_a_key_in_use_says_so_or_is_refused(house, switch):
    other = house.key_of("mallory")
    asked = PersonEnrolled(
        name="R. Moreau", roles=(Role.RISK_MANAGER,), key_id=other.key_id, public_key=other.public_key
    )
    with pytest.raises(RefusedError, match="--replace-key"):
        propose(house.record, asked, actor="mallory")
    proposal = propose(house.record, replace(asked, replaces_key=True), actor="mallory")
    assert "in the place of the key in use" in proposed(proposal.change)
    confirm(house.record, proposal.id, actor="A. Berg")
    assert house.record.people().named("R. Moreau").key_replaced.endswith("by A. Berg")
