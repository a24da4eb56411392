"""Authenticators and their signatures over HTTP: what a server takes, and what it refuses with a sentence."""

import json

import httpx
import pytest
from cast_of_six import PEOPLE
from signed_in import begun
from soft_authenticator import PRESENT, VERIFIED, SoftAuthenticator

from signoff.ledger.canonical import canonical
from signoff.ledger.replay import replay
from signoff.ledger.text import decoded, encoded
from signoff.ledger.verification import verify_export

MOREAU, YAMADA = PEOPLE["risk_manager"], PEOPLE["cto"]


class Desk:
    """A person's browser, signed in just now, without a page."""

    def __init__(self, firm, role):
        self.firm, self.role = firm, role
        self.browser = httpx.Client(timeout=30)
        firm.clients.append(self.browser)
        place = firm.url
        number, session = firm_session(firm, PEOPLE[role])
        self.browser.cookies.set("signoff", number, domain="127.0.0.1")
        self.headers = {"x-csrf-token": session.csrf, "origin": place}

    def get(self, path):
        return self.browser.get(f"{self.firm.url}/api/v1{path}")

    def post(self, path, body, **headers):
        return self.browser.post(f"{self.firm.url}/api/v1{path}", json=body, headers=self.headers | headers)

    def authenticator(self, algorithm="ES256"):
        return SoftAuthenticator(algorithm, rp_id="localhost", origin=self.firm.site)

    def register(self, made, *, challenge=None, **off):
        asked = self.post("/credentials/options", {}).json()
        given = challenge or decoded(asked["challenge"])
        attestation, client = made.registered(given, **off)
        return self.post("/credentials", registration(given, attestation, client))

    def enrolled(self, made):
        """Register an authenticator and vouch for it with the person's key."""
        waiting = self.register(made).json()["waiting"]
        key = self.firm.house.key_of(PEOPLE[self.role])
        envelope = key.sign_statement(decoded(waiting["statement"]))
        answer = self.post("/credentials/vouchers", {"envelope": envelope})
        assert answer.status_code == 200, answer.text
        return made

    def statement(self, release, **asked):
        said = {"role": self.role, "verdict": "approve", **asked}
        answer = self.post(f"/deployments/{release}/statements", said)
        assert answer.status_code == 200, answer.text
        return decoded(answer.json()["statement"])

    def approve(self, release, envelope, **asked):
        return self.post(f"/deployments/{release}/approvals", {"role": self.role, "envelope": envelope, **asked})


def firm_session(firm, name):
    return begun(firm.house, name)


def registration(challenge, attestation, client, label="token"):
    from signoff.ledger.text import url_encoded

    return {
        "label": label,
        "challenge": url_encoded(challenge),
        "attestation_object": encoded(attestation),
        "client_data": encoded(client),
    }


def credential_of(made):
    return made.credential("token")


@pytest.fixture(scope="module")
def risk(firm):
    desk = Desk(firm, "risk_manager")
    desk.made = desk.enrolled(desk.authenticator())
    return desk


def test_the_provider_signs_people_in_and_the_pages_hold_no_data(firm):
    with httpx.Client(timeout=30) as browser:
        for place in (
            "/credentials",
            "/sign/momentum-1.1.0-adopted",
            "/rearm/momentum",
            "/pages/signing.js",
            "/pages/pages.css",
        ):
            answer = browser.get(f"{firm.url}{place}")
            assert answer.status_code == 200
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "://" not in answer.text.replace("http://www.w3.org", "")
            assert MOREAU not in answer.text
        for place in ("/pages/app.py", "/pages/..%2fapp.py", "/pages/__init__.py", "/pages/none.js"):
            assert browser.get(f"{firm.url}{place}").status_code == 404, place


def test_a_person_enrols_an_authenticator_with_their_own_word(risk):
    found = risk.get("/credentials").json()
    assert found["credentials"][0]["key_id"] == risk.made.key_id
    spare = risk.authenticator("RS256")
    waiting = risk.register(spare).json()["waiting"]
    assert waiting["key_id"] == spare.key_id
    envelope = risk.made.envelope(decoded(waiting["statement"]))
    assert len(risk.post("/credentials/vouchers", {"envelope": envelope}).json()["credentials"]) == 2
    gone = risk.post(f"/credentials/{waiting['id']}/withdraw", {"reason": "a test"})
    assert [c["key_id"] for c in gone.json()["credentials"]] == [risk.made.key_id]


@pytest.mark.parametrize(
    ("off", "why"),
    [
        ({"challenge": b"x" * 32}, "unknown, used or expired"),
        ({"flags": 0x45 & ~VERIFIED}, "did not verify"),
        ({"flags": 0x45 & ~PRESENT}, "Nobody touched"),
        ({"origin": "https://elsewhere.example"}, "Expected a request from"),
        ({"type": "webauthn.get"}, "of type 'webauthn.create'"),
    ],
)
def test_a_registration_that_is_off_is_refused(risk, off, why):
    answer = risk.register(risk.authenticator(), **off)
    assert answer.status_code == 409
    assert why in answer.json()["detail"]


def test_a_challenge_works_once_and_for_one_person(firm, risk):
    challenge = decoded(risk.post("/credentials/options", {}).json()["challenge"])
    body = registration(challenge, *risk.authenticator().registered(challenge))
    assert Desk(firm, "cto").post("/credentials", body).status_code == 409
    assert risk.post("/credentials", body).status_code == 201
    assert risk.post("/credentials", body).status_code == 409


def test_nobody_else_vouches(firm, risk):
    made = risk.authenticator()
    statement = decoded(risk.register(made).json()["waiting"]["statement"])
    for signer in (firm.house.key_of(YAMADA), firm.house.ledger_key, made):
        answer = risk.post("/credentials/vouchers", {"envelope": signer.sign_statement(statement)})
        assert answer.status_code == 409, answer.text
        assert "Not enrolled" in answer.json()["detail"]
    answer = Desk(firm, "cto").post("/credentials/vouchers", {"envelope": "{}"})
    assert answer.status_code == 404
    for body in ("", "{}", "[" * 30, "null"):
        assert risk.post("/credentials/vouchers", {"envelope": body}).status_code in {409, 422}
    assert made.key_id not in str(risk.get("/credentials").json()["credentials"])


def test_only_a_person_who_signed_in_just_now_manages_authenticators(firm, risk):
    for role in ("risk_manager", "machine"):
        client = firm.client(role)
        assert client.get("/api/v1/credentials").status_code == 200
        for path in ("/credentials/options", "/credentials/vouchers", "/credentials/x/withdraw"):
            assert client.post(f"/api/v1{path}", json={}).status_code == 403
    assert risk.post("/credentials/options", {}, **{"x-csrf-token": "guess"}).status_code == 403
    assert risk.post("/credentials/options", {}, origin="https://elsewhere.example").status_code == 403


def test_a_key_is_not_enough_where_the_policy_takes_an_authenticator(firm, release, risk):
    before = firm.house.record.deployment(release).approvals
    statement = risk.statement(release)
    answer = risk.approve(release, firm.house.key_of(MOREAU).sign_statement(statement))
    assert firm.house.record.deployment(release).approvals == before
    if any(given.person == MOREAU for given in before):  # another test signed first: what stands is answered again
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["guard"]) == (409, "tier")
    assert "takes signatures of tier webauthn in the role risk_manager" in answer.json()["detail"]


def attempts(firm, risk, release):
    """What somebody with everything but R. Moreau's authenticator might present."""
    statement, made = risk.statement(release), risk.made
    good = json.loads(made.envelope(statement))
    other = decoded(canonical_other(statement))
    cto = Desk(firm, "cto")
    theirs = cto.enrolled(cto.authenticator("EdDSA"))
    stranger = risk.authenticator()
    part = dict(good["signatures"][0])

    def respelt(**changes):
        return canonical(good | {"signatures": [part | changes]}).decode()

    client = json.loads(decoded(part["clientDataJSON"]))
    return {
        "replayed over other words": canonical(good | {"payload": encoded(other)}).decode(),
        "for another manifest": made.envelope(other),
        "altered client data": respelt(clientDataJSON=encoded(canonical(client | {"crossOrigin": True}))),
        "another origin": made.envelope(statement, origin="https://elsewhere.example"),
        "another site": made.envelope(statement, rp_id="elsewhere.example"),
        "nobody verified": made.envelope(statement, flags=PRESENT),
        "nobody touched": made.envelope(statement, flags=VERIFIED),
        "another person's authenticator": theirs.envelope(statement),
        "another person's, under this one's name": theirs.envelope(statement, credential=made.credential()),
        "one that nobody enrolled": stranger.envelope(statement),
        "another algorithm": risk.authenticator("RS256").envelope(statement, credential=made.credential()),
        "base64 without padding": respelt(authenticatorData=part["authenticatorData"].rstrip("=")),
        "base64 with a line's end": respelt(clientDataJSON=part["clientDataJSON"] + "\n"),
        "another layout": json.dumps(good),
        "two signatures": canonical(good | {"signatures": [part, part]}).decode(),
        "no envelope": "{}",
    }


def canonical_other(statement):
    said = json.loads(statement)
    said["subject"][0]["digest"]["sha256"] = "0" * 64
    return encoded(canonical(said))


def test_what_the_authenticator_did_not_sign_is_refused_and_what_it_signed_counts(firm, release, risk):
    for what, envelope in attempts(firm, risk, release).items():
        answer = risk.approve(release, envelope)
        assert answer.status_code == (422 if what == "no envelope" else 409), (what, answer.text)
        assert firm.house.record.deployment(release).approvals == (), what
    withdrawn = risk.enrolled(risk.authenticator())
    risk.post(f"/credentials/{withdrawn.credential().id}/withdraw", {"reason": "a test"})
    assert risk.approve(release, withdrawn.envelope(risk.statement(release))).status_code == 409
    statement = risk.statement(release)
    answer = risk.approve(release, risk.made.envelope(statement))
    assert answer.status_code == 200, answer.text
    (approval,) = answer.json()["approvals"]
    assert (approval["person"], approval["tier"], approval["key_id"]) == (MOREAU, "webauthn", risk.made.key_id)
    again = risk.approve(release, risk.made.envelope(risk.statement(release)))
    assert again.json()["approvals"] == [approval]  # the first signature stands; nothing is recorded twice
    assert verify_export(firm.house.ledger.export(), replay).findings == ()


def test_a_machine_never_signs_with_an_authenticator(firm, release, risk):
    answer = firm.client("machine").post(
        f"/api/v1/deployments/{release}/approvals",
        json={"role": "risk_manager", "envelope": risk.made.envelope(b"{}")},
    )
    assert answer.status_code == 403
