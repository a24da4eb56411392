"""The installation's policy through the commands that people type, and what pages say of it."""

import firm_policy
import pytest
import yaml
from cast_of_six import PEOPLE

MOREAU, YAMADA = PEOPLE["risk_manager"], PEOPLE["cto"]


@pytest.fixture
def firm_text():
    return firm_policy.FILE.read_text()


def unprinted_but_for_notices(patch):
    """Memos as their notices and their last line."""
    from signoff.app import package

    def plain(memo):
        text = "\n".join((*memo.notices, memo.colophon)).encode()
        return {"deployment_memo.md": text, "deployment_memo.pdf": text}

    patch.setattr(package, "rendered", plain)
    patch.setattr(
        package,
        "attachments",
        lambda *_: {"attachments/backtest_report.pdf": b"", "attachments/validation_results.pdf": b""},
    )


@pytest.fixture
def short(monkeypatch):
    unprinted_but_for_notices(monkeypatch)


def enrolled(desk):
    for role, name in PEOPLE.items():
        desk.ok("people", "add", name, "--make-key", "--role", role)
    return desk


def memo_of(desk, identity, edition="submitted"):
    return (desk.home / "releases" / identity / edition / "deployment_memo.md").read_text()


def test_two_people_change_it_and_it_shows_who(desk, capsys):
    enrolled(desk)
    assert desk.ok("policy", "show")["origin"] == "built_in"
    made = desk.ok("policy", "propose", firm_policy.FILE, "--as", MOREAU)
    assert "another person" in desk.refused("policy", "confirm", made["proposal"], "--as", MOREAU)
    done = desk.ok("policy", "confirm", made["proposal"], "--as", YAMADA)
    assert done["confirmed_by"] == [MOREAU, YAMADA]
    (version,) = desk.ok("policy", "show")["versions"]
    assert (version["number"], version["proposed_by"], version["confirmed_by"]) == (1, MOREAU, YAMADA)
    assert desk.ok("policy", "show", "--out", desk.home / "now.yaml")["digest"] == version["digest"]
    shown = yaml.safe_load((desk.home / "now.yaml").read_text())
    assert shown["triggers"]["sharpe"]["below"] == -1
    assert "in force already" in desk.refused("policy", "propose", desk.home / "now.yaml", "--as", MOREAU)


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        (("propose", "nowhere.yaml", "--as", MOREAU), 2, "nowhere.yaml"),
        (("propose", firm_policy.FILE), 2, "--as"),
        (("propose", firm_policy.FILE, "--as", "Nobody"), 2, "Nobody"),
        (("propose", firm_policy.FILE, "--as", PEOPLE["model_owner"]), 1, "risk_manager"),
        (("propose", firm_policy.FILE, "--role", "lead_quant"), 1, "risk_manager"),
        (("confirm", "--as", YAMADA), 2, "open are: none"),
        (("confirm", "0" * 16, "--as", YAMADA), 2, "open are: none"),
        (("decline", "0" * 16, "--as", YAMADA), 2, "open are: none"),
    ],
)
def test_what_cannot_be_done_says_why(desk, line, code, word):
    enrolled(desk)
    assert word in desk.refused("policy", *line, code=code)


def test_a_policy_with_a_slip_is_refused_with_its_line(desk, firm_text, tmp_path):
    enrolled(desk)
    slip = tmp_path / "slip.yaml"
    slip.write_text(firm_text.replace("consecutive_days: 10", "consecutive_day: 10"))
    said = desk.refused("policy", "propose", slip, "--as", MOREAU, code=2)
    assert "slip.yaml:" in said
    assert "'consecutive_days'" in said


def test_a_check_makes_no_home_and_names_the_policy_it_is_held_to(desk):
    _, document, _ = desk("check", desk.folder)
    assert document["policy"]["says"] == "trial policy example firm 2018.2"
    (desk.folder / "policy.yaml").unlink()
    _, document, _ = desk("check", desk.folder)
    assert document["policy"]["says"] == "built-in policy default 1, unconfirmed"
    assert not desk.home.exists()


def test_a_check_prints_trial_policy_for_people(desk, capsys):
    from signoff.cli.main import main

    main(["check", str(desk.folder), "--home", str(desk.home)])
    assert "trial policy example firm 2018.2" in capsys.readouterr().out


@pytest.mark.usefixtures("short")
class TestMemos:
    def test_a_memo_under_a_trial_policy_says_so_on_page_one(self, desk, tmp_path):
        desk("memo", desk.folder, "--out", tmp_path / "memo")
        said = (tmp_path / "memo" / "deployment_memo.md").read_text()
        assert said.startswith("Trial policy example firm 2018.2")
        assert "Held to trial policy" in said

    def test_a_memo_names_the_version_and_who_confirmed_it(self, desk):
        identity = desk.with_people().submitted()
        said = memo_of(desk, identity)
        assert f"version 1, confirmed by {MOREAU} and {YAMADA} (sha256 {desk.ok('policy', 'show')['digest']})" in said
        assert "nconfirmed" not in said

    def test_a_release_under_an_unconfirmed_policy_is_let_through_and_says_so(self, desk):
        (desk.folder / "policy.yaml").unlink()
        enrolled(desk)
        desk.ok(
            "grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live before"
        )
        identity = desk.rehearsed().submitted()
        assert "Built-in policy default 1, unconfirmed: no two people" in memo_of(desk, identity)
        state = next(d for d in desk.ok("status")["deployments"] if d["deployment"] == identity)
        assert state["policy"]["is_confirmed"] is False

    def test_a_release_keeps_the_policy_that_it_was_opened_with(self, desk, tmp_path, firm_text):
        identity = desk.with_people().submitted()
        stricter = tmp_path / "stricter.yaml"
        stricter.write_text(firm_text.replace("pbo: {threshold: 0.5", "pbo: {threshold: 0.1"))
        desk.ok("policy", "propose", stricter, "--as", MOREAU)
        desk.ok("policy", "confirm", "--as", YAMADA)
        for role in PEOPLE:
            document = desk.ok("approve", identity, "--role", role)
        assert (document["state"], document["policy"]["number"]) == ("approved", 1)
        assert "version 1, confirmed" in memo_of(desk, identity, "approved")
        assert desk("verify", "--full")[0] in {0, 2}

    def test_a_submission_with_the_policy_of_before_is_refused_once_it_changed(self, desk, tmp_path, firm_text):
        desk.with_people()
        newer = tmp_path / "newer.yaml"
        newer.write_text(firm_text.replace('"2018.2"', '"2018.3"'))
        desk.ok("policy", "propose", newer, "--as", MOREAU)
        desk.ok("policy", "confirm", "--as", YAMADA)
        said = desk.refused("submit", desk.folder, "--as", "Q. Ferrari")
        assert "version: expected 2018.3, found 2018.2" in said
        (desk.folder / "policy.yaml").unlink()
        _, document, said = desk("submit", desk.folder, "--as", "Q. Ferrari")
        assert document is not None, said
        assert document["policy"]["number"] == 2


def test_a_policy_by_option_is_refused_too_and_so_is_the_one_in_the_folder(desk, tmp_path, firm_text):
    desk.with_people()
    lax = tmp_path / "lax.yaml"
    lax.write_text(firm_text.replace("compliance_required: true", "compliance_required: false"))
    submit = ("submit", desk.folder, "--as", "Q. Ferrari")
    assert "approvals.compliance_required" in desk.refused(*submit, "--policy", lax)
    (desk.folder / "policy.yaml").write_text(lax.read_text())
    assert "approvals.compliance_required" in desk.refused(*submit)
    assert "approvals.compliance_required" in desk.refused(*submit, "--policy", firm_policy.FILE)
    assert len(desk.ok("status")["deployments"]) == 1  # the version that was adopted


def test_adopting_takes_as_many_people_as_the_installation_says(desk, tmp_path, firm_text):
    enrolled(desk)
    three = tmp_path / "three.yaml"
    three.write_text(firm_text.replace("override_persons: 2", "override_persons: 3"))
    desk.ok("policy", "propose", three, "--as", MOREAU)
    desk.ok("policy", "confirm", "--as", YAMADA)
    two = ("grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live")
    assert "takes 3 different people" in desk.refused(*two)
    desk.ok(*two, "--role", "head_of_trading")
    desk.ok("kill", "momentum", "--reason", "test")


def test_a_template_to_begin_with_is_written_once(desk, tmp_path):
    place = tmp_path / "firm" / "policy.yaml"
    desk.ok("policy", "template", place)
    assert "nothing was written" in desk.refused("policy", "template", place, code=2)
    enrolled(desk)
    assert desk.ok("policy", "propose", place, "--as", MOREAU)["name"] == "our firm"


@pytest.mark.usefixtures("short")
def test_the_demonstration_has_its_policy_confirmed_by_two_people_before_it_submits(tmp_path, folder, monkeypatch):
    from rich.console import Console
    from working_registry import WorkingRegistry

    from signoff.adapters.clocks import SimulatedClock
    from signoff.adapters.documents import load_dossier
    from signoff.config.settings import settings
    from signoff.demo.cast import enrol_cast
    from signoff.demo.example import SUBMITTED_AT, Example
    from signoff.demo.story import DemoStory
    from signoff.installation import Installation

    (folder / "policy.yaml").unlink()
    clock = SimulatedClock(SUBMITTED_AT)
    house = Installation(settings(home=str(tmp_path / "home"), actor="demo"), clock)
    house = house.with_parts(registry=WorkingRegistry())
    example = Example(dossier=folder, policy=firm_policy.FILE, live=tmp_path / "live", sectors={})
    quiet = Console(quiet=True)
    story = DemoStory(house=house, example=example, console=quiet, set_time=clock.set, progress=lambda *_: None)
    for _ in range(2):  # an interrupted run continues
        cast = enrol_cast(house, load_dossier(folder).value)
        story.install_policy(cast)
    release = story.assess()
    story.adopt(cast, release)
    story.rehearse(release)
    state = story.submit(release, cast)
    assert (state.floor.number, state.floor.name) == (1, "example firm")
    assert house.ledger.verify().findings == ()
