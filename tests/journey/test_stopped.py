"""A command that is stopped says what stands; the same command given again answers for what it did already."""

import signal
import subprocess
import sys

import pytest
from command_processes import code_of_a_kill, stopped_at

from signoff.config.settings import settings
from signoff.installation import Installation

pytestmark = pytest.mark.usefixtures("unprinted")


@pytest.fixture
def desk(own_desk):
    """Processes that are stopped share a home with nobody."""
    return own_desk


def test_a_signature_that_was_recorded_before_ctrl_c_stands_and_is_given_again_for_nothing(desk):
    identity = desk.with_people().submitted()
    line = ("approve", identity, "--role", "cto", "--condition", "daily review")
    said = stopped_at("after", "approval_signed", signal.SIGINT, *line, home=desk.home)
    assert said.returncode == 130
    assert "Your signature stands" in said.stderr
    assert "approved as cto" in said.stderr
    assert "Traceback" not in said.stderr
    house = Installation(settings(home=str(desk.home)))
    (kept,) = house.record.deployment(identity).approvals
    document = desk.ok(*line)
    assert [s["signed_at"] for s in document["approvals"]] == [kept.signed_at.isoformat()]


def test_a_signature_that_was_not_recorded_is_said_not_to_be(desk):
    identity = desk.with_people().submitted()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        line = ("approve", identity, "--role", "cto")
        said = stopped_at("before", "approval_signed", number, *line, home=desk.home)
        assert said.returncode == 128 + number
        assert "Nothing was recorded" in said.stderr
    assert desk.ok("approve", identity, "--role", "cto")["missing_roles"]


def test_a_rejection_and_an_override_given_again_stand(desk):
    desk.with_people()
    document = desk("submit", desk.folder, "--as", "Q. Ferrari")[1]
    identity = document["deployment"]
    if document["state"] == "validated":
        line = ("override", identity, "--role", "cto", "--reason", "a test")
        said = stopped_at("after", "override_signed", signal.SIGTERM, *line, home=desk.home)
        assert (said.returncode, "Your signature stands" in said.stderr) == (143, True)
        assert len(desk.ok(*line)["overrides"]) == 1
    line = ("reject", identity, "--role", "compliance", "--reason", "not registered")
    said = stopped_at("after", "approval_rejected", signal.SIGINT, *line, home=desk.home)
    assert "Your signature stands" in said.stderr
    assert desk.ok(*line)["state"] == "rejected"
    assert desk.refused("reject", identity, "--role", "cto", "--reason", "another")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_is_finished_and_told_whatever_signal_comes_meanwhile(tmp_path, when, number):
    said = stopped_at(when, "killed", number, "kill", "m", "--reason", "x", home=tmp_path / "h")
    assert said.returncode == code_of_a_kill(), said.stderr
    assert "m is killed" in said.stdout
    assert Installation(settings(home=str(tmp_path / "h"))).record.latch("m").is_latched


def test_a_command_that_is_stopped_while_it_loads_says_that_nothing_was_done(tmp_path):
    code = (
        "import os, signal, sys\n"
        "import signoff.cli.main as m\n"
        "m.main = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "m.run()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "Nothing was recorded" in ran.stderr) == (143, True)
