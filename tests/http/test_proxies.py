"""From which address somebody signs in, and what that limit leaves alone."""

import httpx
import pytest
from http_server import Served, free_port

from signoff.config.settings import settings
from signoff.domain.errors import BadInputError
from signoff.http.sign_in import MOST_TRIES

PLENTY = 4 * MOST_TRIES  # more than fit into a minute and the one that it may begin in


@pytest.fixture
def firm(tmp_path, monkeypatch):
    """A server whose identity provider is away, so that each sign-in is counted and none succeeds."""
    monkeypatch.setenv("SIGNOFF_OIDC_ISSUER", f"http://127.0.0.1:{free_port()}")
    server = Served(tmp_path / "home")
    yield server
    server.stop()


def tried(server, forwarded):
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return httpx.get(f"{server.url}/auth/sign-in", headers=headers, timeout=30).status_code


def test_who_is_no_proxy_of_ours_cannot_say_that_they_are_somebody_else(firm):
    firm.start()
    said = (tried(firm, f"10.0.{n // 250}.{n % 250 + 1}") for n in range(PLENTY))
    assert 429 in said


def test_behind_a_proxy_each_address_has_its_own_limit_and_what_it_says_itself_counts_for_nothing(firm, monkeypatch):
    monkeypatch.setenv("SIGNOFF_TRUSTED_PROXIES", "127.0.0.1, 10.9.0.0/16")
    firm.start()
    said = (tried(firm, f"10.0.{n // 250}.{n % 250 + 1}, 192.0.2.1") for n in range(PLENTY))
    assert 429 in said
    assert tried(firm, "192.0.2.2") != 429


def test_flags_and_kills_know_no_such_limit(firm):
    firm.start()
    assert 429 in (tried(firm, None) for _ in range(PLENTY))
    machine = firm.client("machine")
    bulk = {machine.post("/ofrep/v1/evaluate/flags").status_code for _ in range(PLENTY)}
    asked = {"context": {"version": "1.1.0"}}
    one = "/ofrep/v1/evaluate/flags/models.momentum.enabled"
    single = {machine.post(one, json=asked).status_code for _ in range(PLENTY)}
    assert bulk == single == {200}
    assert firm.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"}).status_code == 200


@pytest.mark.parametrize("named", ["*", "proxy.firm.example", "10.0.0.1/8", "127.0.0.1;10.0.0.1"])
def test_a_proxy_is_an_address_and_nothing_wider(tmp_path, monkeypatch, named):
    monkeypatch.setenv("SIGNOFF_TRUSTED_PROXIES", named)
    with pytest.raises(BadInputError, match="SIGNOFF_TRUSTED_PROXIES"):
        settings(home=str(tmp_path))
