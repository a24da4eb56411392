"""Whose signature counts, event by event: keys, roles, vouchers, policies and section 12, each fault to the letter.

A few events are taken by `Signatories` and `Holders` themselves, without a store, an export or a replay.
"""

import json
import time
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import cbor2
import pytest
from small_ledger import LEDGER_KEY, NOW, PACKAGE, STREAM, enrolled, key, noticed, opened, paused, signature
from soft_authenticator import ORIGIN, PRESENT, RP_ID, VERIFIED, SoftAuthenticator, enrolment

from signoff.domain import events as e
from signoff.domain.errors import TamperedError, UnavailableError
from signoff.domain.events import Recorded, Vote
from signoff.domain.floor import Floor, Origin, content_digest
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.domain.statement import Statement
from signoff.ledger.authenticators import (
    algorithm_of,
    check_client_data,
    read_authenticator_data,
    verify_signature,
)
from signoff.ledger.canonical import canonical
from signoff.ledger.checkpoint import ORIGIN as LEDGER_NAME
from signoff.ledger.checkpoint import key_line
from signoff.ledger.codec import encode
from signoff.ledger.envelope import deployer_statement, statement
from signoff.ledger.floor import content_of
from signoff.ledger.holders import Holder, Holders, named_key
from signoff.ledger.signatures import Signatories, signatures_of
from signoff.ledger.source import FilesInMemory
from signoff.ledger.text import decoded
from signoff.ledger.verification import Audit, _check_note, read_chain
from signoff.ledger.webauthn import (
    check_registered,
    read_registration,
    read_vouching,
    registration_text,
    verify_payload,
    vouching_statement,
)

RISK, CTO = Role.RISK_MANAGER, Role.CTO
RAE = enrolled("Rae", RISK)
OPENED = opened()
VALIDATED = e.Validated(results=(), package=PACKAGE.digest)
ASKED = e.ApprovalRequested(manifest=PACKAGE.digest)


def recorded(event, stream=STREAM):
    people = isinstance(event, e.PersonEnrolled | e.DutiesWithdrawn | e.CredentialEnrolled | e.CredentialWithdrawn)
    policy = isinstance(event, e.PolicyProposed | e.PolicyConfirmed)
    named = "people" if people else "policy" if policy else stream
    return Recorded(stream=named, revision=1, at=NOW, actor="t", event=event)


def problems(*events, stream=STREAM):
    """What is wrong with the last of these events."""
    signatories = Signatories()
    for event in events:
        signatories.learn(recorded(event, stream))
    return signatories.problems(recorded(events[-1], stream))


def refused(act, *given, **named):
    with pytest.raises(TamperedError) as caught:
        act(*given, **named)
    return str(caught.value)


def approved(**changes):
    return e.ApprovalSigned(signature=signature(**changes))


class TestSignatures:
    def test_which_events_carry_one(self):
        one = signature()
        for event in (e.OverrideSigned(signature=one), e.ApprovalSigned(signature=one), e.ApprovalRejected(
            signature=one), e.RearmSigned(signature=one), e.PolicyConfirmed(proposal="p", signature=one)):  # fmt: skip
            assert signatures_of(event) == (one,)
        adopted = e.Adopted(
            deployment="m-1", model="m", version="1", policy=Policy(name="p", version="1"), reason="x",
            signatures=(one, one),
        )  # fmt: skip
        assert signatures_of(adopted) == (one, one)
        assert signatures_of(noticed()) == ()

    @pytest.mark.parametrize("claim", ["verdict", "conditions", "reason", "signed_at", "expires_at"])
    def test_the_record_says_what_the_envelope_says(self, claim):
        other = {
            "verdict": Vote.APPROVE, "conditions": (), "reason": "x", "signed_at": NOW - timedelta(days=1),
            "expires_at": NOW,
        }  # fmt: skip
        assert problems(RAE, OPENED, VALIDATED, ASKED, approved()) == ()
        event = e.ApprovalSigned(signature=replace(signature(), **{claim: other[claim]}))
        assert problems(RAE, OPENED, VALIDATED, ASKED, event) == (f"the envelope of Rae says another {claim}",)

    @pytest.mark.parametrize(
        ("before", "event", "said"),
        [
            ((), approved(), "Rae signed before being enrolled"),
            ((enrolled("Rae", CTO),), approved(), "Rae signed as risk_manager, a role not held"),
            (
                (RAE, e.DutiesWithdrawn(name="Rae", duties=(), roles=(RISK,), reason="left")),
                approved(), "Rae signed as risk_manager, a role not held",
            ),
            (
                (RAE,), e.ApprovalSigned(signature=replace(signature(), key_id=key("x").key_id)),
                "the signature of Rae does not hold: It names another key than the one enrolled.",
            ),
            (
                (RAE,), e.ApprovalSigned(signature=replace(signature(), tier=Tier.WEBAUTHN)),
                "the signature of Rae does not hold: It was made with an authenticator that did not count for them by "
                "then.",
            ),
            ((RAE,), approved(said={"deployment": "m-9"}), "the signature of Rae was given for m-9"),
        ],
    )  # fmt: skip
    def test_a_signature_that_does_not_count(self, before, event, said):
        assert problems(*before, OPENED, VALIDATED, ASKED, event) == (said,)

    def test_a_signature_by_an_authenticator_that_counts(self):
        made = SoftAuthenticator("EdDSA")
        record = signature()
        envelope = made.sign_statement(decoded(json.loads(record.envelope)["payload"]))
        signed = replace(record, tier=Tier.WEBAUTHN, key_id=made.key_id, envelope=envelope)
        event, held = e.ApprovalSigned(signature=signed), enrolment(made, "Rae", key("Rae"))

        assert problems(RAE, held, OPENED, VALIDATED, ASKED, event) == ()
        gone = e.CredentialWithdrawn(name="Rae", credential=made.credential().id, reason="lost")
        assert problems(RAE, held, gone, OPENED, VALIDATED, ASKED, event) == (
            "the signature of Rae does not hold: It was made with an authenticator that did not count for them by "
            "then.",
        )

    def test_a_release_is_meant_by_its_stream_or_its_id(self):
        for named in (STREAM, "m-2"):
            assert problems(RAE, OPENED, VALIDATED, ASKED, approved(said={"deployment": named})) == ()
        assert problems(RAE, OPENED, VALIDATED, ASKED, approved(said={"deployment": "2"})) == (
            "the signature of Rae was given for 2",
        )

    def test_who_lost_another_role_still_signs(self):
        both = enrolled("Rae", RISK, CTO)
        left = e.DutiesWithdrawn(name="Rae", duties=(), roles=(CTO,), reason="x")
        nobody = e.DutiesWithdrawn(name="Zoe", duties=(), roles=(RISK,), reason="x")
        assert problems(both, left, nobody, OPENED, VALIDATED, ASKED, approved()) == ()

    def test_which_bytes_are_put_to_signature(self):
        """An override is over the first that was asked, an approval over the last, a rejection over any."""
        other = "f" * 64
        later = e.ApprovalRequested(manifest=other)
        placed = "which was not put to signature here"

        def said(kind, subject, *events):
            verdict = {e.OverrideSigned: Vote.OVERRIDE, e.ApprovalSigned: Vote.CONDITIONAL}.get(kind, Vote.REJECT)
            event = kind(signature=signature(subject=subject, verdict=verdict))
            return problems(RAE, OPENED, VALIDATED, *events, event)

        first, wrong = PACKAGE.digest, (f"the signature of Rae is over {PACKAGE.digest[:12]}…, {placed}",)
        assert said(e.ApprovalSigned, other, later) == said(e.OverrideSigned, first, later) == ()
        assert said(e.ApprovalSigned, first, later) == wrong
        assert said(e.OverrideSigned, other, later) == (f"the signature of Rae is over ffffffffffff…, {placed}",)
        assert said(e.ApprovalRejected, first, later) == said(e.ApprovalRejected, other, later) == ()
        assert said(e.ApprovalRejected, "e" * 64, later) == (f"the signature of Rae is over eeeeeeeeeeee…, {placed}",)
        assert said(e.OverrideSigned, first, later, VALIDATED) == ()
        assert said(e.ApprovalRejected, other, later, VALIDATED) == (
            f"the signature of Rae is over ffffffffffff…, {placed}",
        )

    def test_whoever_the_release_is_barred_to_may_not_sign_it_and_may_reject_it(self):
        barred = replace(OPENED, barred=("Rae",))
        wrote = "submitted it, wrote it or produced evidence for it"

        assert problems(RAE, barred, VALIDATED, ASKED, approved()) == (f"Rae signed, and may not: Rae {wrote}",)
        no = e.ApprovalRejected(signature=signature(verdict=Vote.REJECT))
        assert problems(RAE, barred, VALIDATED, ASKED, no) == ()
        login = replace(OPENED, barred=("rae.m",))
        known = replace(RAE, logins=("rae.m",))
        assert problems(known, login, VALIDATED, ASKED, approved()) == (f"Rae signed, and may not: Rae {wrote}",)
        again = replace(RAE, logins=())  # an enrolment without logins keeps those on record
        assert problems(known, again, login, VALIDATED, ASKED, approved()) == (f"Rae signed, and may not: Rae {wrote}",)
        assert problems(RAE, login, VALIDATED, ASKED, approved()) == ()
        override = e.OverrideSigned(signature=signature(verdict=Vote.OVERRIDE))
        assert problems(RAE, barred, VALIDATED, override) == (f"Rae signed, and may not: Rae {wrote}",)


def deployed(**changes):
    said = {
        "manifest": PACKAGE.digest, "deployment": "m-2", "model": "m", "version": "2", "person": "Rae",
        "signed_at": NOW,
    }  # fmt: skip
    envelope = key("Rae").sign_statement(deployer_statement(**(said | changes.pop("said", {}))))
    made = e.DeployerSigned(
        person="Rae", manifest=PACKAGE.digest, signed_at=NOW, key_id=key("Rae").key_id, envelope=envelope
    )
    return replace(made, **changes)


class TestDeployer:
    BEFORE = (RAE, OPENED, VALIDATED, ASKED)
    OTHER_KEY = "Rae signed section 12 with another key than the one enrolled by then"
    OTHER_START = "the envelope of Rae was signed for another start than this one"

    def test_who_starts_it_signs_the_memo_of_this_release(self):
        assert problems(*self.BEFORE, deployed()) == ()
        assert problems(*self.BEFORE, noticed()) == ()

    @pytest.mark.parametrize("claim", ["manifest", "deployment", "model", "version", "person", "signed_at"])
    def test_an_envelope_of_another_start(self, claim):
        other = NOW - timedelta(days=1) if claim == "signed_at" else "f" * 64
        assert problems(*self.BEFORE, deployed(said={claim: other})) == (self.OTHER_START,)

    def test_another_key_or_none(self):
        assert problems(*self.BEFORE, deployed(key_id="x")) == (self.OTHER_KEY,)
        assert problems(OPENED, VALIDATED, ASKED, deployed()) == (self.OTHER_KEY,)
        assert problems(RAE, VALIDATED, ASKED, deployed()) == (self.OTHER_KEY,)

    def test_other_bytes(self):
        wrong = "Rae signed section 12 over ffffffffffff…, which was not put to signature here"

        assert problems(*self.BEFORE, deployed(manifest="f" * 64)) == (wrong,)
        later = e.ApprovalRequested(manifest="e" * 64)
        assert problems(*self.BEFORE, later, deployed()) == (wrong.replace("f" * 12, PACKAGE.digest[:12]),)

    def test_an_envelope_that_is_none(self):
        assert problems(*self.BEFORE, deployed(envelope="{}")) == (
            "the signature of Rae under section 12 does not hold: This is no envelope of a decision: 'payload'",
        )


class TestFloor:
    POLICY = Policy(name="firm", version="1")

    def confirmed(self, policy=POLICY, number=3):
        """A history in which this policy is in force, whoever signed it."""
        signatories = Signatories()
        proposed = e.PolicyProposed(
            proposal="p", number=number, replaces="", content=content_of(policy), expires_at=NOW,
            signature=signature(),
        )  # fmt: skip
        for event in (proposed, e.PolicyConfirmed(proposal="p", signature=signature())):
            signatories.learn(recorded(event))
        return signatories

    def held(self, policy=POLICY, *, number=3, in_force=POLICY, digest=None):
        floor = Floor(
            origin=Origin.BUILT_IN, name="firm", version="1", number=number,
            digest=digest or content_digest(content_of(in_force)),
        )  # fmt: skip
        signatories = self.confirmed(in_force)
        event = replace(OPENED, policy=policy, floor=floor)
        signatories.learn(recorded(event))
        return signatories.problems(recorded(event))

    def test_a_release_is_opened_under_the_policy_in_force(self):
        another = "it was opened under another policy than version 3, which was in force"

        assert self.held() == ()
        assert self.held(number=2) == (another,)
        assert self.held(digest="0" * 64) == (another,)
        signatories = self.confirmed()
        assert signatories.problems(recorded(OPENED)) == (another,)
        assert signatories.problems(recorded(noticed())) == ()
        assert Signatories().problems(recorded(OPENED)) == ()

    def test_it_may_be_stricter_and_not_looser(self):
        strict = replace(self.POLICY, approvals=replace(self.POLICY.approvals, expires_days=29))
        loose = replace(self.POLICY, approvals=replace(self.POLICY.approvals, expires_days=31))

        assert self.held(strict) == ()
        assert self.held(loose) == ("it is held to less than version 3 of the policy in approvals.expires_days",)


class TestPolicies:
    """Two people change a policy; the second may hold a role that the first one does not know."""

    POLICY = Policy(name="firm", version="1")
    SUBJECT = "5" * 64

    def signed(self, person, role, verdict, **changes):
        return signature(
            person, role, verdict=verdict, subject=self.SUBJECT, said={"deployment": "policy"}, **changes
        )  # fmt: skip

    def proposed(self, person="Rae", role=RISK, policy=POLICY, proposal="p", verdict=Vote.PROPOSE_POLICY, **changes):
        return e.PolicyProposed(
            proposal=proposal, number=1, replaces="", content=content_of(policy), expires_at=NOW,
            signature=self.signed(person, role, verdict, **changes),
        )  # fmt: skip

    def confirmed(self, person="Zoe", role=CTO, proposal="p", verdict=Vote.CONFIRM_POLICY):
        return e.PolicyConfirmed(proposal=proposal, signature=self.signed(person, role, verdict))

    PEOPLE = (RAE, enrolled("Zoe", CTO), enrolled("Mo", Role.MODEL_OWNER))

    def test_two_who_may_do(self):
        assert problems(*self.PEOPLE, self.proposed()) == ()
        assert problems(*self.PEOPLE, self.proposed(), self.confirmed()) == ()

    def test_who_may_not_changes_no_policy(self):
        assert problems(*self.PEOPLE, self.proposed("Mo", Role.MODEL_OWNER)) == (
            "Mo signed as model_owner to propose_policy, which changes no policy",
        )
        assert problems(*self.PEOPLE, self.proposed(verdict=Vote.APPROVE)) == (
            "Rae signed as risk_manager to approve, which changes no policy",
        )
        assert problems(*self.PEOPLE, self.proposed(), self.confirmed("Mo", Role.MODEL_OWNER)) == (
            "Mo signed as model_owner to confirm_policy, which changes no policy",
        )
        assert problems(*self.PEOPLE, self.proposed(), self.confirmed(verdict=Vote.PROPOSE_POLICY)) == (
            "Zoe signed as cto to propose_policy, which changes no policy",
        )

    @pytest.mark.parametrize("logins", [((), ()), (("zoe",), ("ZOE", "x")), (("z",), ("z",))])
    def test_one_person_under_two_names_is_one(self, logins):
        first, second = logins
        rae = replace(enrolled("Rae", RISK, CTO), logins=first)
        zoe = replace(enrolled("Zoe", CTO), logins=second)
        same = "Rae" if not first else "Zoe"
        found = problems(rae, zoe, self.proposed(), self.confirmed(same, CTO))
        assert found == (f"{same} confirmed a policy that they proposed themselves",)

    def test_a_policy_in_force_says_how_strong_its_change_is_signed(self):
        strong = replace(self.POLICY, approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN))
        weak = "the signature of {} is weaker than the policy that was in force asks for"
        in_force = (*self.PEOPLE, self.proposed(policy=strong), self.confirmed())

        assert problems(*in_force) == ()  # what it replaced asked for less
        again = self.proposed(proposal="q")
        assert problems(*in_force, again) == (weak.format("Rae"),)
        assert problems(*in_force, again, self.confirmed(proposal="q")) == (weak.format("Zoe"),)
        role = replace(self.POLICY, approvals=ApprovalPolicy(webauthn_roles=(CTO,)))
        mixed = (*self.PEOPLE, self.proposed(policy=role), self.confirmed(), again)
        assert problems(*mixed) == ()
        assert problems(*mixed, self.confirmed(proposal="q")) == (weak.format("Zoe"),)


def taken(*events):
    holders = Holders()
    return holders, [holders.take(event) for event in events]


class TestHolders:
    def test_who_never_held_anything_begins_with_an_authenticator_and_vouches_by_it(self):
        first, second = SoftAuthenticator("EdDSA"), SoftAuthenticator("EdDSA")
        holders, said = taken(enrolment(first, "Rae"), enrolment(second, "Rae", first))

        assert said == [None, None]
        assert [c.key_id for c in holders.holder("Rae").credentials] == [first.key_id, second.key_id]
        assert holders.credential("Rae", second.key_id).id == second.credential().id
        assert holders.credential("Rae", "x") is holders.credential("Zoe", first.key_id) is None
        assert holders.holder("Zoe") == Holder()
        assert holders.holder("Rae").has_held
        assert {second.key_id, second.credential().id, first.key_id, first.credential().id} == holders.taken

    def test_one_that_is_withdrawn_counts_no_more_and_comes_back_to_nobody(self):
        first, second = SoftAuthenticator("EdDSA"), SoftAuthenticator("EdDSA")
        gone = e.CredentialWithdrawn(name="Rae", credential=first.credential().id, reason="lost")
        holders, said = taken(RAE, enrolment(first, "Rae", key("Rae")), enrolment(second, "Rae", first), gone)

        assert said == [None] * 4
        assert [c.key_id for c in holders.holder("Rae").credentials] == [second.key_id]
        assert holders.take(enrolment(first, "Rae", second)) == (
            "the authenticator 'token' of Rae does not count: It was enrolled before; a credential belongs to one "
            "person and is enrolled once."
        )
        assert holders.holder("Rae").first_key == RAE.public_key

    def test_the_first_key_vouches_and_a_later_one_does_not(self):
        made = SoftAuthenticator("EdDSA")
        later = replace(RAE, public_key=key("later").public_key, key_id=key("later").key_id)
        lost = (
            "the authenticator 'token' of Rae does not count: It was vouched for with something that its person does "
            "not hold, or with a key that replaced their first one."
        )

        assert taken(RAE, enrolment(made, "Rae", key("Rae")))[1][-1] is None
        for voucher in (key("Rae"), key("later")):
            assert taken(RAE, later, enrolment(made, "Rae", voucher))[1][-1] == lost
        assert taken(RAE, later, RAE, enrolment(made, "Rae", key("Rae")))[1][-1] is None
        keyless = replace(RAE, public_key="", key_id="")
        assert taken(RAE, keyless, enrolment(made, "Rae", key("Rae")))[1][-1] is None
        assert taken(keyless, enrolment(made, "Rae"))[1][-1] is None
        held, _ = taken(enrolment(made, "Rae"), RAE)
        assert (held.holder("Rae").vouching_key, held.holder("Rae").present_key) == ("", RAE.public_key)
        assert len(held.holder("Rae").credentials) == 1

    @pytest.mark.parametrize(
        ("before", "voucher", "why"),
        [
            ((), "Rae", "It has a voucher, and its person had no earlier key or authenticator to vouch with."),
            ((RAE,), None, "Its person did not vouch for it with an earlier key or authenticator."),
            ((RAE,), "Zoe", "The envelope is not in its canonical form, or names another key."),
        ],
    )
    def test_why_one_does_not_count(self, before, voucher, why):
        event = enrolment(SoftAuthenticator("EdDSA"), "Rae", None if voucher is None else key(voucher), "laptop")
        holders, said = taken(*before, event)

        assert said[-1] == f"the authenticator 'laptop' of Rae does not count: {why}"
        assert holders.holder("Rae").credentials == ()
        assert holders.taken == set()
        assert problems(*before, event) == (said[-1],)

    def test_a_voucher_for_another_one_does_not_count(self):
        made, other = SoftAuthenticator("EdDSA"), SoftAuthenticator("EdDSA")
        voucher = key("Rae").sign_statement(vouching_statement("Rae", other.credential("token")))
        event = replace(enrolment(made, "Rae"), voucher=voucher)
        assert taken(RAE, event)[1][-1] == (
            "the authenticator 'token' of Rae does not count: Its person vouched for another one."
        )
        named = key("Rae").sign_statement(vouching_statement("Zoe", made.credential("token")))
        assert taken(RAE, replace(event, voucher=named))[1][-1].endswith("vouched for another one.")

    def test_the_key_that_an_envelope_names(self):
        assert named_key(signature().envelope) == key("Rae").key_id
        for text in ("", "{}", "[]", '{"signatures":[]}', '{"signatures":[{}]}', "[" * 9999):
            assert refused(named_key, text).startswith("This is no envelope: ")


ONE = SoftAuthenticator("EdDSA")
PLAIN_DATA = sha256(RP_ID.encode()).digest()


class TestAuthenticatorData:
    def test_its_parts(self):
        content = PLAIN_DATA + b"\x05" + (258).to_bytes(4)
        read = read_authenticator_data(content)

        assert (read.rp_id_hash, read.flags, read.sign_count, read.credential) == (PLAIN_DATA, 5, 258, None)
        assert [read.has(flag) for flag in (1, 2, 4, 8)] == [True, False, True, False]

    @pytest.mark.parametrize("length", [1, 1023])
    def test_a_new_credential(self, length):
        name = bytes(length - 1) + b"\x07"
        content = PLAIN_DATA + b"\x45" + bytes(4) + bytes(range(16)) + length.to_bytes(2) + name + ONE.public_key
        read = read_authenticator_data(content).credential

        assert (read.aaguid, read.id, read.public_key) == (bytes(range(16)), name, ONE.public_key)
        extended = content[:32] + b"\xc5" + content[33:] + b"\xa1\x61x\xf5"
        assert read_authenticator_data(extended).credential == read

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (bytes(36), "authenticator data has at least 37 bytes, found 36"),
            (bytes(38), "1 bytes follow the authenticator data"),
            (bytes(32) + b"\x10" + bytes(4), "a credential that cannot be backed up is marked as backed up"),
            (bytes(32) + b"\x80" + bytes(4) + b"\x01", "the extensions of authenticator data are a map"),
            (bytes(32) + b"\x40" + bytes(4), "a credential's id has 1 to 1023 bytes"),
            (bytes(32) + b"\x40" + bytes(4) + bytes(18) + b"\xa0", "a credential's id has 1 to 1023 bytes"),
            (
                bytes(32) + b"\x40" + bytes(4) + bytes(16) + (1024).to_bytes(2) + bytes(1024) + b"\xa0",
                "a credential's id has 1 to 1023 bytes",
            ),
            (
                bytes(32) + b"\x40" + bytes(4) + bytes(16) + (2).to_bytes(2) + b"\x01",
                "a credential's id has 1 to 1023 bytes",
            ),
            (bytes(32) + b"\x40" + bytes(4) + bytes(16) + (1).to_bytes(2) + b"\x01", "a value is missing"),
        ],
    )
    def test_what_is_refused(self, content, why):
        with pytest.raises(ValueError, match=r".") as caught:
            read_authenticator_data(content)
        assert str(caught.value) == why

    def test_what_is_backed_up_may_be(self):
        assert read_authenticator_data(bytes(32) + b"\x18" + bytes(4)).flags == 0x18
        assert read_authenticator_data(bytes(37)).sign_count == 0


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_signature_of_each_algorithm(algorithm):
    made = SoftAuthenticator(algorithm)
    signed = made.sign(b"words")

    assert algorithm_of(made.public_key) == algorithm
    assert verify_signature(made.public_key, signed, b"words") is None
    with pytest.raises(ValueError, match=r"^the signature does not hold for these bytes and this key$"):
        verify_signature(made.public_key, signed, b"other words")
    with pytest.raises(ValueError, match=r"^the signature does not hold"):
        verify_signature(SoftAuthenticator(algorithm).public_key, signed, b"words")


def client(**said):
    content = {"type": "webauthn.get", "challenge": "Y2g", "origin": ORIGIN} | said
    return json.dumps({name: value for name, value in content.items() if value is not None}).encode()


class TestClientData:
    def checked(self, content, challenge=b"ch"):
        return check_client_data(content, kind="webauthn.get", challenge=challenge, origin=ORIGIN)

    @pytest.mark.parametrize("said", [{}, {"crossOrigin": False}, {"other": 1}])
    def test_what_is_taken(self, said):
        assert self.checked(client(**said)) is None
        assert self.checked(client(challenge="other", **said), None) is None

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (client(type="x"), "Expected client data of type 'webauthn.get', found 'x'."),
            (client(type=None), "Expected client data of type 'webauthn.get', found None."),
            (client(challenge="Y2h"), "The authenticator answered another challenge: it signed another statement."),
            (client(challenge=None), "The authenticator answered another challenge: it signed another statement."),
            (client(origin="https://x"), f"Expected a request from {ORIGIN!r}, found one from 'https://x'."),
            (client(origin=None), f"Expected a request from {ORIGIN!r}, found one from None."),
            *(
                (client(**said), "Expected a request from the site's own page, found one from a frame in another "
                 "site's page.")
                for said in ({"crossOrigin": True}, {"crossOrigin": 0}, {"topOrigin": ORIGIN},
                             {"topOrigin": "x", "crossOrigin": True})
            ),
            (b"[]", "The browser's client data are not a JSON object."),
            (b"{", "The browser's client data are not JSON: Expecting property name enclosed in double quotes: line 1 "
             "column 2 (char 1)"),
            (b'{"a":1,"a":2}', "The browser's client data are not JSON: a name is repeated"),
            (b'{"a":NaN}', "The browser's client data are not JSON: NaN is no JSON"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, content, why):
        assert refused(self.checked, content) == why


class TestRegistration:
    def read(self, text=None, rp_id=RP_ID, origin=ORIGIN, **options):
        made = registration_text(*ONE.registered()) if text is None else text
        return read_registration(made, rp_id=rp_id, origin=origin, label="x", **options)

    @pytest.mark.parametrize(
        ("rp_id", "origin", "is_safe"),
        [
            ("signoff.example", "https://signoff.example", True),
            ("signoff.example", "https://signoff.example:8443", True),
            ("example", "https://signoff.example", True),
            ("localhost", "http://localhost:1", True),
            ("localhost", "https://localhost", True),
            ("signoff.example", "http://signoff.example", False),
            ("signoff.example", "ftp://signoff.example", False),
            ("signoff.example", "https://example", False),
            ("off.example", "https://signoff.example", False),
            ("", "https://signoff.example", False),
            ("signoff.example", "https://signoff.example/", False),
        ],
    )
    def test_a_site_is_safe_and_its_own(self, rp_id, origin, is_safe):
        made = SoftAuthenticator("EdDSA", rp_id=rp_id, origin=origin)
        text = registration_text(*made.registered())
        if is_safe:
            assert self.read(text, rp_id, origin).rp_id == rp_id
        else:
            assert refused(self.read, text, rp_id, origin) == f"A credential of {rp_id!r} cannot be made at {origin!r}."

    def test_what_the_credential_says(self):
        made = self.read(challenge=b"c" * 32)

        assert (made.rp_id, made.origin, made.label, made.attestation) == (RP_ID, ORIGIN, "x", "none")
        assert (made.public_key, made.key_id) == (ONE.public_key.hex(), sha256(ONE.public_key).hexdigest())
        assert (made.aaguid, made.is_backup_eligible, made.is_backed_up) == ("00" * 16, False, False)
        for flags, eligible, up in ((0x4D, True, False), (0x5D, True, True)):
            synced = self.read(registration_text(*ONE.registered(flags=flags)))
            assert (synced.is_backup_eligible, synced.is_backed_up) == (eligible, up)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("{}", "This registration does not hold: 'attestationObject'"),
            (registration_text(*ONE.registered()) + " ", "The registration is not in its canonical form."),
            (
                registration_text(*ONE.registered(flags=PRESENT | VERIFIED)),
                "This registration does not hold: 100 bytes follow the authenticator data",
            ),
            (registration_text(*ONE.registered(flags=0x44)), "Nobody touched the authenticator."),
            (
                registration_text(*ONE.registered(flags=0x41)),
                "The authenticator did not verify who touched it (PIN, finger or face).",
            ),
            (
                registration_text(b"\xa0", ONE.registered()[1]),
                "The registration holds another attestation object than authenticators write.",
            ),
        ],
    )
    def test_what_is_refused(self, text, why):
        found = refused(self.read, text)
        assert found == why or (" bytes follow" in why and found.endswith(" bytes follow the authenticator data"))

    def test_an_answer_without_a_credential(self):
        content = {"fmt": "none", "attStmt": {}, "authData": ONE.data(PRESENT | VERIFIED)}
        text = registration_text(cbor2.dumps(content), ONE.registered()[1])
        assert refused(self.read, text) == "The registration holds no credential."

    def test_another_challenge_or_site(self):
        assert refused(self.read, challenge=b"d" * 32) == (
            "The authenticator answered another challenge: it signed another statement."
        )
        other = SoftAuthenticator("EdDSA", rp_id="elsewhere.example")
        assert refused(self.read, registration_text(*other.registered())) == (
            f"The authenticator answered for another site than {RP_ID}."
        )

    def test_an_enrolment_matches_its_answer(self):
        event = enrolment(ONE, "Rae")
        assert check_registered(event) is None
        for changes in ({"label": "y"}, {"aaguid": "11" * 16}, {"is_backed_up": True}):
            altered = replace(event, credential=replace(event.credential, **changes))
            if "label" in changes:
                assert check_registered(altered) is None
                continue
            assert refused(check_registered, altered) == (
                "The credential differs from the one in the authenticator's answer."
            )

    def test_a_vouching_statement_comes_back(self):
        credential = ONE.credential()
        content = vouching_statement("Rae", credential)

        assert read_vouching(content) == ("Rae", credential)
        assert json.loads(content)["subject"] == [{"name": "credential", "digest": {"sha256": credential.key_id}}]
        wider = canonical(json.loads(content) | {"more": 1})
        assert refused(read_vouching, wider) == (
            "Expected a statement that a credential belongs to its person, found another."
        )
        assert refused(read_vouching, b"{}") == "This is no statement about a credential: 'predicate'"


class TestAssertion:
    PAYLOAD = canonical({"of": "somebody"})

    @pytest.mark.parametrize(
        ("off", "why"),
        [
            ({"flags": VERIFIED}, "Nobody touched the authenticator."),
            ({"flags": PRESENT}, "The authenticator did not verify who touched it (PIN, finger or face)."),
            ({"rp_id": "x.example"}, f"The authenticator answered for another site than {RP_ID}."),
            ({"flags": 0x0D}, "The credential's backup eligibility differs from the one at its enrolment."),
            ({"kind": "x"}, "Expected client data of type 'webauthn.get', found 'x'."),
            ({"challenge": b"x"}, "The authenticator answered another challenge: it signed another statement."),
        ],
    )
    def test_one_that_does_not_hold(self, off, why):
        assert refused(verify_payload, ONE.envelope(self.PAYLOAD, **off), ONE.credential()) == why
        assert verify_payload(ONE.envelope(self.PAYLOAD), ONE.credential()) == self.PAYLOAD

    def test_what_is_none(self):
        good = ONE.envelope(self.PAYLOAD)
        assert refused(verify_payload, "{}", ONE.credential()) == "This assertion does not hold: 'signatures'"
        assert refused(verify_payload, good + " ", ONE.credential()) == (
            "The envelope is not in its canonical form, or names another credential."
        )
        other = SoftAuthenticator("EdDSA")
        assert refused(verify_payload, good, other.credential()) == (
            "The envelope is not in its canonical form, or names another credential."
        )


class TestWhatCannotBeChecked:
    def test_a_key_file_of_another_time_stays_open(self, monkeypatch):
        def unknown(_content):
            raise UnavailableError("not here")

        monkeypatch.setattr("signoff.ledger.verification.parse_chain", unknown)
        audit = Audit()
        assert read_chain(b"x", audit, None) is None
        assert (audit.found, audit.open) == ([], [("key.pub", "not here")])

    def test_a_note_of_another_algorithm_stays_open(self, monkeypatch):
        def unknown(_note, _keys):
            raise UnavailableError("not here")

        monkeypatch.setattr("signoff.ledger.checkpoint.text_of", unknown)
        audit = Audit()
        chain = read_chain(key_line(LEDGER_NAME, LEDGER_KEY.public_bytes), audit, None)
        files = FilesInMemory({"manifest.note": b"x"})
        _check_note(files, frozenset(files.names()), chain, audit)
        assert (audit.found, audit.open) == ([], [("manifest.note", "not here")])
        _check_note(files, frozenset(files.names()), None, audit)
        assert len(audit.open) == 1


def written():
    """What says a time: an event, a decision, and the start of a rollout."""
    decided = Statement(
        subject="f" * 64, deployment="m-2", model="m", version="2", person="Rae", role=RISK, verdict=Vote.APPROVE,
        conditions=(), reason="", signed_at=NOW, expires_at=NOW,
    )  # fmt: skip
    started = deployer_statement(
        manifest="f" * 64, deployment="m-2", model="m", version="2", person="Rae", signed_at=NOW
    )
    return encode(recorded(paused())), statement(decided), started


def test_times_are_written_in_utc_wherever_the_machine_stands(monkeypatch):
    here = written()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert written() == here
    finally:
        monkeypatch.undo()
        time.tzset()
    assert b'"at":"2019-01-02T21:00:00.000000Z"' in here[0]
    assert here[1].count(b"2019-01-02T21:00:00+00:00") == 2
