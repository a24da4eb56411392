"""A release as people live it, through the commands they type."""

import json
import shutil

import pytest
from cast_of_six import PEOPLE
from defusedxml.ElementTree import fromstring

from signoff.cli.checking import _lines
from signoff.domain.evidence import PitEvidence, PitFinding


def flags(desk):
    return desk.ok("status")["flags"]["momentum"]


def enabled(desk):
    return flags(desk)["models.momentum.enabled"], flags(desk)["models.momentum.allocation_pct"]


@pytest.mark.usefixtures("unprinted")
class TestApprovals:
    def test_given_every_signature_when_started_then_the_release_is_in_shadow(self, desk):
        identity = desk.with_people().approved()
        started = desk.ok("rollout", "start", identity)
        assert started["flags"] == {
            "models.momentum.enabled": True,
            "models.momentum.allocation_pct": 0,
            "models.momentum.shadow_mode": True,
        }
        status = desk.ok("status")
        assert status["versions"]["momentum"] == {
            "1.1.0": {"state": "full", "enabled": True, "allocation_pct": 100, "shadow_mode": False},
            "2.0.0": {"state": "shadow", "enabled": True, "allocation_pct": 0, "shadow_mode": True},
        }

    def test_given_a_missing_signature_then_nothing_starts(self, desk):
        identity = desk.with_people().submitted()
        for role in list(PEOPLE)[:-1]:
            desk.ok("approve", identity, "--role", role)
        assert "awaiting_approval" in desk.refused("rollout", "start", identity)

    def test_nobody_approves_what_they_submitted(self, desk):
        identity = desk.with_people().submitted()
        desk.ok("people", "add", "Q. Ferrari", "--make-key", "--role", "cto")
        assert "independence" in desk.refused("approve", identity, "--role", "cto", "--as", "Q. Ferrari")

    def test_a_person_with_two_roles_signs_once(self, desk):
        desk.with_people()
        identity = desk.submitted()
        desk.ok("people", "add", "A. Lindqvist", "--role", "model_owner", "--make-key", "--role", "lead_quant")
        desk.ok("approve", identity, "--role", "model_owner")
        said = desk.refused("approve", identity, "--role", "lead_quant", "--as", "A. Lindqvist")
        assert "person_twice" in said

    def test_a_role_that_is_not_held_cannot_be_signed_in(self, desk):
        identity = desk.with_people().submitted()
        assert "does not hold" in desk.refused("approve", identity, "--role", "cto", "--as", "S. Brandt")

    def test_submitting_again_continues_the_release_whatever_its_replay_is_drawn_with(self, desk):
        identity = desk.with_people().submitted()
        assert desk.ok("submit", desk.folder)["deployment"] == identity

    def test_the_last_approval_looks_at_other_dates_and_leaves_the_signed_bytes(self, desk):
        identity = desk.with_people().submitted()
        memo = (desk.home / "releases" / identity / "submitted" / "deployment_memo.md").read_bytes()
        for role in PEOPLE:
            desk.ok("approve", identity, "--role", role)
        assert (desk.home / "releases" / identity / "submitted" / "deployment_memo.md").read_bytes() == memo

    def test_a_leak_on_the_dates_of_another_draw_keeps_the_last_approval_from_counting(self, desk, monkeypatch):
        identity = desk.with_people().submitted()
        for role in list(PEOPLE)[:-1]:
            desk.ok("approve", identity, "--role", role)
        leak = PitFinding(feature="f", kind="truncation", first_date="2018-01-02", size=1.0, detail="d", n=1, of=24)
        found = PitEvidence(findings=(leak,), dates_checked=24, features_checked=1, seed=99)
        monkeypatch.setattr("signoff.app.assess.Assessor.drawn_again", lambda *_: found)
        said = desk.refused("approve", identity, "--role", list(PEOPLE)[-1])
        assert "with seed 99 it found leaks in f" in said
        assert "awaiting_approval" in desk.refused("rollout", "start", identity)

    def test_a_rejection_sticks(self, desk):
        identity = desk.with_people().submitted()
        desk.ok("reject", identity, "--role", "compliance", "--reason", "registration missing")
        assert "rejected" in desk.refused("approve", identity, "--role", "cto")

    def test_a_changed_byte_of_the_evidence_voids_every_signature(self, desk):
        identity = desk.with_people().approved()
        path = desk.folder / "dossier.yaml"
        path.write_bytes(path.read_bytes() + b"\n")
        assert "every approval is void" in desk.refused("rollout", "start", identity)
        (state,) = (d for d in desk.ok("status")["deployments"] if d["deployment"] == identity)
        assert state["state"] == "awaiting_approval"

    def test_a_changed_byte_of_the_signed_memo_voids_every_signature(self, desk):
        identity = desk.with_people().approved()
        path = desk.home / "releases" / identity / "submitted" / "deployment_memo.pdf"
        path.write_bytes(path.read_bytes() + b" ")
        assert "deployment_memo.pdf" in desk.refused("rollout", "start", identity)
        assert enabled(desk) == (True, 100)  # the champion goes on as before

    def test_a_condition_holds_the_start_back_until_it_is_met(self, desk):
        identity = desk.with_people().submitted()
        for role in PEOPLE:
            condition = ("--condition", "daily review") if role == "risk_manager" else ()
            desk.ok("approve", identity, "--role", role, *condition)
        assert "daily review" in desk.refused("rollout", "start", identity)
        desk.ok("clear-condition", identity, "--role", "risk_manager", "--condition", "daily review")
        desk.ok("rollout", "start", identity)

    def test_one_release_a_model_at_a_time(self, desk):
        identity = desk.with_people().submitted()
        path = desk.folder / "dossier.yaml"
        path.write_bytes(path.read_bytes() + b"# another\n")
        assert identity in desk.refused("submit", desk.folder, "--as", "Q. Ferrari")

    def test_a_summary_that_contradicts_the_evidence_is_refused(self, desk):
        desk.with_people()
        path = desk.folder / "dossier.yaml"
        path.write_text(path.read_text().replace("summary: null", 'summary: "Sharpe ratio of 7.77, best ever."'))
        said = desk.refused("submit", desk.folder, "--as", "Q. Ferrari", code=2)
        assert "7.77" in said

    def test_check_prints_what_stands_under_the_summary_in_the_memo(self, desk):
        path = desk.folder / "dossier.yaml"
        path.write_text(path.read_text().replace("summary: null", 'summary: "v1.1.0 had {metrics.sharpe.new}."'))
        _, checked, _ = desk("check", desk.folder)
        gates, figures, beside = checked["summary_computed"]
        assert gates.startswith("Computed: ")
        assert "Returns: " in beside or "Sharpe difference to" in beside
        assert "is the Sharpe ratio of the new version v" in figures
        assert {gates, figures} <= {line for line in _lines(checked) if isinstance(line, str)}

    def test_a_near_miss_without_its_explanation_is_not_submitted(self, desk):
        desk.with_people()
        _, checked, _ = desk("check", desk.folder)
        near = [gate["key"] for gate in checked["gates"] if gate["near_miss"]]
        assert near, "the invented release should pass some gate narrowly"
        path = desk.folder / "dossier.yaml"
        text = path.read_text().splitlines()
        path.write_text("\n".join(line for line in text if not line.startswith(f"    {near[0]}: ")))
        assert f"near_misses.{near[0]}" in desk.refused("submit", desk.folder, "--as", "Q. Ferrari", code=2)


@pytest.mark.usefixtures("unprinted")
class TestTheWayBack:
    def test_a_rollback_that_cannot_revert_stays_fenced_and_says_so(self, desk):
        identity = desk.with_people().approved()
        desk.ok("rollout", "start", identity)
        code, shown, _ = desk("rollout", "rollback", identity, "--reason", "odd predictions")
        assert code == 1
        assert shown["state"] == "rollback_stuck"  # no registry here: v1.1.0 cannot be loaded, so it stays fenced
        assert enabled(desk) == (False, 0)

    def test_a_kill_takes_one_person_and_rearming_two(self, desk):
        identity = desk.with_people().approved()
        desk.ok("rollout", "start", identity)
        killed = desk.ok("kill", "momentum", "--reason", "orders at ten times the size")
        assert killed["flags"]["models.momentum.enabled"] is False
        assert "kill_latch" in desk.refused("rollout", "advance", identity)
        assert desk.ok("rearm", "momentum", "--role", "risk_manager")["latched"] is True
        assert "already" in desk.refused("rearm", "momentum", "--role", "risk_manager")
        assert desk.ok("rearm", "momentum", "--role", "cto")["latched"] is False
        shares = desk.ok("status")["versions"]["momentum"]
        assert {share["state"] for share in shares.values()} == {"shadow"}
        assert enabled(desk) == (False, 0)  # for a reader that does not say which of the two it runs

    def test_a_model_that_nobody_knows_can_be_killed_all_the_same(self, desk):
        code, killed, _ = desk("kill", "unheard-of", "--reason", "just in case")
        assert (code, killed["open_orders"], killed["known"]) == (1, 0, False)
        assert killed["journaled"] or killed["recorded"]


@pytest.mark.usefixtures("unprinted")
class TestTheRecord:
    def test_an_export_verifies_and_a_flipped_byte_does_not(self, desk, tmp_path):
        desk.with_people().approved()
        desk.ok("worker")
        desk.ok("export", tmp_path / "out")
        assert desk("verify", tmp_path / "out")[0] == 0
        for name in ("events.jsonl", "states.json", "checkpoint", "key.pub", "manifest.json"):
            spoiled = shutil.copytree(tmp_path / "out", tmp_path / f"spoiled-{name}")
            content = bytearray((spoiled / name).read_bytes())
            content[len(content) // 2] ^= 1
            (spoiled / name).write_bytes(content)
            assert desk("verify", spoiled)[0] == 1, name

    def test_a_tail_that_no_anchor_covers_is_said(self, desk):
        desk.with_people()
        assert desk("verify")[0] == 2
        desk.ok("worker")
        assert desk("verify")[0] == 0

    def test_history_names_who_did_what(self, desk):
        identity = desk.with_people().approved()
        told = desk.ok("history", identity)["history"]
        assert {"R. Moreau", "Q. Ferrari"} <= {line["actor"] for line in told}


def test_the_memo_is_the_same_bytes_when_written_twice(desk, tmp_path):
    first = desk("memo", desk.folder, "--out", tmp_path / "one")
    second = desk("memo", desk.folder, "--out", tmp_path / "two", "--seed", first[1]["replay_seed"])
    assert first[1]["files"] == second[1]["files"]
    for name in first[1]["files"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    listed = json.loads((tmp_path / "one" / "manifest.json").read_bytes())["files"]
    assert {f["path"] for f in listed} | {"manifest.json"} == set(first[1]["files"])
    assert {"deployment_memo.md", "deployment_memo.html", "deployment_memo.pdf"} <= set(first[1]["files"])


def test_check_answers_machines_and_people(desk):
    code, document, _ = desk("check", desk.folder)
    assert code == (0 if document["passed"] else 1)
    assert [gate["key"] for gate in document["gates"]] == [
        "spa",
        "dsr",
        "pbo",
        "walk_forward",
        "var",
        "point_in_time",
        "deflated_sharpe",
        "hansen_spa",
        "sessions",
    ]


def test_replay_goes_over_the_history_and_tells_machines(desk):
    code, document, _ = desk("replay", desk.folder, "--dates", "20")

    (found,) = document["versions"].values()
    assert (code, found["passed"], found["features_checked"]) == (0, True, 1)


def test_check_leaves_a_report_for_the_pipeline(desk, tmp_path):
    report = tmp_path / "reports" / "gates.xml"

    code, document, _ = desk("check", desk.folder, "--junit", report)

    suite = fromstring(report.read_bytes())
    assert [case.get("name") for case in suite.iter("testcase")] == [gate["key"] for gate in document["gates"]]
    assert (int(suite.get("failures")) + int(suite.get("errors")) > 0) is (code == 1)


def test_a_report_that_cannot_be_written_is_said_and_is_bad_input(desk, tmp_path):
    (tmp_path / "file").write_text("")

    code, _, said = desk("check", desk.folder, "--junit", tmp_path / "file" / "gates.xml")

    assert code == 2
    assert "JUnit report" in said


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("check",),
        ("memo",),
        ("submit",),
        ("approve",),
        ("rollout", "start"),
        ("kill",),
        ("observe",),
        ("verify",),
        ("demo",),
        ("init",),
        ("people", "add"),
    ],
)
def test_every_command_explains_itself(arguments, capsys):
    from signoff.cli.main import main

    assert main([*arguments, "--help"]) == 0
    assert "Example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("approve", "nothing", "--role", "cto"), "signoff people add"),
        (("rollout", "start", "nothing"), "nothing"),
        (("verify", "/nowhere"), "nowhere"),
        (("check", "/nowhere"), "signoff init"),
        (("approve", "x", "--role", "king"), "king"),
        (("fly",), "fly"),
    ],
)
def test_nonsense_is_answered_with_what_to_do(desk, arguments, word):
    assert word in desk.refused(*arguments, code=2)


def test_an_empty_installation_says_how_to_begin(desk, capsys):
    from signoff.cli.main import main

    assert main(["status", "--home", str(desk.home)]) == 2
    assert "signoff init" in capsys.readouterr().err
    assert not desk.home.exists()


def test_what_people_wrote_is_printed_as_they_wrote_it_and_obeyed_by_no_terminal(desk, capsys):
    from signoff.cli.main import main

    reason = "ten times the size [/x] [red]now[/red] :warning: \x1b]0;owned\x07 \u202egnorw" + " and on" * 30
    at = ("--home", str(desk.home), "--venue", "simulated")
    assert main(["kill", "momentum[/x]", "--reason", reason, *at]) == 1  # no release has that name
    assert "momentum[/x] is killed" in capsys.readouterr().out
    assert main(["history", "momentum[/x]", *at]) == 0
    said = capsys.readouterr().out
    shown = reason.replace("\x1b", r"\x1b").replace("\x07", r"\x07").replace("\u202e", r"\u202e")
    assert any(shown in line for line in said.splitlines())  # what is piped is not broken into lines


def test_a_list_gives_no_capital_to_a_model_that_is_off(desk, capsys):
    from signoff.cli.main import main

    at = ("--home", str(desk.home))
    desk.with_people()
    assert main(["status", *at]) == 0
    assert "100%" in capsys.readouterr().out
    desk.ok("kill", "momentum", "--reason", "a test")
    assert main(["status", *at]) == 0
    said = capsys.readouterr().out
    assert "killed" in said
    assert " 0%" in said
    assert "100%" not in said
