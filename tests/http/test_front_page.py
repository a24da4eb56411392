"""The front page: who sees what, and a model stopped by a form without any script."""

import re
import sqlite3
from dataclasses import replace

import httpx
import pytest
from cast_of_six import PEOPLE
from signed_in import begun
from standing import signature, standing
from test_server import killed_events, until

from signoff.domain.deployment import State
from signoff.domain.events import PauseReason
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.permissions import AccessRole, Principal
from signoff.domain.policy import Role
from signoff.http.home import duties, lines


def browser(server, role="risk_manager"):
    """A browser with the session of somebody who signed in."""
    number, _ = begun(server.house, PEOPLE[role])
    return httpx.Client(base_url=server.url, cookies={"signoff": number}, timeout=30)


def filled(page, **said):
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text).group(1)
    return {"csrf": csrf, **said}


def test_a_stranger_sees_the_way_in_and_no_model(served):
    page = httpx.get(served.url)
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "momentum" not in page.text
    assert "script" not in page.text
    refused = httpx.post(f"{served.url}/stop", data={"model": "momentum", "reason": "r"})
    assert refused.status_code == 401
    assert "Nothing was stopped" in refused.text
    assert killed_events(served) == []


def test_whoever_is_signed_in_sees_every_model_with_what_it_does(served):
    with browser(served) as visitor:
        page = visitor.get("/")
    assert page.status_code == 200
    for told in ("momentum", "full", "1.1.0", "Trades up to 100% of its capital.", "Stop trading this model"):
        assert told in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_a_model_is_stopped_by_the_form_and_then_waits_for_two_to_arm_it(own_server):
    with browser(own_server) as visitor:
        page = visitor.post(
            "/stop", data=filled(visitor.get("/"), model="momentum", reason="<b>ten</b> times the size")
        )
        assert page.status_code == 200
        assert "momentum is stopped" in page.text
        assert "It is on record." in page.text
        assert "&lt;b&gt;ten&lt;/b&gt; times the size" in page.text
        (event,) = killed_events(own_server)
        assert event.reason == "<b>ten</b> times the size"
        until(lambda: '/rearm/momentum"' in visitor.get("/").text)
    until(lambda: any(line.get("path") == "/stop" for line in own_server.logged()))
    line = next(line for line in own_server.logged() if line.get("path") == "/stop")
    assert (line["model"], line["who"]) == ("momentum", PEOPLE["risk_manager"])


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"csrf": "guessed"}, {}, 403),
        ({"csrf": ""}, {}, 403),
        ({}, {"origin": "https://evil.example"}, 403),
        ({}, {"sec-fetch-site": "cross-site"}, 403),
        ({"reason": " "}, {}, 422),
        ({"reason": "r" * 2001}, {}, 422),
        ({"model": ""}, {}, 422),
    ],
)
def test_a_form_that_was_not_filled_in_here_stops_nothing_and_says_so(served, change, headers, status):
    with browser(served) as visitor:
        form = filled(visitor.get("/"), model="momentum", reason="smoke") | change
        refused = visitor.post("/stop", data=form, headers=headers)
    assert refused.status_code == status
    assert "Nothing was stopped" in refused.text
    assert killed_events(served) == []


def test_a_model_is_stopped_by_the_form_while_the_database_is_locked(own_server):
    with browser(own_server) as visitor:
        form = filled(visitor.get("/"), model="momentum", reason="smoke")
        lock = sqlite3.connect(own_server.settings.home / "signoff.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        try:
            page = visitor.post("/stop", data=form)
        finally:
            lock.rollback()
            lock.close()
    assert page.status_code == 200
    assert "goes on record when the database takes it" in page.text
    assert "1 stop is in force and not on record yet" in page.text
    until(lambda: len(killed_events(own_server)) == 1)


def test_a_name_that_nobody_knows_is_stopped_as_well_and_said_to_be_unknown(own_server):
    with browser(own_server) as visitor:
        page = visitor.post("/stop", data=filled(visitor.get("/"), model="momentun", reason="a slip"))
    assert "check the spelling" in page.text


class Known:
    """A board with this one release, and one beside it where a test says so."""

    def __init__(self, release, latch=None, beside=()):
        self.release, self.kept, self.beside = release, latch, beside

    def releases(self):
        return (self.release,)

    def told(self):
        return (flags("m", (self.release, *self.beside), self.kept),)

    def ordered(self):
        return ()

    def latch(self, _model):
        return self.kept


RISK = Principal(name="Rae", duties=frozenset({AccessRole.RISK}), roles=(Role.RISK_MANAGER,))


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        (RISK, ["/sign/m-2"]),
        (replace(RISK, name="Quinn"), []),  # who submitted it
        (replace(RISK, roles=(Role.CTO,)), []),  # whose role has signed
        (replace(RISK, name=signature(Role.CTO).person), []),  # who has signed in another role
        (replace(RISK, duties=frozenset({AccessRole.AUDITOR}), roles=()), []),
    ],
)
def test_an_approval_waits_for_those_whose_role_is_missing_and_who_may_still_sign(who, asked):
    assert [duty.address for duty in duties(Known(standing(State.AWAITING_APPROVAL)), who)] == asked


def test_an_override_waits_for_those_who_may_take_responsibility():
    blocked = Known(standing(State.VALIDATED, blocked=True))
    assert [duty.words for duty in duties(blocked, RISK)] == ["m 2 did not pass pbo: override or reject"]
    assert duties(blocked, replace(RISK, duties=frozenset({AccessRole.COMPLIANCE}))) == ()
    assert duties(Known(standing(State.VALIDATED)), RISK) == ()


def test_arming_waits_for_a_second_person_and_not_for_the_first():
    latch = KillSwitchState(model="m", is_latched=True, kill_count=1, reason="smoke", killed_by="Kim")
    killed = Known(standing(State.FULL), latch)
    assert [duty.address for duty in duties(killed, RISK)] == ["/rearm/m"]
    signed = replace(latch, rearm_signatures=(replace(signature(Role.RISK_MANAGER), person="Rae"),))
    assert duties(Known(standing(State.FULL), signed), RISK) == ()
    (line,) = lines(killed)
    assert (line.word, line.tone, line.killed_because) == ("killed", "bad", "Kim: smoke")


@pytest.mark.parametrize(
    ("state", "word", "tone", "meaning"),
    [
        (State.AWAITING_APPROVAL, "off", "muted", "Trades nothing; every new order is refused."),
        (State.SHADOW, "shadow", "ink", "2 runs in shadow and trades nothing."),
        (State.LIMITED, "limited", "ink", "Trades up to 10% of its capital."),
        (State.FULL, "full", "good", "Trades up to 100% of its capital."),
        (State.ROLLBACK_STUCK, "stuck while rolling back", "bad", "Trades nothing; every new order is refused."),
    ],
)
def test_a_state_is_a_word_and_a_colour(state, word, tone, meaning):
    (line,) = lines(Known(standing(state)))
    assert (line.word, line.tone, line.meaning) == (word, tone, meaning)


CUT = {"pause_reasons": (PauseReason.SILENCE,), "cut": "capital cut to 0% after 5 sessions without conclusive data"}


@pytest.mark.parametrize("state", [State.ROLLING_BACK, State.ROLLBACK_STUCK, State.ROLLED_BACK, State.SUPERSEDED])
@pytest.mark.parametrize(
    "latch", [None, KillSwitchState(model="m", is_latched=True, kill_count=1, reason="smoke", killed_by="Kim")]
)
def test_silence_is_no_cause_of_what_a_rollback_or_a_kill_holds_off(state, latch):
    """Silence had cut the capital before; it is not why the model is off now."""
    told = Known(replace(standing(state), **CUT), latch)
    (line,) = lines(told)
    assert "silence" not in line.meaning.lower()
    assert "without conclusive data" not in line.meaning
    (read,) = told.told()
    assert (read.reason, {share.reason for share in read.versions}) == ("", {""})


@pytest.mark.parametrize("state", [State.LIMITED, State.FULL])
def test_silence_is_named_where_it_is_why_a_live_release_trades_nothing(state):
    (line,) = lines(Known(replace(standing(state), allocation_pct=0, **CUT)))
    assert line.meaning.endswith(f"Because of silence: {CUT['cut']}.")


def test_of_several_versions_each_is_told_with_what_it_may_trade():
    champion = replace(standing(State.FULL), id="m-1", version="1")
    (shadow,) = lines(Known(standing(State.SHADOW), beside=(champion,)))
    (limited,) = lines(Known(standing(State.LIMITED), beside=(champion,)))
    assert set(sentences(shadow)) == {"2 runs in shadow and trades nothing", "1 trades up to 100% of the capital"}
    assert set(sentences(limited)) == {"2 trades up to 10% of the capital", "1 trades up to 90% of the capital"}


def sentences(line):
    return line.meaning.rstrip(".").split(". ")
