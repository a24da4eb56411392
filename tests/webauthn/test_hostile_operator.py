"""An operator with the database and the ledger's key cannot make an approval of tier webauthn.

Each attempt is written into a ledger as only its owner can, signed with the ledger's own key, and found by `verify`.
"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from small_ledger import (
    DEPLOYMENT,
    NOW,
    PACKAGE,
    STREAM,
    World,
    approved_release,
    enrolled,
    exported,
    key,
    memory_store,
    opened,
    relisted,
    verified,
)
from small_ledger import signature as by_key
from soft_authenticator import PRESENT, SoftAuthenticator, enrolment

from signoff.domain.deployment import IllegalHistoryError, evolve
from signoff.domain.events import (
    ApprovalRequested,
    ApprovalSigned,
    CredentialWithdrawn,
    OverrideSigned,
    PersonEnrolled,
    Recorded,
    Signature,
    Validated,
    Vote,
)
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.domain.statement import Statement
from signoff.ledger.canonical import canonical
from signoff.ledger.envelope import statement
from signoff.ledger.text import encoded

RAE, OPERATORS = SoftAuthenticator(), SoftAuthenticator()
KNOWN = enrolled("Rae", Role.RISK_MANAGER)
RAES = enrolment(RAE, "Rae", key("Rae"))


def record_of(person="Rae", role=Role.RISK_MANAGER):
    """What a signature's record says of an approval over the release at hand."""
    return {
        "person": person,
        "role": role,
        "verdict": Vote.APPROVE,
        "subject": PACKAGE.digest,
        "conditions": (),
        "reason": "",
        "signed_at": NOW,
        "expires_at": NOW + timedelta(days=30),
    }


def statement_of(record, **said):
    return statement(Statement(**{**record, "deployment": DEPLOYMENT, "model": "m", "version": "2", **said}))


def signature(authenticator=RAE, *, person="Rae", role=Role.RISK_MANAGER, said=None, envelope=None, **off):
    """An approval of tier webauthn; `said` are claims of the statement that differ from the record's."""
    record = record_of(person, role)
    text = envelope or authenticator.envelope(statement_of(record, **(said or {})), **off)
    return Signature(**record, key_id=authenticator.credential().key_id, envelope=text, tier=Tier.WEBAUTHN)


def found(signed, *people):
    """What verification says of a ledger with these people and a release that was signed like this."""
    result = verified(exported(approved_release(memory_store(), signed, before=people or (KNOWN, RAES))))
    assert (result.exit_code == 1) == bool(result.findings)
    return "; ".join(f"{where}: {what}" for where, what in result.findings)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_what_rae_signed_is_intact(algorithm):
    raes = SoftAuthenticator(algorithm)
    assert found(signature(raes), KNOWN, enrolment(raes, "Rae", key("Rae"))) == ""


def test_a_second_authenticator_is_vouched_for_by_the_first():
    spare = SoftAuthenticator("EdDSA")
    assert found(signature(spare), KNOWN, RAES, enrolment(spare, "Rae", RAE)) == ""


def test_a_person_without_a_key_is_known_by_their_first_authenticator_alone():
    keyless = PersonEnrolled(name="Rae", roles=(Role.RISK_MANAGER,), key_id="", public_key="")
    assert found(signature(), keyless, enrolment(RAE, "Rae")) == ""
    second = enrolment(OPERATORS, "Rae")
    assert "did not vouch" in found(signature(OPERATORS), keyless, enrolment(RAE, "Rae"), second)


OTHER = "0" * 64


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (signature(said={"subject": OTHER}), "says another subject"),
        (signature(said={"verdict": Vote.REJECT}), "says another verdict"),
        (signature(said={"deployment": "m-3"}), "was given for m-3"),
        (signature(said={"role": Role.CTO}), "says another role"),
        (signature(said={"person": "Sam"}), "says another person"),
        (signature(said={"expires_at": NOW + timedelta(days=1)}), "says another expires_at"),
        (signature(flags=PRESENT), "did not verify who touched it"),
        (signature(flags=0x04), "Nobody touched"),
        (signature(origin="https://elsewhere.example"), "Expected a request from"),
        (signature(rp_id="elsewhere.example"), "another site"),
        (signature(kind="webauthn.create"), "Expected client data of type"),
        (signature(challenge=b"\0" * 32), "another statement"),
        (signature(OPERATORS), "did not count"),
        (signature(OPERATORS, credential=RAE.credential()), "did not count"),
        (replace(signature(OPERATORS, credential=RAE.credential()), key_id=RAE.key_id), "does not hold"),
        (replace(signature(), tier=Tier.KEY), "another key than the one enrolled"),
        (replace(signature(), tier=Tier.KEY, key_id=KNOWN.key_id), "does not hold"),
        (signature(envelope="{}"), "does not hold"),
    ],
)
def test_what_rae_did_not_sign_is_found(signed, why):
    assert why in found(signed)


def test_an_assertion_for_one_release_is_none_for_another():
    """The assertion is Rae's, fresh and good, for other files; the operator replays it over these."""
    theirs = signature(said={"subject": OTHER})
    assert "says another subject" in found(theirs)
    moved = json.loads(theirs.envelope) | {"payload": encoded(statement_of(record_of()))}
    assert "another statement" in found(replace(theirs, envelope=canonical(moved).decode()))


def test_a_key_signature_is_not_passed_off_as_an_authenticators():
    """The private key of a file was copied from a careless home; with it, the higher tier cannot be had."""
    stolen = key("Rae")
    forged = replace(signature(), envelope=stolen.sign_statement(statement_of(record_of())))
    assert "does not hold" in found(forged)
    assert "did not count" in found(replace(forged, key_id=stolen.key_id))


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (enrolment(OPERATORS, "Rae"), "did not vouch"),
        (enrolment(OPERATORS, "Rae", OPERATORS), "does not hold"),
        (enrolment(OPERATORS, "Rae", key("the operator")), "names another key"),
        (replace(enrolment(OPERATORS, "Rae"), voucher=RAES.voucher), "vouched for another one"),
        (replace(enrolment(OPERATORS, "Rae"), voucher="{}"), "no envelope"),
        (replace(enrolment(OPERATORS, "Rae"), voucher=signature().envelope), "does not hold"),
        (replace(RAES, credential=OPERATORS.credential()), "differs from"),
        (replace(RAES, credential=replace(RAES.credential, origin="https://elsewhere.example")), "cannot be made"),
        (replace(RAES, credential=replace(RAES.credential, is_backed_up=True)), "differs from"),
        (replace(RAES, registration="{}"), "does not hold"),
    ],
)
def test_an_authenticator_that_rae_did_not_vouch_for_counts_for_nothing(event, why):
    said = found(signature(OPERATORS), KNOWN, event)
    assert "does not count" in said
    assert why in said
    assert "did not count for them by then" in said


def test_a_new_key_from_the_operator_vouches_for_nothing():
    """The record lets an operator replace a key; the replacement brings no authenticator with it."""
    theirs = key("the operator")
    replaced = replace(KNOWN, key_id=theirs.key_id, public_key=theirs.public_key)
    said = found(signature(OPERATORS), KNOWN, replaced, enrolment(OPERATORS, "Rae", theirs))
    assert "replaced their first one" in said
    keyless = PersonEnrolled(name="Rae", roles=(Role.RISK_MANAGER,), key_id="", public_key="")
    later = enrolment(OPERATORS, "Rae", theirs)
    assert "does not count" in found(signature(OPERATORS), keyless, enrolment(RAE, "Rae"), replaced, later)


def test_an_authenticator_that_was_withdrawn_vouches_for_nothing_and_signs_no_more():
    gone = CredentialWithdrawn(name="Rae", credential=RAES.credential.id, reason="lost")
    assert "did not count for them by then" in found(signature(), KNOWN, RAES, gone)
    assert "does not count" in found(signature(OPERATORS), KNOWN, RAES, gone, enrolment(OPERATORS, "Rae", RAE))
    keyless = PersonEnrolled(name="Rae", roles=(Role.RISK_MANAGER,), key_id="", public_key="")
    again = enrolment(OPERATORS, "Rae")
    assert "did not vouch" in found(signature(OPERATORS), keyless, enrolment(RAE, "Rae"), gone, again)


def test_what_an_authenticator_signed_before_its_withdrawal_stands():
    store = approved_release(memory_store(), signature(), before=(KNOWN, RAES))
    World(store, requests=50).happens(
        "people", CredentialWithdrawn(name="Rae", credential=RAES.credential.id, reason="lost")
    )
    assert verified(exported(store)).findings == ()


def test_an_authenticator_enrolled_after_the_signature_does_not_count_for_it():
    store = approved_release(memory_store(), signature(), before=(KNOWN,))
    World(store, requests=50).happens("people", RAES)
    assert "did not count for them by then" in str(verified(exported(store)).findings)


def test_one_authenticator_is_one_persons():
    """Two people with one key between them would be one person who counts twice."""
    sam = enrolled("Sam", Role.RISK_MANAGER)
    said = found(signature(person="Sam"), KNOWN, RAES, sam, enrolment(RAE, "Sam", key("Sam")))
    assert "enrolled before" in said
    renamed = replace(RAE, id=b"another id for it")
    assert "enrolled before" in found(signature(), KNOWN, RAES, sam, enrolment(renamed, "Sam", key("Sam")))


def test_a_ledger_rewritten_from_its_beginning_is_intact_alone_and_found_by_what_was_kept():
    """Where the operator writes even the first enrolment anew, only an anchor of before tells, and Rae herself."""
    true = exported(approved_release(memory_store(), signature(), before=(KNOWN, RAES)))
    theirs = key("the operator")
    begun = replace(KNOWN, key_id=theirs.key_id, public_key=theirs.public_key)
    forged = exported(
        approved_release(memory_store(), signature(OPERATORS), before=(begun, enrolment(OPERATORS, "Rae", theirs))),
        is_anchored=False,
    )
    assert verified(forged).findings == ()
    anchors = {name: content for name, content in true.items() if name.startswith("anchors/")}
    assert anchors
    assert verified(relisted(forged | anchors)).exit_code == 1


def asked(*roles, minimum=Tier.KEY):
    policy = Policy(name="test", version="1", approvals=ApprovalPolicy(webauthn_roles=roles, minimum_tier=minimum))
    return replace(opened(), policy=policy)


@pytest.mark.parametrize("policy", [asked(minimum=Tier.WEBAUTHN), asked(Role.RISK_MANAGER)])
def test_a_signature_below_the_tier_of_the_policy_is_no_history(policy):
    def after(*events):
        state = None
        for revision, event in enumerate(events, start=1):
            state = evolve(state, Recorded(stream=STREAM, revision=revision, at=NOW, actor="t", event=event))
        return state

    validated = Validated(results=(), package=PACKAGE.digest)
    before = (policy, validated, ApprovalRequested(manifest=PACKAGE.digest))
    with pytest.raises(IllegalHistoryError, match="takes webauthn"):
        after(*before, ApprovalSigned(signature=by_key()))
    with pytest.raises(IllegalHistoryError, match="takes webauthn"):
        after(policy, validated, OverrideSigned(signature=by_key()))
    assert len(after(*before, ApprovalSigned(signature=signature())).approvals) == 1
    other = ApprovalSigned(signature=by_key("Lee", Role.LEAD_QUANT))
    if policy.policy.approvals.minimum_tier is Tier.KEY:
        assert len(after(*before, other).approvals) == 1
