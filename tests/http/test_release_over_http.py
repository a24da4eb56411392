"""A release from folder to shadow, each person at their own desk with their own key; the server holds none of them."""

import json
import shutil

import firm_policy
import pytest
import release_folder
from cast_of_six import PEOPLE
from signed_in import begun
from working_registry import WorkingRegistry

from signoff.adapters.folders import read_folder
from signoff.app.people import withdraw
from signoff.cli.main import main
from signoff.domain.policy import Role
from signoff.http import sessions
from signoff.installation import Installation
from signoff.ledger.manifest import differences, parse
from signoff.verbs.local import Local


class Desk:
    """One person's command line, in a home of its own that holds nothing but their key."""

    def __init__(self, server, role, home, capsys):
        self.server, self.role, self.home, self.capsys = server, role, home, capsys
        self.token = server.tokens[role]
        (home / "keys").mkdir(parents=True)
        if role in PEOPLE:
            key = server.house.key_path(PEOPLE[role])
            shutil.move(key, home / "keys" / key.name)

    def __call__(self, *command):
        self.capsys.readouterr()
        asked = ["--server", self.server.url, "--token", self.token, "--home", str(self.home)]
        code = main([*map(str, command), *asked, "--json"])
        said = self.capsys.readouterr()
        return code, json.loads(said.out) if said.out.strip().startswith("{") else None, said.err

    def ok(self, *command, codes=frozenset({0})):
        code, document, said = self(*command)
        assert code in codes, said
        assert document is not None, said
        return document

    def refused(self, *command):
        code, _, said = self(*command)
        assert code == 1, said
        return said

    def signed_in_just_now(self):
        """The same desk with a session that the identity provider dated a moment ago."""
        house = self.server.house
        number, _ = begun(house, PEOPLE[self.role])
        self.token = f"{sessions.PREFIX}{number}"
        return self


def rehearsed(server, folder):
    """A rehearsal on record, made where the ledger is: no registry stands behind this server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Installation, "registry", property(lambda _: WorkingRegistry()))
        assert Local(server.house, "t").rehearse("momentum", folder)["within_budget"]


@pytest.mark.slow
def test_a_release_is_submitted_signed_and_started_through_the_server(own_server, tmp_path, capsys):
    firm_policy.install(own_server.house)
    desks = {role: Desk(own_server, role, tmp_path / role, capsys) for role in PEOPLE}
    assert list(own_server.house.settings.keys.glob("*")) == []
    pipeline = Desk(own_server, "machine", tmp_path / "machine", capsys)
    folder = release_folder.make(tmp_path / "dossier")
    checked = pipeline.ok("check", folder, "--junit", tmp_path / "gates.xml", codes={0, 1})
    assert checked["blocking"]
    assert "<testsuite " in (tmp_path / "gates.xml").read_text()
    composed = pipeline.ok("memo", folder, "--out", tmp_path / "memo", codes={0, 1})
    drawn = "gates.point_in_time.seed"
    assert composed["figures"] | {drawn: 0} == checked["figures"] | {drawn: 0}
    assert composed["replay_seed"] != checked["replay_seed"]
    assert (tmp_path / "memo" / "deployment_memo.pdf").read_bytes().startswith(b"%PDF")
    written = read_folder(tmp_path / "memo")
    assert differences(parse(written.pop("manifest.json")), written) == ()
    assert own_server.house.record.deployments("momentum")[1:] == ()  # nothing was recorded
    document = pipeline.ok("submit", folder, codes={0, 1})
    identity = document["deployment"]
    reason = ("--reason", "a test of the procedure")
    said = desks["cto"].refused("override", identity, "--role", "cto", *reason)
    assert "sign-in of the last five minutes" in said
    no_key = ("--key", tmp_path / "nowhere.pem")
    said = (
        desks["lead_quant"].signed_in_just_now().refused("override", identity, "--role", "lead_quant", *reason, *no_key)
    )
    assert "role lead_quant may not override; the policy leaves it to" in " ".join(said.split())
    for role in ("risk_manager", "cto"):
        document = desks[role].signed_in_just_now().ok("override", identity, "--role", role, *reason)
    assert document["state"] == "validated"
    assert document["unrehearsed"]
    rehearsed(own_server, tmp_path / "dossier")
    document = pipeline.ok("submit", tmp_path / "dossier")
    assert document["state"] == "awaiting_approval"
    assert "operator" in desks["model_owner"].refused("rollout", "start", identity)
    for role in PEOPLE:
        document = desks[role].ok("approve", identity, "--role", role)
    assert document["state"] == "approved"
    assert document["to_sign"]["manifest"] == document["manifest"]
    assert document["to_sign"]["memo"].endswith(f"/deployments/{identity}/editions/submitted/deployment_memo.pdf")
    assert {gate["gate"] for gate in document["to_sign"]["gates"]} >= {"spa", "pbo"}
    started = desks["head_of_trading"].ok("rollout", "start", identity)
    assert started["flags"]["models.momentum.shadow_mode"] is True
    assert started["deployed_by"] == PEOPLE["head_of_trading"]
    history = desks["compliance"].ok("history", identity)["history"]
    assert {e["proof"] for e in history if e["kind"] in {"opened", "approval_signed", "deployer_signed"}} <= {
        None,
        "authenticated",
    }
    assert [e["actor"] for e in history if e["kind"] == "approval_signed"] == list(PEOPLE.values())
    assert own_server.house.record.deployment(identity).approvals[0].person == PEOPLE["model_owner"]
    assert "inputs/example_features.py" in own_server.house.releases.read(identity, "submitted")
    assert desks["compliance"].ok("memo", identity, "--out", tmp_path / "living")["altered"] == []
    (own_server.house.releases.folder(identity, "approved") / "deployment_memo.md").write_bytes(b"altered")
    answer = desks["compliance"].ok("memo", identity, "--out", tmp_path / "living", codes={1})
    assert answer["altered"] == ["approved/deployment_memo.md"]


def test_two_people_at_two_desks_put_a_live_version_on_record(own_server, tmp_path, capsys):
    adopt = ("grandfather", "carry", "3.1.0", "--reason", "live since 2017")
    risk, cto = (Desk(own_server, role, tmp_path / role, capsys) for role in ("risk_manager", "cto"))
    assert "last five minutes" in risk.refused(*adopt, "--role", "risk_manager")
    risk, cto = risk.signed_in_just_now(), cto.signed_in_just_now()
    assert "one --role" in risk.refused(*adopt, "--role", "risk_manager", "--role", "cto").lower()
    for _ in range(2):  # the same person twice is one person
        assert risk.ok(*adopt, "--role", "risk_manager")["waits_for_persons"]
    assert own_server.house.record.find("carry-3.1.0-adopted") is None
    other = ("grandfather", "carry", "3.1.0", "--reason", "another reason", "--role", "cto")
    assert cto.ok(*other)["waits_for_persons"]
    assert cto.ok(*adopt, "--role", "cto")["state"] == "full"
    signed = own_server.house.record.deployment("carry-3.1.0-adopted").approvals
    assert sorted(s.person for s in signed) == sorted(PEOPLE[role] for role in ("risk_manager", "cto"))
    assert {s.reason for s in signed} == {"live since 2017"}


def test_whoever_lost_their_role_since_does_not_count(own_server, tmp_path, capsys):
    adopt = ("grandfather", "carry", "3.1.0", "--reason", "live since 2017")
    risk, cto = (Desk(own_server, r, tmp_path / r, capsys).signed_in_just_now() for r in ("risk_manager", "cto"))
    assert risk.ok(*adopt, "--role", "risk_manager")["waits_for_persons"]
    withdraw(own_server.house.record, PEOPLE["risk_manager"], frozenset({Role.RISK_MANAGER}), reason="r", actor="o")
    assert cto.ok(*adopt, "--role", "cto")["waits_for_persons"]
    assert own_server.house.record.find("carry-3.1.0-adopted") is None


@pytest.mark.parametrize("command", ["worker", "serve", "notices", "db status"])
def test_what_works_on_a_home_is_not_quietly_done_to_another(tmp_path, capsys, command):
    asked = [*command.split(), "--server", "http://127.0.0.1:1", "--token", "t", "--home", str(tmp_path)]
    assert main(asked) == 2
    assert "where the installation is" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "signoff.db").exists()
