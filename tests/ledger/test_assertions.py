"""What counts as an authenticator's signature, read from its bytes; a second library agrees on each."""

import base64
import json
from dataclasses import replace
from hashlib import sha256

import pytest
import webauthn
from hypothesis import given
from hypothesis import strategies as st
from soft_authenticator import (
    ALGORITHMS,
    ORIGIN,
    PRESENT,
    RP_ID,
    VERIFIED,
    SoftAuthenticator,
    assertion_envelope,
    plain,
)
from webauthn.helpers.exceptions import WebAuthnException

from signoff.domain.errors import TamperedError
from signoff.ledger.canonical import canonical
from signoff.ledger.webauthn import (
    challenge_of,
    read_registration,
    registration_text,
    verify_payload,
    vouching_statement,
)

PAYLOAD = canonical({"_type": "a statement", "of": "some body"})  # of a length that base64 pads
OTHER = canonical({"_type": "a statement", "of": "somebody else"})


def theirs(authenticator, payload, data, client, signature):
    """The verdict of py_webauthn on the same assertion."""
    response = {
        "authenticatorData": plain(data),
        "clientDataJSON": plain(client),
        "signature": plain(signature),
        "userHandle": None,
    }
    credential = {"id": plain(authenticator.id), "rawId": plain(authenticator.id), "type": "public-key"}
    try:
        webauthn.verify_authentication_response(
            credential=credential | {"response": response},
            expected_challenge=challenge_of(payload),
            expected_rp_id=RP_ID,
            expected_origin=ORIGIN,
            credential_public_key=authenticator.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except WebAuthnException:
        return False
    return True


def ours(authenticator, payload, data, client, signature):
    text = assertion_envelope(
        payload, authenticator.credential(), authenticator_data=data, client_data=client, signature=signature
    )
    try:
        return verify_payload(text, authenticator.credential()) == payload
    except TamperedError:
        return False


@pytest.fixture(scope="module", params=ALGORITHMS)
def authenticator(request):
    return SoftAuthenticator(request.param)


def test_a_signature_over_these_words_holds_and_both_say_so(authenticator):
    parts = authenticator.assertion(challenge_of(PAYLOAD))
    assert ours(authenticator, PAYLOAD, *parts)
    assert theirs(authenticator, PAYLOAD, *parts)


@pytest.mark.parametrize(
    "off",
    [
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": 0},
        {"rp_id": "elsewhere.example"},
        {"origin": "https://elsewhere.example"},
        {"origin": "https://signoff.example:8443"},
        {"kind": "webauthn.create"},
    ],
    ids=str,
)
def test_an_assertion_made_otherwise_is_refused_and_both_say_so(authenticator, off):
    parts = authenticator.assertion(challenge_of(PAYLOAD), **off)
    assert not ours(authenticator, PAYLOAD, *parts)
    assert not theirs(authenticator, PAYLOAD, *parts)


def test_an_assertion_over_other_words_is_refused_and_both_say_so(authenticator):
    parts = authenticator.assertion(challenge_of(OTHER))
    assert not ours(authenticator, PAYLOAD, *parts)
    assert not theirs(authenticator, PAYLOAD, *parts)


def test_every_altered_byte_is_refused_and_both_say_so(authenticator):
    parts = authenticator.assertion(challenge_of(PAYLOAD))
    for which, part in enumerate(parts):
        for place in range(0, len(part), 7):
            altered = bytearray(part)
            altered[place] ^= 1
            spoiled = [*parts[:which], bytes(altered), *parts[which + 1 :]]
            assert not ours(authenticator, PAYLOAD, *spoiled), (which, place)
            assert not theirs(authenticator, PAYLOAD, *spoiled), (which, place)


def test_a_registration_is_read_alike(authenticator):
    attestation, client = authenticator.registered()
    read = webauthn.verify_registration_response(
        credential={
            "id": plain(authenticator.id),
            "rawId": plain(authenticator.id),
            "type": "public-key",
            "response": {"attestationObject": plain(attestation), "clientDataJSON": plain(client)},
        },
        expected_challenge=b"c" * 32,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        require_user_verification=True,
    )
    mine = authenticator.credential()
    assert (bytes.fromhex(mine.public_key), mine.attestation) == (read.credential_public_key, str(read.fmt))
    assert (mine.id, mine.is_backed_up) == (plain(read.credential_id), read.credential_backed_up)
    assert mine.algorithm == authenticator.algorithm
    assert mine.key_id == sha256(authenticator.public_key).hexdigest()


@pytest.mark.parametrize("signer", ALGORITHMS)
@pytest.mark.parametrize("claimed", ALGORITHMS)
def test_a_key_is_for_one_algorithm_only(signer, claimed):
    """The signature of one key under the credential of another, whatever each says of itself."""
    forger, victim = SoftAuthenticator(signer), SoftAuthenticator(claimed)
    envelope = forger.envelope(PAYLOAD, credential=victim.credential())
    with pytest.raises(TamperedError):
        verify_payload(envelope, victim.credential())


ONE = SoftAuthenticator("EdDSA")
GOOD = ONE.envelope(PAYLOAD, padding="")  # each of its parts is padded in base64


def respelt(**changes):
    """A good envelope with some of its parts written otherwise."""
    said = json.loads(GOOD)
    given = said["signatures"][0]
    for name, change in changes.items():
        place = said if name in said else given
        place[name] = change(place[name])
    return canonical(said).decode()


def loosely(text):
    """The same bytes in base64 whose unused bits are set, where there are any; else with a line's end."""
    if not text.endswith("="):
        return text + "\n"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body, padding = text.rstrip("="), "=" * (len(text) - len(text.rstrip("=")))
    looser = body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + padding
    assert base64.b64decode(looser) == base64.b64decode(text)
    return looser


@pytest.mark.parametrize("name", ["payload", "authenticatorData", "clientDataJSON", "sig"])
@pytest.mark.parametrize("spell", [loosely, lambda t: t.replace("=", ""), lambda t: t + " ", lambda t: t + "===="])
def test_bytes_in_another_spelling_are_refused(name, spell):
    text = respelt(**{name: spell})
    assert text != GOOD
    assert verify_payload(GOOD, ONE.credential()) == PAYLOAD
    with pytest.raises(TamperedError):
        verify_payload(text, ONE.credential())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"payload":1}',
        "[" * 5000,
        canonical({"payload": "", "payloadType": "x", "signatures": []}).decode(),
        canonical({"payload": "", "payloadType": "x", "signatures": [1]}).decode(),
        json.dumps(json.loads(ONE.envelope(PAYLOAD))),
        ONE.envelope(PAYLOAD) + " ",
        respelt(keyid=lambda _: "0" * 64),
        respelt(credential=lambda _: "other"),
    ],
)
def test_what_is_no_envelope_in_its_one_form_is_refused(text):
    with pytest.raises(TamperedError):
        verify_payload(text, ONE.credential())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"crossOrigin": True}, "another site"),
        ({"topOrigin": "https://elsewhere.example"}, "another site"),
        ({"type": "payment.get"}, "Expected client data of type"),
        ({"origin": None}, "Expected a request from"),
    ],
)
def test_what_the_browser_said_is_what_was_enrolled(changed, why):
    with pytest.raises(TamperedError, match=why):
        verify_payload(ONE.envelope(PAYLOAD, **changed), ONE.credential())


def test_a_name_that_stands_twice_in_the_browsers_part_is_refused():
    """A reader that takes the first and one that takes the last would see different origins."""
    client = ONE.client_data("webauthn.get", challenge_of(PAYLOAD))
    doubled = client[:-1] + b',"origin":"https://elsewhere.example"}'
    data = ONE.data(PRESENT | VERIFIED)
    signature = ONE.sign(data + sha256(doubled).digest())
    text = assertion_envelope(
        PAYLOAD, ONE.credential(), authenticator_data=data, client_data=doubled, signature=signature
    )
    with pytest.raises(TamperedError, match="repeated"):
        verify_payload(text, ONE.credential())


def test_a_credential_that_turns_into_a_synced_one_is_refused():
    text = ONE.envelope(PAYLOAD, flags=PRESENT | VERIFIED | 0x08)
    with pytest.raises(TamperedError, match="backup eligibility"):
        verify_payload(text, ONE.credential())
    with pytest.raises(TamperedError, match="backed up"):
        verify_payload(ONE.envelope(PAYLOAD, flags=PRESENT | VERIFIED | 0x10), ONE.credential())


def test_bytes_behind_the_authenticators_data_are_refused_and_extensions_are_read():
    client = ONE.client_data("webauthn.get", challenge_of(PAYLOAD))
    for flags, tail, holds in ((0x05, b"\0", False), (0x85, b"\xa1\x61x\xf5", True), (0x85, b"\xa1\x61x\xf5\0", False)):
        data = ONE.data(flags) + tail
        signature = ONE.sign(data + sha256(client).digest())
        assert ours(ONE, PAYLOAD, data, client, signature) == holds, (flags, tail)


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        ("signoff.example", "http://signoff.example"),
        ("signoff.example", "https://elsewhere.example"),
        ("signoff.example", "https://evilsignoff.example"),
        ("signoff.example", "https://signoff.example/path"),
        ("", "https://signoff.example"),
    ],
)
def test_a_credential_belongs_to_one_safe_site(rp_id, origin):
    made = SoftAuthenticator(rp_id=rp_id or RP_ID, origin=origin)
    with pytest.raises(TamperedError, match=r"cannot be made|another site"):
        read_registration(registration_text(*made.registered()), rp_id=rp_id, origin=origin, label="x")


def test_a_credential_may_belong_to_the_domain_above_or_to_this_machine():
    for rp_id, origin in (("example.com", "https://signoff.example.com:8443"), ("localhost", "http://localhost:8400")):
        made = SoftAuthenticator(rp_id=rp_id, origin=origin)
        assert made.credential().rp_id == rp_id
        assert verify_payload(made.envelope(PAYLOAD), made.credential()) == PAYLOAD


@pytest.mark.parametrize("flags", [0x40, 0x41, 0x44, 0x05])
def test_a_credential_is_made_by_a_person_who_was_verified(flags):
    with pytest.raises(TamperedError):
        read_registration(registration_text(*ONE.registered(flags=flags)), rp_id=RP_ID, origin=ORIGIN, label="x")


def test_the_statement_of_a_voucher_covers_every_field():
    credential = ONE.credential()
    said = {vouching_statement("R. Moreau", credential), vouching_statement("C. Yamada", credential)}
    for name in credential.__dataclass_fields__:
        value = getattr(credential, name)
        said.add(
            vouching_statement(
                "R. Moreau", replace(credential, **{name: (not value) if isinstance(value, bool) else value + "0"})
            )
        )
    assert len(said) == 2 + len(credential.__dataclass_fields__)


def test_every_altered_byte_of_an_envelope_is_refused():
    for place in range(len(GOOD)):
        for flip in (1, 32):
            altered = GOOD[:place] + chr(ord(GOOD[place]) ^ flip) + GOOD[place + 1 :]
            with pytest.raises(TamperedError):
                verify_payload(altered, ONE.credential())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["AA==", "webauthn.get", "none"]),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=9), v, max_size=3),
    max_leaves=8,
)
PARTS = st.fixed_dictionaries(
    {
        "payload": JSON,
        "payloadType": JSON,
        "signatures": st.lists(
            st.dictionaries(
                st.sampled_from(["authenticatorData", "clientDataJSON", "credential", "keyid", "sig"]), JSON
            ),
            max_size=2,
        ),
    }
)


@given(JSON | PARTS)
def test_whatever_is_presented_is_refused_and_breaks_nothing(said):
    text = json.dumps(said)
    with pytest.raises(TamperedError):
        verify_payload(text, ONE.credential())
    with pytest.raises(TamperedError):
        read_registration(text, rp_id=RP_ID, origin=ORIGIN, label="x")


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=80))
def test_whatever_bytes_an_authenticator_gives_are_refused_and_break_nothing(data, client, signature):
    assert not ours(ONE, PAYLOAD, data, client, signature)
    with pytest.raises(TamperedError):
        read_registration(registration_text(data, client), rp_id=RP_ID, origin=ORIGIN, label="x")


@given(st.binary(max_size=200))
def test_whatever_follows_a_good_beginning_of_a_registration_is_refused_or_read(tail):
    attestation, client = ONE.registered()
    place = attestation.index(b"authData") + 10
    for altered in (attestation[:place] + tail, attestation + tail[:3] if tail else attestation[:-1]):
        with pytest.raises(TamperedError):
            read_registration(registration_text(altered, client), rp_id=RP_ID, origin=ORIGIN, label="x")
