"""What every face says of one thing: a name nobody knows, a killed model, a key, a policy without roles."""

import json

import pytest
from command_processes import code_of_a_kill, command
from several_models import Several

from signoff.adapters.junit import read_reports
from signoff.domain.deployment import State
from signoff.domain.errors import BadInputError
from signoff.domain.recognition import recognition


@pytest.fixture
def several(tmp_path):
    found = Several(tmp_path / "h")
    found.release("momentum", State.FULL)
    found.release("carry", State.LIMITED)
    return found


@pytest.mark.parametrize(
    "name", ["momentun", "MOMENTUM", " momentum", "momentum-2", "momentum-live", "moment", "ｍomentum"]
)
def test_a_kill_of_a_name_that_is_unknown_works_and_says_loudly_what_it_may_have_meant(several, name):
    said = command("kill", name, "--reason", "x", home=several.settings.home)
    assert said.returncode == code_of_a_kill(), said.stderr
    first, *rest = said.stdout.decode().splitlines()
    assert first.startswith(f"NOTHING HERE IS KNOWN BY THE NAME {name!r}")
    assert "Nearest names: momentum." in first
    assert any("is killed" in line for line in rest)
    document = json.loads(command("kill", name, "--reason", "x", "--json", home=several.settings.home).stdout)
    assert (document["known"], document["nearest"], document["models_known"]) == (False, ["momentum"], 2)


def test_a_kill_of_a_known_name_says_nothing_of_that(several):
    said = command("kill", "momentum", "--reason", "x", home=several.settings.home)
    assert b"KNOWN" not in said.stdout


def test_a_kill_in_a_new_home_asks_whether_it_is_the_right_one(tmp_path):
    said = command("kill", "momentum", "--reason", "x", home=tmp_path / "new")
    assert said.returncode == code_of_a_kill()
    assert b"No model is on record here at all: is this the right --home, or --server?" in said.stdout


def test_a_kill_whose_record_cannot_be_read_says_that_knowing_is_not_possible(several):
    several.house.store.database.engine.dispose()
    for path in several.settings.home.glob("signoff.db*"):
        path.write_bytes(b"no database" * 1000)
    document = json.loads(command("kill", "momentum", "--reason", "x", "--json", home=several.settings.home).stdout)
    assert (document["journaled"], document["known"]) == (True, None)
    said = command("kill", "momentum", "--reason", "x", home=several.settings.home)
    assert b"IS KNOWN CANNOT BE TOLD" in said.stdout


def test_names_are_near_by_letters_case_and_beginning():
    releases = {"carry-2": "carry", "alpha-1": "alpha"}
    assert recognition("cary", releases).nearest == ("carry",)
    assert recognition("carry-2", releases).nearest[0] == "carry"
    assert recognition("zzz", releases).nearest == ()
    assert recognition("rehearsed", releases, frozenset({"rehearsed"})).is_known


def test_a_killed_champion_is_killed_at_nothing_on_every_face(several):
    home = several.settings.home
    command("kill", "momentum", "--reason", "x", home=home)
    table = command("status", home=home).stdout.decode()
    row = next(line for line in table.splitlines() if line.startswith("momentum-2"))
    assert "killed" in row
    assert " 0%" in row
    assert "full" not in row
    whole = json.loads(command("status", "--json", home=home).stdout)
    (one,) = json.loads(command("status", "momentum-2", "--json", home=home).stdout)["deployments"]
    for said in (one, next(d for d in whole["deployments"] if d["deployment"] == "momentum-2")):
        assert (said["standing"], said["allocation_pct"]) == ("killed", 0)
    assert whole["flags"]["momentum"]["models.momentum.allocation_pct"] == 0


def test_a_stuck_rollback_says_why_and_what_comes_next(several):
    identity = several.leaving("value")  # its registry is away
    said = command("rollout", "rollback", identity, "--venue", "simulated", home=several.settings.home)
    assert said.returncode == 1
    for shown in (said.stdout, command("status", identity, home=several.settings.home).stdout):
        assert b"stuck" in shown
        assert b"no registry is configured" in shown
        assert f"signoff rollout rollback {identity}".encode() in shown


@pytest.mark.parametrize("given", ["{:.8}", "{:.4}", "0123", "no hex", ""])
def test_too_few_digits_of_a_key_are_ambiguous_and_name_the_candidates(given, tmp_path):
    home, out = tmp_path / "h", tmp_path / "export"
    command("kill", "m", "--reason", "x", home=home)
    assert command("export", out, home=home).returncode == 0
    full = json.loads(command("keys", "--json", home=home).stdout)["ledger"][0]["fingerprint"]
    said = command("verify", out, "--key", given.format(full), home=home)
    assert b"TAMPERED" not in said.stdout
    assert (said.returncode, full.encode() in said.stdout) == (2, True)
    assert command("verify", out, "--key", full[:16].upper(), home=home).stdout.count(b"UNCHECKED") == 0
    assert b"TAMPERED" in command("verify", out, "--key", "0" * 16, home=home).stdout


def test_the_keys_that_are_printed_are_those_that_desks_and_auditors_need(several, tmp_path):
    home = several.settings.home
    document = json.loads(command("keys", "--json", home=home).stdout)
    key = several.house.ledger_key
    assert document["flags"] == {"key_id": key.key_id, "public_key": key.public_key}
    said = command("keys", home=home).stdout.decode()
    assert key.key_id in said
    assert "BEGIN PUBLIC KEY" in said
    assert command("keys", home=tmp_path / "none").returncode == 2
    assert not (tmp_path / "none").exists()


def test_a_policy_without_roles_is_refused_in_our_own_words(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("name: firm\nversion: '1'\napprovals:\n  roles: []\n")
    said = command("policy", "propose", file, "--role", "cto", home=tmp_path / "h")
    assert said.returncode == 2
    assert b"approvals.roles: expected at least 1 entry, found none" in said.stderr


def test_whoever_declines_a_policy_is_found_where_there_is_only_one(tmp_path):
    home, file = tmp_path / "h", tmp_path / "policy.yaml"
    assert command("people", "add", "C. Yamada", "--make-key", "--role", "cto", home=home).returncode == 0
    assert command("policy", "template", file, home=home).returncode == 0
    made = json.loads(command("policy", "propose", file, "--role", "cto", "--json", home=home).stdout)
    said = command("policy", "decline", made["proposal"], home=home)
    assert said.returncode == 0, said.stderr


SUITES = b"<testsuites>" + b"<testsuite>" * 9999 + b"<testcase/>" + b"</testsuite>" * 9999 + b"</testsuites>"
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SUITES, "nested more than 200 deep"),
        (b"<testsuites><testsuite><testcase>" + b"<x>" * 9999, "nested more than 200 deep"),
        (LAUGHS, "document type declaration"),
        (b'<!DOCTYPE t SYSTEM "http://127.0.0.1:1/t.dtd"><testsuites/>', "document type declaration"),
    ],
)
def test_a_report_that_is_deep_or_grows_is_refused_in_a_sentence(tmp_path, content, words):
    (tmp_path / "junit").mkdir()
    (tmp_path / "junit" / "unit.xml").write_bytes(content)
    with pytest.raises(BadInputError, match=words):
        read_reports(tmp_path)


def test_status_names_every_kill_whatever_became_of_the_releases(tmp_path):
    home = tmp_path / "h"
    command("kill", "momentm", "--reason", "a slip", home=home)
    said = command("status", home=home).stdout.decode()
    assert "KILLED: momentm, by" in said
    assert "a slip" in said
    assert list(json.loads(command("status", "--json", home=home).stdout)["killed"]) == ["momentm"]
    assert b"momentm" not in command("status", "--model", "other", home=home).stdout
