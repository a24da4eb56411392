"""Envelopes of decisions: held against a second implementation of DSSE, and against forgers."""

import base64
import json
from datetime import UTC, datetime

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey
from small_ledger import NOW, PACKAGE, key, signature, spelled

from signoff.domain.errors import TamperedError
from signoff.domain.events import Vote
from signoff.domain.policy import Role
from signoff.ledger.canonical import canonical
from signoff.ledger.envelope import encoding, verify

SIGNED = signature()
RAE = key("Rae")


def test_an_envelope_says_what_was_signed():
    said = verify(SIGNED.envelope, RAE.public_key)
    assert (said.person, said.role, said.verdict) == ("Rae", Role.RISK_MANAGER, Vote.CONDITIONAL)
    assert (said.subject, said.deployment, said.conditions) == (PACKAGE.digest, "m-2", ("daily review",))
    assert (said.signed_at, said.expires_at) == (NOW, datetime(2019, 2, 1, 21, tzinfo=UTC))


def test_what_is_signed_is_the_encoding_of_the_specification():
    # The example of the DSSE protocol's own page, with our payload type.
    assert encoding(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_another_implementation_of_dsse_verifies_our_envelope():
    public = SSlibKey.from_crypto(RAE.private.public_key(), keyid=RAE.key_id)
    theirs = Envelope.from_dict(json.loads(SIGNED.envelope))
    assert theirs.verify([public], 1).keys() == {RAE.key_id}


def test_we_verify_an_envelope_of_another_implementation():
    public = SSlibKey.from_crypto(RAE.private.public_key(), keyid=RAE.key_id)
    payload = base64.b64decode(json.loads(SIGNED.envelope)["payload"])
    theirs = Envelope(payload, "application/vnd.in-toto+json", {})
    theirs.sign(CryptoSigner(RAE.private, public))
    assert verify(spelled(theirs.to_dict()), RAE.public_key) == verify(SIGNED.envelope, RAE.public_key)


def test_the_payload_is_an_in_toto_statement():
    statement = json.loads(base64.b64decode(json.loads(SIGNED.envelope)["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0]["digest"] == {"sha256": PACKAGE.digest}


def test_every_altered_character_is_noticed():
    for place, character in enumerate(SIGNED.envelope):
        for flip in (1, 2, 4, 32):
            altered = SIGNED.envelope[:place] + chr(ord(character) ^ flip) + SIGNED.envelope[place + 1 :]
            with pytest.raises(TamperedError):
                verify(altered, RAE.public_key)


def test_another_persons_key_does_not_verify():
    with pytest.raises(TamperedError):
        verify(SIGNED.envelope, key("Mallory").public_key)


def test_a_key_under_a_borrowed_name_does_not_verify():
    said = json.loads(SIGNED.envelope)
    said["signatures"][0]["sig"] = json.loads(signature(signer=key("Mallory")).envelope)["signatures"][0]["sig"]
    with pytest.raises(TamperedError):
        verify(spelled(said), RAE.public_key)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", SIGNED.envelope + " ", " " + SIGNED.envelope, json.dumps(json.loads(SIGNED.envelope))],
)
def test_other_spellings_are_refused(text):
    with pytest.raises(TamperedError):
        verify(text, RAE.public_key)


def altered(change) -> str:
    """The envelope with something changed in its JSON."""
    said = json.loads(SIGNED.envelope)
    change(said)
    return spelled(said)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(extra=1),
        lambda said: said["signatures"][0].update(cert="extra"),
        lambda said: said.update(signatures=[]),
        lambda said: said.update(signatures=[[]]),
        lambda said: said.update(payload=1),
        lambda said: said.update(payloadType="text/plain"),
    ],
)
def test_an_envelope_of_another_shape_is_refused(change):
    with pytest.raises(TamperedError):
        verify(altered(change), RAE.public_key)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["subject"].append({"name": "other", "digest": {"sha256": "0" * 64}}),
        lambda said: said["subject"].clear(),
        lambda said: said["predicate"].update(extra="said beside"),
        lambda said: said["predicate"].update(conditions="text"),
        lambda said: said["predicate"].update(role="king"),
        lambda said: said["predicate"].update(signed_at="2019-01-02T21:00:00"),
        lambda said: said["predicate"].pop("expires_at"),
    ],
)
def test_a_signed_statement_that_says_more_or_less_than_a_decision_is_refused(change):
    statement = json.loads(base64.b64decode(json.loads(SIGNED.envelope)["payload"]))
    change(statement)
    with pytest.raises(TamperedError):
        verify(RAE.sign_statement(canonical(statement)), RAE.public_key)


def test_two_signatures_are_refused():
    said = json.loads(SIGNED.envelope)
    said["signatures"] *= 2
    with pytest.raises(TamperedError):
        verify(spelled(said), RAE.public_key)


def test_a_statement_of_another_kind_is_refused():
    payload = base64.b64decode(json.loads(SIGNED.envelope)["payload"]).replace(
        b"in-toto.io/Statement", b"in-toto.io/Link"
    )
    with pytest.raises(TamperedError, match="another kind"):
        verify(RAE.sign_statement(payload), RAE.public_key)
