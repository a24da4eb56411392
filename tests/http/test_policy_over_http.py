"""The submitter does not bring the policy, and one person does not change it: asked of a real server."""

import json
import re
import shutil

import firm_policy
import httpx
import pytest
import release_folder
import yaml
from cast_of_six import PEOPLE
from http_server import Served
from test_release_over_http import Desk

from signoff.adapters.archives import pack, zipped
from signoff.adapters.folders import read_folder
from signoff.adapters.signing_keys import KeyFile
from signoff.app.people import enrol
from signoff.domain.errors import RefusedError
from signoff.domain.permissions import Permission
from signoff.domain.policy import Role
from signoff.ledger.text import decoded
from signoff.verbs.local import Local, SignPolicyAs

FIRM = firm_policy.FILE.read_text()
ZIP = {"content-type": "application/zip"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=600)
    (made / "policy.yaml").unlink()
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose firm has confirmed the example's policy."""
    served = Served(tmp_path_factory.mktemp("served") / "home")
    firm_policy.install(served.house)
    yield served.start()
    served.stop()


def sent(server, folder, text=None, *, role="machine", where="deployments", **further):
    files = read_folder(folder) | {name: content.encode() for name, content in further.items()}
    if text is not None:
        files["policy.yaml"] = text.encode()
    client = server.client(role)
    client.timeout = httpx.Timeout(300)
    return client.post(f"/api/v1/{where}", content=zipped(files), headers=ZIP)


def having(path, value):
    said = yaml.safe_load(FIRM)
    *way, last = path.split(".")
    part = said
    for name in way:
        part = part.setdefault(name, {})
    part[last] = value
    return yaml.safe_dump(said)


LAX = {
    "approvals.roles": [Role.RISK_MANAGER.value],
    "version": "2018.3",
}
# What tells two policies apart is asked of every kind of key; that a server asks it, of the few above.
LAXER = {
    "rollback.rehearsal_max_age_days": 3650,
    "phases.calendar": "24/7",
    "gates.pbo.threshold": 1.0,
    "approvals.compliance_required": False,
    "approvals.override_roles": ["model_owner", "lead_quant"],
    "approvals.expires_days": 3650,
    "approvals.unread_commits": "tell",
    "gates.var.blocking": False,
    "gates.near_miss_pct": 0,
    "phases.limited_allocation_pct": 50,
    "hotfix.roles": ["risk_manager"],
    "redeployment.advisory_gates": ["spa", "dsr", "pbo", "walk_forward", "deflated_sharpe", "hansen_spa"],
    "triggers.sharpe.minimum_days": 10_000,
    "success.uptime_pct": 0.0,
}


@pytest.mark.abuse
@pytest.mark.parametrize("path", LAX)
def test_an_archive_with_another_policy_is_refused_and_says_where_it_differs(server, folder, path):
    before = server.house.store.size()
    answer = sent(server, folder, having(path, LAX[path]))
    assert answer.status_code == 409, answer.text
    said = answer.json()["detail"]
    assert f"{path}: expected" in said
    assert "signoff policy propose" in said
    assert server.house.store.size() == before


@pytest.mark.abuse
@pytest.mark.parametrize("path", LAXER)
def test_every_other_key_of_a_policy_tells_it_apart_too(server, folder, tmp_path, path):
    shutil.copytree(folder, tmp_path / "sent")
    (tmp_path / "sent" / "policy.yaml").write_text(having(path, LAXER[path]))
    with pytest.raises(RefusedError, match=rf"{re.escape(path)}: expected"):
        server.house.reader.read(tmp_path / "sent", None, server.house.policy_in_force, is_submission=True)


def test_a_person_is_refused_like_a_machine(server, folder):
    answer = sent(server, folder, having("approvals.roles", ["model_owner"]), role="model_owner")
    assert (answer.status_code, "approvals.roles" in answer.text) == (409, True)


def test_a_stricter_policy_is_another_one_too(server, folder):
    assert sent(server, folder, having("gates.pbo.threshold", 0.1)).status_code == 409


def test_a_dossier_that_loosens_the_policy_in_force_is_refused(server, folder):
    text = (folder / "dossier.yaml").read_text()
    loosened = text.replace("  tighten:\n", "  tighten:\n    gates.pbo.threshold: 0.9\n", 1)
    assert loosened != text
    answer = sent(server, folder, **{"dossier.yaml": loosened})
    assert answer.status_code == 422, answer.text
    assert "the policy in force sets 0.5" in answer.json()["detail"]


def test_a_policy_that_is_no_policy_is_refused_as_input(server, folder):
    answer = sent(server, folder, "name: example firm\nversion: '2018.2'\nroles: [cto]\n")
    assert (answer.status_code, "unknown key" in answer.text) == (422, True)


def test_a_rehearsal_is_not_held_to_a_policy_that_came_along(server, folder):
    answer = sent(server, folder, having("rollback.revert_minutes", 10_000), where="models/momentum/rehearsals")
    assert (answer.status_code, "rollback.revert_minutes" in answer.text) == (409, True)


def test_the_command_line_sends_its_policy_file_and_is_refused(server, folder, tmp_path, capsys):
    policy = tmp_path / "mine.yaml"
    policy.write_text(having("approvals.roles", ["cto"]))
    pipeline = Desk(server, "machine", tmp_path / "machine", capsys)
    assert "approvals.roles" in pipeline.refused("submit", folder, "--policy", policy)


@pytest.mark.slow
def test_a_check_takes_a_policy_as_a_trial_and_a_submission_is_held_to_the_installations(server, folder):
    tried = sent(server, folder, having("gates.pbo.threshold", 1.0), where="checks").json()
    assert tried["policy"]["says"] == "trial policy example firm 2018.2"
    assert tried["policy"]["origin"] == "trial"
    held = sent(server, folder, where="checks").json()
    assert held["policy"]["says"] == "policy example firm 2018.2, version 1, confirmed by R. Moreau and C. Yamada"
    assert {g["key"]: g["threshold"] for g in held["gates"]}["pbo"] == 0.5
    reformatted = json.dumps(yaml.safe_load(FIRM), indent=3)
    opened = sent(server, folder, reformatted)
    assert opened.status_code == 201, opened.text
    state = server.house.record.deployment(opened.json()["deployment"])
    assert (state.floor.number, state.floor.digest) == (1, opened.json()["policy"]["digest"])
    assert len(state.policy.approvals.required) == 6
    kept = server.house.releases.read(state.id, "assessed")["inputs/policy.yaml"]
    assert yaml.safe_load(kept)["approvals"]["roles"] == yaml.safe_load(FIRM)["approvals"]["roles"]
    assert server.house.ledger.verify(is_full=True).findings == ()


class TestTwoPeople:
    """A server of its own for each, where nobody confirmed anything."""

    @pytest.fixture
    def firm(self, own_server, tmp_path, capsys):
        desks = {role: Desk(own_server, role, tmp_path / role, capsys) for role in PEOPLE}
        return own_server, {role: desk.signed_in_just_now() for role, desk in desks.items()}

    def test_two_desks_change_the_policy(self, firm, tmp_path):
        server, desks = firm
        shown = desks["lead_quant"].ok("policy", "show")
        assert (shown["says"], shown["is_confirmed"]) == ("built-in policy default 1, unconfirmed", False)
        made = desks["risk_manager"].ok("policy", "propose", firm_policy.FILE)
        assert {d["path"]: d["tendency"] for d in made["differences"]}["triggers.sharpe.below"] == "looser"
        (waiting,) = desks["lead_quant"].ok("policy", "show")["proposals"]
        assert (waiting["proposal"], waiting["proposed_by"]) == (made["proposal"], "R. Moreau")
        assert "another person" in desks["risk_manager"].refused("policy", "confirm", made["proposal"])
        done = desks["cto"].ok("policy", "confirm", made["proposal"])
        assert (done["number"], done["confirmed_by"]) == (1, ["R. Moreau", "C. Yamada"])
        assert server.house.ledger.verify(is_full=True).findings == ()
        assert "in force already" in desks["compliance"].refused("policy", "propose", firm_policy.FILE)

    def test_nor_do_those_who_are_held_to_it(self, firm):
        server, desks = firm
        for role in ("model_owner", "lead_quant"):
            assert desks[role](*("policy", "propose", firm_policy.FILE))[0] == 1
        administrator = server.client("machine")
        asked = {"text": FIRM, "role": "cto", "envelope": "{}"}
        assert administrator.post("/api/v1/policy/proposals", json=asked).status_code == 403
        assert server.house.record.policy().revision == 0

    def test_a_token_is_not_enough_even_with_the_key(self, firm):
        server, desks = firm
        made = desks["risk_manager"].ok("policy", "propose", firm_policy.FILE)
        desks["cto"].token = server.tokens["cto"]
        assert "five minutes" in desks["cto"].refused("policy", "confirm", made["proposal"])
        assert server.house.record.policy().number == 0

    def test_a_statement_for_one_policy_signs_no_other(self, firm):
        server, desks = firm
        person, role = PEOPLE["cto"], "cto"
        key = KeyFile.load(desks["cto"].home / "keys" / server.house.key_path(person).name)
        client = httpx.Client(base_url=server.url, headers=server.signed_in(role), timeout=30)
        asked = {"act": "propose", "role": role, "text": FIRM}
        said = client.post("/api/v1/policy/statements", json=asked).json()
        envelope = key.sign_statement(decoded(said["statement"]))
        lax = {"text": having("approvals.roles", ["cto"]), "role": role, "envelope": envelope}
        answer = client.post("/api/v1/policy/proposals", json=lax)
        assert (answer.status_code, "Sign what" in answer.text) == (409, True)
        assert client.post("/api/v1/policy/proposals", json={**lax, "text": FIRM}).status_code == 201
        client.close()

    def test_a_proposal_that_was_altered_is_not_signed_at_the_second_desk(self, firm, monkeypatch):
        server, desks = firm
        made = desks["risk_manager"].ok("policy", "propose", firm_policy.FILE)
        from signoff.verbs import remote

        honest = remote.Remote.policy

        def altered(self):
            shown = honest(self)
            (waiting,) = shown["proposals"]
            return {**shown, "proposals": [{**waiting, "content": waiting["content"].replace("compliance_r", "x")}]}

        monkeypatch.setattr(remote.Remote, "policy", altered)
        assert "another policy than the one" in desks["cto"].refused("policy", "confirm", made["proposal"])
        assert server.house.record.policy().number == 0

    def test_a_proposer_under_a_second_login_does_not_confirm(self, firm, tmp_path, capsys):
        server, desks = firm
        made = desks["risk_manager"].ok("policy", "propose", firm_policy.FILE)
        house = server.house
        known = house.record.people().named(PEOPLE["risk_manager"])
        enrol(
            house.record, name=known.name, roles=known.roles, key_id=known.key_id, public_key=known.public_key,
            actor="t", logins=("rmoreau",),
        )  # fmt: skip
        key = house.key_of("rmoreau")
        enrol(house.record, name="rmoreau", roles=(Role.CTO,), key_id=key.key_id, public_key=key.public_key, actor="t")
        with pytest.raises(Exception, match="another person"):
            Local(house, "rmoreau").confirm_policy(made["proposal"], SignPolicyAs(person="rmoreau"))
        said = desks["cto"].ok("policy", "decline", made["proposal"])
        assert said["declined_by"] == PEOPLE["cto"]


def test_the_routes_ask_for_verbs_of_their_own(server):
    told = server.client("machine").get("/api/v1/permissions").json()
    for verb in (Permission.PROPOSE_POLICY, Permission.CONFIRM_POLICY):
        assert verb in told["personal"]
        assert verb in told["needs_fresh_sign_in"]
        assert verb not in told["duties"]["machine"]


def test_an_archive_is_packed_with_a_policy_for_those_who_check(folder, tmp_path):
    policy = tmp_path / "p.yaml"
    policy.write_text(FIRM)
    assert pack(folder, policy) != pack(folder, None)
