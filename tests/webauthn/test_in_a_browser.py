"""A real browser with an authenticator: sign in, enrol it, vouch for it, approve; the memo and `verify` say so."""

import os
from pathlib import Path

import browser
import pytest
from cast_of_six import PEOPLE

from signoff.cli.main import main
from signoff.domain.policy import Role, Tier
from signoff.http import sessions
from signoff.ledger.replay import replay
from signoff.ledger.verification import verify_export
from signoff.verbs.local import Local, SignAs

if os.environ.get("CI"):
    from playwright import sync_api
else:
    sync_api = pytest.importorskip("playwright.sync_api")
MOREAU = PEOPLE["risk_manager"]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture
def page():
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser.browser_path(), args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 900, "height": 1150})
        page.set_default_timeout(45_000)
        complaints = []
        page.on("pageerror", lambda error: complaints.append((page.url, str(error))))
        page.on(
            "console",
            lambda said: complaints.append((said.location["url"], said.text)) if said.type == "error" else None,
        )
        page.complaints = complaints
        yield page
        opened.close()


def add_authenticator(page, **changes):
    """An authenticator of this browser; its CDP session and its id, so that it can be told to misbehave."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | changes})
    return session, made["authenticatorId"]


def sign_in(page, place, login):
    page.goto(place)
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.locator('input[name="login"]').fill(login)
    page.locator('input[name="password"]').fill("any")
    page.locator('button[type="submit"]').click()
    page.locator('button[type="submit"]').click()  # consent
    page.wait_for_url(place)


def picture(page, name):
    """Kept where SIGNOFF_PICTURES says, for people to look at."""
    if folder := os.environ.get("SIGNOFF_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_a_release_is_approved_with_an_authenticator_and_the_memo_says_so(page, firm, release, capsys):
    add_authenticator(page)
    sign_in(page, f"{firm.site}/credentials", "risk-manager")
    page.get_by_label("Name of a new authenticator").fill("platform key")
    page.get_by_role("button", name="Add an authenticator").click()
    key_id = page.locator("#key-id")
    sync_api.expect(key_id).not_to_be_empty()
    sync_api.expect(page.get_by_text("It waits for your word.")).to_be_visible()
    picture(page, "waiting")
    shown = key_id.text_content()

    house = firm.house
    page.get_by_role("button", name="Lend my command line this session").click()
    sync_api.expect(page.locator("#token")).to_contain_text(f"SIGNOFF_TOKEN={sessions.PREFIX}")
    token = page.locator("#token").text_content().partition("=")[2]
    remote = ["--server", firm.url, "--token", token, "--key", str(house.key_path(MOREAU))]
    assert main(["credential", "vouch", "0" * 16, *remote]) == 1
    assert "Nothing was signed" in capsys.readouterr().err
    assert main(["credential", "vouch", shown[:16], *remote]) == 0
    page.get_by_role("button", name="I have vouched").click()
    sync_api.expect(page.locator("#rows tr")).to_have_count(1)
    picture(page, "credentials")

    page.goto(f"{firm.site}/sign/{release}")
    page.get_by_label("Your decision").select_option("conditional")
    page.get_by_label("Conditions, one on each line").fill("daily review in the limited phase")
    page.get_by_role("button", name="Show what I would sign").click()
    words = page.locator("#words")
    state = house.record.deployment(release)
    for told in (
        release,
        "momentum",
        state.version,
        "approve with conditions",
        "risk manager",
        state.manifest,
        "daily",
    ):
        sync_api.expect(words).to_contain_text(told)
    said = f"You, {MOREAU}, as risk manager, approve version {state.version} of momentum, with conditions."
    sync_api.expect(words).to_contain_text(said)
    picture(page, "sign")
    page.get_by_role("button", name="Sign with my authenticator").click()
    sync_api.expect(page.get_by_text("Signed with your authenticator, and on record.")).to_be_visible()
    picture(page, "signed")
    ours = [(place, what) for place, what in page.complaints if place.startswith(firm.site)]
    assert [what for place, what in ours if not place.endswith(("/auth/session", "/favicon.ico"))] == []

    (approval,) = house.record.deployment(release).approvals
    assert (approval.person, approval.tier) == (MOREAU, Tier.WEBAUTHN)
    assert approval.conditions == ("daily review in the limited phase",)
    for role in PEOPLE:
        if role != "risk_manager":
            Local(house, "t").approve(release, SignAs(role=Role(role)))
    memo = house.releases.read(release, "approved")["deployment_memo.md"].decode()
    signed = {
        name: line for line in memo.splitlines() for name in PEOPLE.values() if f"| {name} |" in line and "…" in line
    }
    assert f"webauthn {approval.key_id[:12]}" in signed.pop(MOREAU)
    assert len(signed) == len(PEOPLE) - 1
    assert "Signed with an authenticator (webauthn)" in memo
    assert all("key " in line and "webauthn" not in line for line in signed.values())
    result = verify_export(house.ledger.export(), replay)
    assert result.findings == ()


def test_a_killed_model_is_armed_again_with_authenticators_alone(page, firm):
    """Two people, each with a credential of their own; an authenticator that does not know its holder signs nothing."""
    house = firm.house
    signing = (SignAs(role=Role.HEAD_OF_TRADING), SignAs(role=Role.CTO))
    Local(house, "t").adopt("carry", "3.1.0", signing, reason="a model that no other test has")
    session, authenticator = add_authenticator(page)
    Local(house, "t").kill("carry", reason="orders at ten times the size")
    for number, role in enumerate(("head-of-trading", "cto"), start=1):
        sign_in(page, f"{firm.site}/credentials", role)
        page.get_by_label("Name of a new authenticator").fill(f"token {number}")
        page.get_by_role("button", name="Add an authenticator").click()
        sync_api.expect(page.get_by_text("It waits for your word.")).to_be_visible()
        key = house.key_of(PEOPLE[role.replace("-", "_")])
        name = PEOPLE[role.replace("-", "_")]
        house.authenticators.vouch(name, key.sign_statement(house.authenticators.waiting(name).statement))
        page.goto(f"{firm.site}/rearm/carry")
        page.get_by_label("Reason").fill("the feed is repaired")
        page.get_by_role("button", name="Show what I would sign").click()
        words = page.locator("#words")
        sync_api.expect(words).to_contain_text("arm again, after it was killed, version 3.1.0")
        picture(page, f"rearm-{number}-before")
        session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        page.get_by_role("button", name="Sign with my authenticator").click()
        sync_api.expect(page.get_by_role("alert")).to_contain_text("Nothing was signed")
        session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
        page.get_by_role("button", name="Sign with my authenticator").click()
        sync_api.expect(page.get_by_role("alert")).to_contain_text("on record")
        picture(page, f"rearm-{number}")
        page.context.clear_cookies()
    latch = house.record.latch("carry")
    assert not latch.is_latched
    rearmed = [r.event.signature for r in house.record.history("model/carry") if r.event.kind == "rearm_signed"]
    assert [(s.person, s.tier) for s in rearmed] == [(PEOPLE[r], Tier.WEBAUTHN) for r in ("head_of_trading", "cto")]
    assert verify_export(house.ledger.export(), replay).findings == ()
