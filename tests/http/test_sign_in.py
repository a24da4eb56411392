"""People come in through a real identity provider (a separate implementation, in a process of its own)."""

import base64
import hmac
import json
import re
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from cast_of_six import PEOPLE
from http_server import Served, free_port
from joserfc.jwk import RSAKey
from starlette.exceptions import HTTPException

from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.people import bind, invite
from signoff.config.settings import Provider
from signoff.domain.errors import RefusedError
from signoff.domain.permissions import AccessRole
from signoff.http import sign_in

NODE = Path(__file__).parents[1] / "node"
MOREAU = PEOPLE["risk_manager"]


@contextmanager
def provided(place):
    """A provider, and a server that sends people to it; R. Moreau is bound to the subject `moreau`."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    secret = place / "secret"
    secret.write_text("a-secret-of-the-tests\n")
    server = Served(place / "home")
    bind(server.house.record, MOREAU, issuer=issuer, subject="moreau", actor="t")
    line = ["node", "identity_provider.mjs", str(port), f"{server.url}/auth/callback"]
    settings = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_SECRET_FILE": str(secret), "PUBLIC_URL": server.url}
    with subprocess.Popen(line, cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as provider:
        assert "ready" in provider.stdout.readline()
        with pytest.MonkeyPatch.context() as patched:
            for name, value in settings.items():
                patched.setenv(f"SIGNOFF_{name}", value)
            server.start()
        yield server
        server.stop()
        provider.kill()


@pytest.fixture(scope="module")
def firm(tmp_path_factory):
    """For tests that leave nothing behind but a session; together they are fewer than the sign-ins of a minute."""
    with provided(tmp_path_factory.mktemp("firm")) as server:
        yield server


@pytest.fixture
def own_firm(tmp_path):
    """For tests that change who may do what, or that use up the sign-ins of a minute."""
    with provided(tmp_path) as server:
        yield server


@pytest.fixture
def browser():
    with httpx.Client(timeout=20, limits=httpx.Limits(max_keepalive_connections=0)) as browser:
        yield browser


def at_the_provider(browser, answer, login):
    """Follow the provider's own pages until it sends the browser back; the address that it sends it to."""
    for _ in range(12):
        if answer.is_redirect:
            place = str(answer.next_request.url)
            if "/auth/callback" in place:
                return place
            answer = browser.send(answer.next_request)
            continue
        action = re.search(r'action="([^"]+)"', answer.text).group(1)
        prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text).group(1)
        answer = browser.post(action, data={"prompt": prompt, "login": login, "password": "any"})
    raise AssertionError(answer.text)


def begun(browser, server, login="moreau", **asked):
    answer = browser.get(f"{server.url}/auth/sign-in", params=asked)
    assert answer.status_code == 303, answer.text
    return at_the_provider(browser, answer, login)


def signed_in(browser, server, **asked):
    answer = browser.get(begun(browser, server, **asked))
    assert answer.status_code == 303, answer.text
    return browser.get(f"{server.url}/auth/session").json()


def test_the_first_administrator_comes_in_by_a_link_once(own_firm, browser):
    secret = invite(own_firm.house.record, "T. Adeyemi", actor="owner").secret
    assert signed_in(browser, own_firm, login="adeyemi", bootstrap=secret)["name"] == "T. Adeyemi"
    assert own_firm.house.record.people().named("T. Adeyemi").duties == {AccessRole.ADMINISTRATOR}
    with httpx.Client(timeout=20) as other:
        refused = other.get(begun(other, own_firm, login="mallory", bootstrap=secret))
        assert (refused.status_code, "bootstrap link" in refused.text) == (409, True)
    assert secret not in (own_firm.settings.home / "serve.log").read_text()
    with pytest.raises(RefusedError, match="can sign in already"):
        invite(own_firm.house.record, "N. Weiss", actor="owner")
    with httpx.Client(timeout=20) as again:
        assert signed_in(again, own_firm, login="adeyemi")["name"] == "T. Adeyemi"


@pytest.mark.parametrize("secret", ["guessed", "x" * 101])
def test_a_guessed_bootstrap_link_lets_nobody_in(own_firm, browser, secret):
    invite(own_firm.house.record, "T. Adeyemi", actor="owner")
    answer = browser.get(f"{own_firm.url}/auth/sign-in", params={"bootstrap": secret})
    if answer.is_redirect:
        answer = browser.get(at_the_provider(browser, answer, "mallory"))
    assert answer.status_code in {409, 422}
    assert own_firm.house.record.people().bound_to(own_firm.house.record.people().subjects[0].issuer, "mallory") is None


def test_a_person_comes_in_and_is_who_the_record_says(firm, browser):
    session = signed_in(browser, firm)
    assert session["name"] == MOREAU
    me = browser.get(f"{firm.url}/api/v1/me").json()
    assert (me["name"], me["duties"]) == (MOREAU, ["risk"])
    cookie = next(c for c in browser.cookies.jar if c.name == "signoff")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite").lower() == "lax"


def test_somebody_whom_nobody_bound_stays_outside(firm, browser):
    answer = browser.get(begun(browser, firm, login="stranger"))
    assert answer.status_code == 403
    assert "accounts bind" in answer.json()["detail"]


def test_a_change_by_cookie_needs_the_sessions_own_token_and_this_site(firm, browser):
    csrf = signed_in(browser, firm)["csrf"]
    path = f"{firm.url}/api/v1/deployments/momentum-1.1.0-adopted/pause"
    assert browser.post(path, json={}).status_code == 403
    assert browser.post(path, json={}, headers={"x-csrf-token": "guess"}).status_code == 403
    foreign = {"x-csrf-token": csrf, "origin": "https://elsewhere.example"}
    assert browser.post(path, json={}, headers=foreign).status_code == 403
    assert browser.post(path, json={}, headers={"x-csrf-token": csrf, "origin": firm.url}).status_code == 200


def test_a_state_of_another_browser_is_refused(firm, browser):
    place = begun(browser, firm)
    with httpx.Client(timeout=20) as other:
        assert other.get(place).status_code == 403
        other.get(f"{firm.url}/auth/sign-in")
        assert other.get(place).status_code == 403


def test_a_code_works_once(firm, browser):
    place = begun(browser, firm)
    assert browser.get(place).status_code == 303
    assert browser.get(place).status_code == 403


def test_a_forged_code_is_refused(firm, browser):
    parts = urlsplit(begun(browser, firm))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"code": "forged"}
    answer = browser.get(parts._replace(query=urlencode(query)).geturl())
    assert answer.status_code == 403


@pytest.mark.parametrize("then", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "x"])
def test_nobody_is_sent_elsewhere_after_signing_in(firm, browser, then):
    assert browser.get(f"{firm.url}/auth/sign-in", params={"then": then}).status_code == 422


def test_signing_out_ends_the_session(firm, browser):
    csrf = signed_in(browser, firm)["csrf"]
    number = browser.cookies["signoff"]
    assert browser.post(f"{firm.url}/auth/sign-out", headers={"x-csrf-token": csrf}).status_code == 200
    browser.cookies.set("signoff", number, domain="127.0.0.1")
    assert browser.get(f"{firm.url}/api/v1/me").status_code == 401


def test_a_fresh_sign_in_lets_the_command_line_arm_a_killed_model_again(own_firm, browser, capsys):
    """The whole way: kill, a second sign-in asked of the provider, a session handed over, a signature made here."""
    from signoff.cli.main import main

    server = ["--server", own_firm.url]
    assert main(["kill", "momentum", "--reason", "smoke", *server, "--token", own_firm.tokens["cto"]]) == 0
    csrf = signed_in(browser, own_firm, fresh="true")["csrf"]
    handed = browser.post(f"{own_firm.url}/auth/hand-over", headers={"x-csrf-token": csrf}).json()
    key = own_firm.house.key_path(MOREAU)
    line = ["rearm", "momentum", "--role", "risk_manager", "--reason", "feed repaired", "--key", str(key), *server]
    capsys.readouterr()
    assert main([*line, "--token", handed["token"]]) == 0
    assert f"signed so far: {MOREAU}" in capsys.readouterr().out
    assert [s.person for s in own_firm.house.record.latch("momentum").rearm_signatures] == [MOREAU]
    assert main([*line, "--token", handed["token"]]) == 1
    assert "signed already" in capsys.readouterr().err


def test_sign_ins_are_limited_and_kills_are_not(own_firm, browser):
    answers = [browser.get(f"{own_firm.url}/auth/sign-in").status_code for _ in range(70)]
    assert 429 in answers
    for _ in range(40):
        answer = own_firm.client().post("/api/v1/models/momentum/kill", json={"reason": "again"})
        assert answer.status_code == 200


def test_no_secret_of_a_sign_in_is_logged_or_kept(firm, browser):
    session = signed_in(browser, firm)
    number = browser.cookies["signoff"]
    kept = (firm.settings.home / "serve.log").read_text() + str(list(firm.house.store.rows()))
    with firm.house.store.database.engine.connect() as connection:
        kept += str(connection.exec_driver_sql("SELECT kind, name FROM shelf").all())
    for secret in (number, session["csrf"], "a-secret-of-the-tests"):
        assert secret not in kept


def test_a_flood_of_sign_ins_writes_nothing_more_once_it_is_refused(monkeypatch):
    """Each refusal would otherwise be thirty writes into the database that every command waits for."""
    shelf, clock = MemoryTtlStore(), SimpleNamespace(now=lambda: NOW)
    house, request = SimpleNamespace(shelf=shelf, clock=clock), SimpleNamespace(client=SimpleNamespace(host="::1"))
    for _ in range(sign_in.MOST_TRIES):
        sign_in._limit(house, request)
    monkeypatch.setattr(shelf, "add", lambda *_: pytest.fail("it was written"))
    for _ in range(3):
        with pytest.raises(HTTPException) as refusal:
            sign_in._limit(house, request)
        assert refusal.value.status_code == 429


@pytest.mark.parametrize("said", [10**13, 10**30, -(10**30), True, "1767000000", 1.5, None])
def test_a_time_of_signing_in_that_is_none_makes_nobody_fresh_and_breaks_nothing(said):
    assert sign_in._moment(said) is None


NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROVIDER = Provider(issuer="https://id.example", client_id="signoff", client_secret="s", public_url="https://x.example")
CLAIMS = {
    "iss": "https://id.example",
    "aud": "signoff",
    "sub": "moreau",
    "nonce": "n",
    "exp": NOW.timestamp() + 300,
    "iat": NOW.timestamp(),
}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"aud": "somebody-else"}, "audience"),
        ({"aud": ["signoff", "somebody-else"]}, "audience"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": ""}, "subject"),
        ({"sub": 3}, "subject"),
        ({"exp": NOW.timestamp() - 3600}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"iat": NOW.timestamp() + 3600}, "time of issue"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(changed, wrong):
    sign_in._check_claims(CLAIMS, PROVIDER, "n", NOW)
    with pytest.raises(HTTPException) as refusal:
        sign_in._check_claims(CLAIMS | changed, PROVIDER, "n", NOW)
    assert wrong in refusal.value.detail


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_signed_by_nobody_or_with_the_public_key_is_refused(monkeypatch, algorithm):
    """The public key used as a shared secret, or no signature at all: both are known tricks."""
    key = RSAKey.generate_key(2048)
    public = key.as_dict(private=False)
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=").decode()
    secret = key.as_pem(private=False)
    mac = hmac.new(secret, f"{header}.{body}".encode(), "sha256").digest() if algorithm == "HS256" else b""
    token = f"{header}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    told = {
        "https://id.example/.well-known/openid-configuration": {"token_endpoint": "t", "jwks_uri": "k"}
        | {"issuer": "https://id.example"},
        "t": {"id_token": token},
        "k": {"keys": [public]},
    }
    monkeypatch.setattr(sign_in, "_told", lambda method, url, **how: told[url])
    with pytest.raises(HTTPException, match="does not hold"):
        sign_in._identity(SimpleNamespace(clock=None), PROVIDER, "code", {"nonce": "n", "verifier": "v"})
