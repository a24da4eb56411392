"""An envelope that was signed elsewhere: once, just now, by who presents it, for what is asked; else it is nothing."""

import json

import pytest

from signoff.app.approvals import Signatory
from signoff.app.people import enrol
from signoff.app.signing import Presented
from signoff.domain.errors import BadInputError, RefusedError
from signoff.domain.policy import Role
from signoff.ledger.canonical import canonical
from signoff.ledger.text import decoded, encoded

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
    signatory = Signatory(person=person, role=ROLE[person], signer=Presented(envelope))
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
    enrol(house.record, name="R. Moreau", roles=(Role.RISK_MANAGER,), key_id="k", public_key="p", actor="owner")
    with pytest.raises(RefusedError, match="enrolled with key"):
        present(switch, envelope)
