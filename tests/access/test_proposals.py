"""What gives power waits for a second person; what takes it away does not."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from signed_in import ISSUER, begun

from signoff.app.people import bind, enrol, grant
from signoff.domain.permissions import AccessRole
from signoff.domain.policy import Role
from signoff.http import sessions
from signoff.ledger.envelope import key_id


@pytest.fixture
def ask(house, client):
    """Ask as somebody who signed in just now; the status and the answer."""
    grant(house.record, "T. Adeyemi", frozenset({AccessRole.ADMINISTRATOR}), actor="owner")
    grant(house.record, "K. Singh", frozenset({AccessRole.ADMINISTRATOR}), actor="owner")
    grant(house.record, "N. Weiss", frozenset({AccessRole.AUDITOR}), actor="owner")

    def ask(person, method, path, **said):
        number, _ = begun(house, person)
        headers = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
        answer = client.request(method, f"/api/v1{path}", headers=headers, **({"json": said} if said else {}))
        return answer.status_code, answer.json()

    return ask


def duties(house, name):
    known = house.record.people().by_name.get(name)
    return known.duties if known else frozenset()


def proposed(ask, **change):
    status, said = ask("T. Adeyemi", "POST", "/proposals", change=change)
    assert status == 201, said
    return said["proposal"]


def test_a_duty_is_held_only_once_a_second_person_confirmed(ask, house):
    proposal = proposed(ask, kind="duties_granted", name="B. Okafor", duties=["operator"])
    assert duties(house, "B. Okafor") == frozenset()
    (waiting,) = ask("N. Weiss", "GET", "/proposals")[1]["proposals"]
    assert (waiting["proposal"], waiting["proposed_by"]) == (proposal, "T. Adeyemi")
    assert "B. Okafor act as operator" in waiting["says"]
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 200
    assert duties(house, "B. Okafor") == {AccessRole.OPERATOR}
    assert ask("N. Weiss", "GET", "/proposals")[1]["proposals"] == []


def test_who_proposed_does_not_confirm_nor_does_the_one_it_is_about(ask, house):
    proposal = proposed(ask, kind="subject_bound", name="K. Singh", issuer=ISSUER, subject="singh")
    status, said = ask("T. Adeyemi", "POST", f"/proposals/{proposal}/confirm")
    assert (status, "second person" in said["detail"]) == (409, True)
    status, said = ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")
    assert (status, "about K. Singh" in said["detail"]) == (409, True)
    assert house.record.people().bound_to(ISSUER, "singh") is None


def test_the_same_proposal_twice_is_one_and_works_once(ask, house):
    change = {"kind": "duties_granted", "name": "B. Okafor", "duties": ["operator"]}
    first = proposed(ask, **change)
    assert proposed(ask, **change) == first
    assert ask("K. Singh", "POST", f"/proposals/{first}/confirm")[0] == 200
    assert ask("K. Singh", "POST", f"/proposals/{first}/confirm")[0] == 404


def test_a_proposal_is_over_after_a_week(ask, house, wall):
    proposal = proposed(ask, kind="duties_granted", name="B. Okafor", duties=["operator"])
    wall.pass_(days=7, seconds=1)
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 404
    assert duties(house, "B. Okafor") == frozenset()


def test_a_declined_proposal_is_gone(ask, house):
    proposal = proposed(ask, kind="duties_granted", name="B. Okafor", duties=["operator"])
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/decline")[0] == 200
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 404


def test_nobody_is_made_approver_and_administrator_by_two_people_either(ask):
    status, said = ask("T. Adeyemi", "POST", "/proposals", change=person("K. Singh", Ed25519PrivateKey.generate()))
    assert (status, "approves nothing" in said["detail"]) == (409, True)


def person(name, private):
    public = private.public_key().public_bytes_raw()
    return {
        "kind": "person_enrolled",
        "name": name,
        "roles": ["cto"],
        "key_id": key_id(public),
        "public_key": public.hex(),
    }


def test_a_person_is_enrolled_with_a_key_that_is_their_own(ask, house):
    key = Ed25519PrivateKey.generate()
    proposal = proposed(ask, **person("A. Berg", key))
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 200
    assert house.record.people().named("A. Berg").roles == (Role.CTO,)
    status, said = ask("T. Adeyemi", "POST", "/proposals", change=person("B. Berg", key))
    assert (status, "A. Berg's" in said["detail"]) == (409, True)
    wrong = person("C. Berg", Ed25519PrivateKey.generate()) | {"key_id": "0" * 64}
    assert ask("T. Adeyemi", "POST", "/proposals", change=wrong)[0] == 422


def test_a_person_may_be_enrolled_without_a_key_to_sign_with_an_authenticator(ask, house):
    proposal = proposed(ask, kind="person_enrolled", name="A. Berg", roles=["cto"])
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 200
    other = proposed(ask, kind="person_enrolled", name="B. Berg", roles=["cto"])
    assert ask("K. Singh", "POST", f"/proposals/{other}/confirm")[0] == 200  # no key is nobody's key
    half = {"kind": "person_enrolled", "name": "C. Berg", "roles": ["cto"], "key_id": "0" * 64}
    assert ask("T. Adeyemi", "POST", "/proposals", change=half)[0] == 422


def test_a_key_of_somebody_is_refused_between_proposal_and_confirmation_too(ask, house):
    change = person("A. Berg", Ed25519PrivateKey.generate())
    proposal = proposed(ask, **change)
    said = {name: change[name] for name in ("key_id", "public_key")}
    enrol(house.record, name="B. Berg", roles=(Role.CTO,), actor="owner", **said)
    assert ask("K. Singh", "POST", f"/proposals/{proposal}/confirm")[0] == 409
    assert "A. Berg" not in house.record.people().by_name


def test_withdrawing_takes_effect_at_once_and_alone(ask, house):
    assert ask("N. Weiss", "GET", "/people")[0] == 200
    asked = {"name": "N. Weiss", "powers": ["auditor"], "reason": "left the firm"}
    assert ask("T. Adeyemi", "POST", "/withdrawals", **asked)[0] == 200
    assert ask("N. Weiss", "GET", "/people")[0] == 403
    assert ask("T. Adeyemi", "POST", "/withdrawals", **asked)[0] == 404


def test_an_identity_that_is_unbound_is_nobodys(ask, house):
    bind(house.record, "N. Weiss", issuer=ISSUER, subject="weiss", actor="owner")
    said = {"issuer": f"{ISSUER}/", "subject": "weiss"}
    assert ask("T. Adeyemi", "POST", "/unbindings", **said)[0] == 200
    assert house.record.people().bound_to(ISSUER, "weiss") is None
    assert ask("T. Adeyemi", "POST", "/unbindings", **said)[0] == 404


@pytest.mark.parametrize("is_cookie", [True, False])
def test_whoever_is_unbound_is_out_at_once_and_not_when_their_session_ends(ask, house, client, is_cookie):
    number, session = begun(house, "K. Singh")
    bearer = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    headers = {"x-csrf-token": session.csrf} if is_cookie else bearer
    if is_cookie:
        client.cookies.set("signoff", number)

    def asked():
        change = {"kind": "duties_granted", "name": "A. Berg", "duties": ["operator"]}
        tried = client.post("/api/v1/proposals", headers=headers, json={"change": change})
        return client.get("/api/v1/me", headers=headers).status_code, tried.status_code

    assert asked() == (200, 201)
    said = {"issuer": ISSUER, "subject": "K. Singh"}
    unbound = client.post("/api/v1/unbindings", headers=headers, json=said)
    assert unbound.status_code == 200
    assert asked() == (401, 401)
    if is_cookie:
        assert client.get("/auth/session").status_code == 401
        assert client.post("/auth/hand-over", headers=headers).status_code == 401


def test_in_an_outage_whoever_was_unbound_before_it_stops_nothing(ask, house, client):
    number, _ = begun(house, "K. Singh")
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    assert ask("T. Adeyemi", "POST", "/unbindings", issuer=ISSUER, subject="K. Singh")[0] == 200
    assert ask("T. Adeyemi", "GET", "/me")[0] == 200
    house.store.is_down = house.shelf.is_down = True
    assert client.post("/api/v1/models/m/kill", headers=headers, json={"reason": "r"}).status_code == 401


@pytest.mark.parametrize("path", ["/proposals", "/withdrawals", "/unbindings"])
def test_people_are_changed_by_administrators_who_signed_in_just_now(ask, house, client, wall, path):
    assert ask("N. Weiss", "POST", path, x=1)[0] == 403
    number, _ = begun(house, "T. Adeyemi")
    wall.pass_(minutes=6)
    answer = client.post(f"/api/v1{path}", headers={"authorization": f"Bearer {sessions.PREFIX}{number}"}, json={})
    assert (answer.status_code, "last five minutes" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kind": "token_issued"},
        {"kind": "duties_granted", "name": "B", "duties": []},
        {"kind": "duties_granted", "name": "B", "duties": ["machine"]},
        {"kind": "duties_granted", "name": "B\n", "duties": ["cto"]},
        {"kind": "subject_bound", "name": "N. Weiss", "issuer": "javascript:1", "subject": "x"},
        {"kind": "subject_bound", "name": "Nobody", "issuer": ISSUER, "subject": "x"},
    ],
)
def test_a_senseless_change_is_refused_and_nothing_is_recorded(ask, house, change):
    begun(house, "T. Adeyemi")
    before = house.store.size()
    assert ask("T. Adeyemi", "POST", "/proposals", change=change)[0] in {404, 409, 422}
    assert house.store.size() == before


def test_one_sees_and_ends_ones_own_tokens_and_an_administrator_any(ask, house, client):
    enrol(house.record, name="A. Berg", roles=(Role.CTO,), key_id="a", public_key="p", actor="owner")
    status, issued = ask("A. Berg", "POST", "/tokens", holder="A. Berg", scopes=["read", "kill"], days=3)
    assert (status, issued["scopes"]) == (201, ["kill", "read"])
    headers = {"authorization": f"Bearer {issued['token']}"}
    assert client.get("/api/v1/people", headers=headers).status_code == 200
    assert issued["token"] not in str(ask("A. Berg", "GET", "/tokens"))
    enrol(house.record, name="C. Berg", roles=(Role.CTO,), key_id="c", public_key="p", actor="owner")
    assert ask("C. Berg", "GET", "/tokens")[1]["tokens"] == []
    assert ask("C. Berg", "DELETE", f"/tokens/{issued['id']}")[0] == 404
    assert len(ask("K. Singh", "GET", "/tokens")[1]["tokens"]) == 1
    assert ask("K. Singh", "DELETE", f"/tokens/{issued['id']}")[0] == 200
    assert client.get("/api/v1/people", headers=headers).status_code == 401


def test_nobody_issues_a_token_for_another_or_beyond_themselves(ask, house):
    enrol(house.record, name="A. Berg", roles=(Role.CTO,), key_id="a", public_key="p", actor="owner")
    assert ask("A. Berg", "POST", "/tokens", holder="T. Adeyemi")[0] == 403
    assert ask("T. Adeyemi", "POST", "/tokens", holder="T. Adeyemi", scopes=["approve"])[0] == 422
    status, issued = ask("T. Adeyemi", "POST", "/tokens", holder="desk-1", is_machine=True)
    assert (status, set(issued["scopes"])) == (201, {"read", "read_flags", "kill"})


def test_a_secret_is_not_kept_for_a_repeated_request(ask, house, client):
    number, _ = begun(house, "T. Adeyemi")
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}", "idempotency-key": "once"}
    said = {"holder": "desk-1", "is_machine": True}
    first, second = (client.post("/api/v1/tokens", headers=headers, json=said).json() for _ in range(2))
    assert first["token"] != second["token"]
    assert first["token"].encode() not in b"".join(v for _, v in shelved(house))


def shelved(house):
    return [(name, value[0]) for name, value in house.shelf.__dict__["_kept"].items()]


def test_whoever_is_signed_in_can_stop_a_model_in_an_outage(ask, house, client, wall):
    enrol(house.record, name="A. Berg", roles=(Role.CTO,), key_id="a", public_key="p", actor="owner")
    number, _ = begun(house, "A. Berg")
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    house.store.is_down = house.shelf.is_down = True
    assert client.post("/api/v1/models/m/kill", headers=headers, json={"reason": "r"}).status_code == 200
    assert client.get("/api/v1/me", headers=headers).status_code == 503
    never_seen = {"authorization": f"Bearer {sessions.PREFIX}another"}
    assert client.post("/api/v1/models/m/kill", headers=never_seen, json={"reason": "r"}).status_code == 401
    wall.pass_(hours=1, seconds=1)
    assert client.post("/api/v1/models/m/kill", headers=headers, json={"reason": "r"}).status_code == 401


def test_a_session_ends_after_an_hour_without_a_request(ask, house, client, wall):
    number, _ = begun(house, "N. Weiss")
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    for _ in range(4):
        wall.pass_(minutes=50)
        assert client.get("/api/v1/me", headers=headers).status_code == 200
    wall.pass_(minutes=61)
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_a_request_under_way_does_not_bring_back_a_session_that_was_ended_meanwhile(ask, house, client, monkeypatch):
    number, _ = begun(house, "N. Weiss")
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    really = sessions.found

    def found_and_ended(*asked):
        session = really(*asked)
        sessions.end(house, number)
        return session

    monkeypatch.setattr(sessions, "found", found_and_ended)
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    monkeypatch.undo()
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_signing_out_everywhere_ends_every_session_begun_before(ask, house, client, wall):
    numbers = [begun(house, "T. Adeyemi")[0] for _ in range(2)]
    csrf = sessions.found(house, numbers[0]).csrf
    client.cookies.set("signoff", numbers[0])
    assert client.post("/auth/sign-out-everywhere").status_code == 403
    assert client.post("/auth/sign-out-everywhere", headers={"x-csrf-token": csrf}).status_code == 200
    wall.pass_(seconds=1)
    assert [sessions.found(house, number) for number in numbers] == [None, None]
    later, _ = begun(house, "T. Adeyemi")
    assert sessions.found(house, later) is not None
    assert ask("K. Singh", "GET", "/people")[0] == 200
