import hmac
from typing import Annotated

import pytest
from fastapi import Depends
from fastapi.testclient import TestClient

from signoff.app import accounts
from signoff.app.people import bind
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError
from signoff.domain.permissions import AccessRole, ForbiddenError, Permission, Principal, may
from signoff.http.access import allowed
from signoff.installation import Installation

READ = frozenset({Permission.READ})


@pytest.fixture
def asks(app, client):
    """Ask a route of each verb with a token."""
    for verb in Permission:

        def route(principal: Annotated[Principal, Depends(allowed(verb))]):
            return {"name": principal.name}

        app.get(f"/try/{verb.value}")(route)

    def ask(secret, verb=Permission.READ):
        return client.get(f"/try/{verb.value}", headers={"Authorization": f"Bearer {secret}"})

    return ask


def test_a_token_acts_for_its_person_within_its_scopes(house, moreau, asks):
    secret = house.accounts.issue_token(moreau, scopes=READ, actor="owner").secret
    assert asks(secret).json() == {"name": moreau}
    assert asks(secret, Permission.KILL).status_code == 403


@pytest.mark.parametrize("spoil", [lambda s: s + "0", lambda s: s[:-1], lambda s: "", lambda s: "signoff_0_0"])
def test_a_wrong_token_is_answered_with_a_challenge_that_says_nothing(house, moreau, asks, spoil):
    secret = house.accounts.issue_token(moreau, scopes=READ, actor="owner").secret
    answer, other = asks(spoil(secret)), asks("signoff_ffffffffffffffff_" + "a" * 64)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == other.json()


def test_a_token_ends_when_it_expires(house, moreau, asks, wall):
    secret = house.accounts.issue_token(moreau, scopes=READ, days=1, actor="owner").secret
    wall.pass_(days=1)
    assert asks(secret).status_code == 401


def test_a_revoked_token_ends_at_once(house, moreau, asks):
    issued = house.accounts.issue_token(moreau, scopes=READ, actor="owner")
    house.accounts.revoke_token(issued.token.id, actor="owner")
    assert asks(issued.secret).status_code == 401
    with pytest.raises(NotFoundError):
        house.accounts.revoke_token(issued.token.id, actor="owner")


def test_whoever_is_not_known_leaves_nothing_on_the_shelf(house, client, monkeypatch):
    monkeypatch.setattr(house.shelf, "add", lambda *_: pytest.fail("a row was written for a stranger"))
    for path in ("deployments/x/pause", "credentials/options"):
        assert client.post(f"/api/v1/{path}", headers={"idempotency-key": "k"}, json={}).status_code == 401


def test_the_ledger_keeps_the_digest_and_not_the_secret(house, moreau):
    issued = house.accounts.issue_token(moreau, scopes=READ, actor="owner")
    written = b"".join(row.body for row in house.store.rows()) + house.store.load("people").state
    assert issued.token.digest.encode() in written
    assert issued.secret.rpartition("_")[2].encode() not in written
    assert issued.secret not in repr(issued)


def test_a_machine_does_nothing_personal_whatever_its_scopes_say(house):
    with pytest.raises(BadInputError, match="approve"):
        house.accounts.issue_token("ci", scopes=frozenset({Permission.APPROVE}), is_machine=True, actor="owner")
    forged = Principal(
        name="ci", duties=frozenset(AccessRole) - {AccessRole.AUDITOR, AccessRole.ADMINISTRATOR}, is_machine=True
    )
    with pytest.raises(ForbiddenError, match="takes a person"):
        may(forged, Permission.APPROVE, house.clock.now())


def test_nobody_gives_a_token_more_than_they_may_themselves(house, moreau):
    by = house.record.people().principal(moreau)
    for wanted in (Permission.START, Permission.SUBMIT):
        with pytest.raises(BadInputError, match=wanted.value):
            house.accounts.issue_token(moreau, scopes=frozenset({wanted}), by=by, actor=moreau)
        with pytest.raises(BadInputError, match=wanted.value):
            house.accounts.issue_token("ci", scopes=frozenset({wanted}), by=by, is_machine=True, actor=moreau)


@pytest.mark.parametrize("presented", ["known id", "unknown id", "no token at all"])
def test_every_token_is_compared_in_constant_time_over_equal_lengths(house, moreau, monkeypatch, presented):
    issued = house.accounts.issue_token(moreau, scopes=READ, actor="owner")
    compared, really = [], hmac.compare_digest

    def compare(one, other):
        compared.append((len(one), len(other)))
        return really(one, other)

    monkeypatch.setattr(accounts.hmac, "compare_digest", compare)
    wrong = {"known id": f"signoff_{issued.token.id}_no", "unknown id": "signoff_0_no", "no token at all": "x"}
    assert house.accounts.bearer(wrong[presented]) is None
    assert compared == [(64, 64)]


def test_while_the_database_is_down_the_last_people_known_may_stop_and_nothing_else(house, moreau, asks):
    scopes = frozenset({Permission.READ, Permission.KILL, Permission.READ_FLAGS, Permission.PAUSE})
    secret = house.accounts.issue_token(moreau, scopes=scopes, actor="owner").secret
    assert asks(secret).status_code == 200
    house.store.is_down = True
    assert asks(secret, Permission.KILL).status_code == 200
    assert asks(secret, Permission.READ_FLAGS).status_code == 200
    assert asks(secret, Permission.READ).status_code == 503
    assert asks(secret, Permission.PAUSE).status_code == 503
    assert asks("signoff_0_0", Permission.KILL).status_code == 401


def test_a_stranger_is_not_told_where_a_record_is_that_is_away(house, app):
    house.store.is_down = True
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/deployments", headers={"authorization": "Bearer signoff_0_0"})
    assert (answer.status_code, "the database is away" in answer.text) == (503, False)
    assert "Nothing was done" in answer.json()["detail"]


def test_nobody_is_known_when_the_database_never_answered(house):
    house.store.is_down = True
    with pytest.raises(UnavailableError):
        house.accounts.bearer("signoff_0_0")


def test_people_are_read_anew_only_when_their_stream_has_moved(house, moreau, monkeypatch):
    secret = house.accounts.issue_token(moreau, scopes=READ, actor="owner").secret
    decoded = []
    real = accounts.decode_state
    monkeypatch.setattr(accounts, "decode_state", lambda *args: decoded.append(args) or real(*args))
    for _ in range(5):
        assert house.accounts.bearer(secret) is not None
    assert len(decoded) == 1


def test_whoever_another_process_let_in_a_moment_ago_is_known_at_once(house, moreau, monkeypatch):
    monkeypatch.setattr(accounts, "FRESH_S", 3600)
    elsewhere = Installation(house.settings, house.clock).with_parts(store=house.store)
    house.accounts.known.now()
    bind(elsewhere.record, moreau, issuer="https://sign-in.example", subject="rm", actor="owner")
    who = house.accounts.signed_in(moreau, house.clock.now(), issuer="https://sign-in.example", subject="rm")
    assert who is not None
    assert who.name == moreau


def test_a_reading_that_was_overtaken_does_not_forget_whom_the_later_one_found(house, moreau, monkeypatch):
    elsewhere = Installation(house.settings, house.clock).with_parts(store=house.store)
    known, real = house.accounts.known, house.store.load
    issued = []

    def slow(stream):
        found = real(stream)
        monkeypatch.setattr(house.store, "load", real)
        issued.append(elsewhere.accounts.issue_token(moreau, scopes=READ, actor="owner"))
        known.now()  # somebody else asks, and is answered, meanwhile
        return found

    monkeypatch.setattr(accounts, "FRESH_S", 0.0)
    known.now()
    monkeypatch.setattr(house.store, "load", slow)
    known.now()
    people, _ = known.now(as_last_known=True)
    assert issued[0].token.id in people.tokens
