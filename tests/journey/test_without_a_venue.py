"""A new user without a broker and without the demo: nothing that they are told claims to know what is open."""

import json
import re
from typing import ClassVar

import pytest
from cast_of_six import PEOPLE
from working_registry import WorkingRegistry

from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.venue import NO_VENUE, NOT_REHEARSED
from signoff.installation import Installation

# What would be said by somebody who knew: counts of orders, a model found flat, a time until it was.
CLAIMS = [
    r"\b(0|no) (open )?(order|position)s?\b",
    r"\b\d+ (open (order|position)|orders left)",
    r"consecutive reads",
    r"[Vv]erified flat",
    r"Flat after",
    r"RTO[^\n.;|]{0,40}?\b\d+(\.\d+)?\s*(ms|s|min)\b",
    r"orders made before revision",
    r"trading re-enabled",
    r'"(residual_orders|open_orders|open_positions)": \d',
    r"is fenced|stays fenced|Fenced after",
]


@pytest.fixture
def user(desk, monkeypatch):
    """The registry works, and nothing is really killed; the venue is what the settings give, which is none."""
    monkeypatch.delenv("SIGNOFF_VENUE", raising=False)
    monkeypatch.setattr(Installation, "registry", property(lambda _: WorkingRegistry()))

    class NewUser(type(desk)):
        """Somebody who chose no venue; everything that they were told is kept."""

        told: ClassVar = {}

        def __call__(self, *arguments):
            code, document, said = super().__call__(*arguments)
            self.told[" ".join(map(str, arguments))] = f"{json.dumps(document)}\n{said}"
            return code, document, said

        def said(self, *arguments):
            """The same command as people read it; (exit code, lines)."""
            self.capsys.readouterr()
            code = main([*map(str, arguments), "--home", str(self.home)])
            shown = self.capsys.readouterr()
            self.told[f"{' '.join(map(str, arguments))} (text)"] = shown.out + shown.err
            return code, shown.out + shown.err

        def read(self, identity, edition, name):
            text = (self.home / "releases" / identity / edition / name).read_text().replace("\\", "")
            self.told[f"{edition}/{name}"] = text
            return text

    return NewUser(desk.home, desk.folder, desk.capsys, venue=None)


def claims(told):
    return [
        (where, claim, found.group(0))
        for where, text in told.items()
        for claim in CLAIMS
        for found in re.finditer(claim, text)
    ]


@pytest.mark.slow
def test_from_the_first_submission_to_the_attested_way_back_nothing_claims_what_no_venue_said(user):
    user.with_people()
    identity = user.approved()
    page_one = user.read(identity, "approved", "deployment_memo.md")
    assert f"RTO {NOT_REHEARSED}" in page_one
    assert f"{NO_VENUE}. Policy " in page_one
    assert "accepts that (rollback.rehearsal_venue: none)" in page_one
    user.ok("rollout", "start", identity)

    code, killed, _ = user("kill", "momentum", "--reason", "orders at ten times the size")
    assert (code, killed["venue"], killed["open_orders"], killed["left"]) == (1, "none", None, NO_VENUE)
    code, said = user.said("kill", "momentum", "--reason", "again")
    assert (code, NO_VENUE in said) == (1, True)

    code, back, _ = user("rollout", "rollback", identity, "--reason", "odd predictions")
    assert (code, back["state"], back["stuck_at"]) == (1, "rollback_stuck", "verify_flat")
    assert back["stuck_because"].startswith(
        f"{NO_VENUE}; look at the broker yourself, then `signoff rollout attest-flat"
    )
    pages = (user.home / "notices.jsonl").read_text()
    user.told["notices"] = pages
    assert f"signoff rollout attest-flat {identity} --reason" in pages
    assert NO_VENUE in json.dumps(user.ok("history", identity))

    assert "reason" in user.refused("rollout", "attest-flat", identity, "--reason", " ")
    done = user.ok("rollout", "attest-flat", identity, "--reason", "the broker's desk said so", "--as", "R. Moreau")
    assert (done["state"], done["stuck_at"]) == ("rolled_back", None)
    assert user.ok("rollout", "attest-flat", identity, "--reason", "again")["revision"] == done["revision"]

    memo = user.read(identity, "rollback", "rollback_memo.md")
    assert "attested flat by R. Moreau: the broker's desk said so" in memo
    assert NO_VENUE in memo.partition("## ")[0]  # page one
    _, history = user.said("history", identity)
    assert "attested that the model is flat, on the word of R. Moreau alone: the broker's desk said so" in history
    user.said("status")
    user("status")
    for role in ("risk_manager", "cto"):
        user.ok("rearm", "momentum", "--role", role, "--reason", "feed repaired")
    user.told["rehearse"] = json.dumps(user.ok("rehearse", "momentum", "--dossier", user.folder))
    _, rehearsed = user.said("rehearse", "momentum", "--dossier", user.folder)
    assert f"RTO {NOT_REHEARSED}: not measured; {NO_VENUE}" in rehearsed
    record = Installation(settings(home=str(user.home))).record
    user.told["events"] = "\n".join(repr(recorded.event) for recorded in record.history())
    assert claims(user.told) == []


@pytest.mark.usefixtures("unprinted")
def test_a_policy_that_takes_no_rehearsal_without_a_venue_keeps_the_release_from_its_signatures(user):
    policy = user.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("rollback:\n", "rollback:\n  rehearsal_venue: simulated\n"))
    for role, name in PEOPLE.items():
        user.ok("people", "add", name, "--make-key", "--role", role)
    user.ok("policy", "propose", policy, "--as", PEOPLE["risk_manager"])
    user.ok("policy", "confirm", "--as", PEOPLE["cto"])
    user.ok("grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live")
    code, rehearsed, _ = user("rehearse", "momentum", "--dossier", user.folder)
    assert (code, rehearsed["counts"], rehearsed["rehearsal_venue"]) == (1, False, "simulated")
    _, document, _ = user("submit", user.folder, "--as", "Q. Ferrari")
    identity = document["deployment"]
    for role in ("risk_manager", "cto"):
        if document["blocking"]:
            document = user.ok("override", identity, "--role", role, "--reason", "a test")
    assert document["unrehearsed"] == ["rehearsed with no venue, and the policy takes the simulated venue at least"]
    user.venue = "simulated"
    assert user.ok("rehearse", "momentum", "--dossier", user.folder)["rto"].endswith(", simulated")
    user.ok("submit", user.folder, "--as", "Q. Ferrari")


def test_a_rehearsal_that_fails_names_the_step_and_its_cause(user, monkeypatch):
    class Broken(WorkingRegistry):
        def verify(self, model, version):
            raise RuntimeError("the artefact is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(user), "rehearsed", lambda self: self)
        user.with_people()
    monkeypatch.setattr(Installation, "registry", property(lambda _: Broken()))
    code, document, _ = user("rehearse", "momentum", "--dossier", user.folder)
    assert (code, document["failed"]) == (1, "verify_revert")
    assert "the artefact is gone" in document["failed_because"]
    _, said = user.said("rehearse", "momentum", "--dossier", user.folder)
    assert "verify_revert failed: " in said
    assert "the artefact is gone" in said
