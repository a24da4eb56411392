"""Standard output that cannot be written decides nothing: each command runs in a process, as a shell runs it.

Some are started by a shell; others are forks, whose streams are redirected by the same calls of the system.
"""

import json

import pytest
from command_processes import code_of_a_kill, command, environment, redirected

from signoff.config.settings import settings
from signoff.installation import Installation

KILL = ("kill", "mömentum→", "--reason", "a test")


def is_killed(home):
    return Installation(settings(home=str(home))).record.latch("mömentum→").is_latched


@pytest.mark.parametrize("encoding", ["ascii", "koi8-r"])
def test_a_kill_whose_answer_no_encoding_holds_is_in_force_and_says_so(tmp_path, encoding):
    said = command(*KILL, home=tmp_path / "h", env=environment(PYTHONIOENCODING=encoding))
    assert said.returncode == code_of_a_kill(), said.stderr
    assert b"is killed" in said.stdout
    assert b"\\u2192" in said.stdout
    assert b"Traceback" not in said.stderr
    assert is_killed(tmp_path / "h")


@pytest.mark.parametrize("words", [">/dev/full", ">&-", ">&- 2>&-", ">/dev/full 2>/dev/full"])
def test_a_kill_whose_answer_goes_nowhere_is_in_force_and_ends_well(tmp_path, words):
    said = redirected(*KILL, home=tmp_path / "h", words=words)
    assert said.returncode == code_of_a_kill(), said.stderr
    assert b"Traceback" not in said.stderr
    assert is_killed(tmp_path / "h")


@pytest.mark.parametrize("shell", ["<&- >&- 2>&-", "| true"])
def test_a_kill_that_a_shell_gives_no_streams_is_in_force_and_ends_well(tmp_path, shell):
    said = command(*KILL, home=tmp_path / "h", shell=shell)
    assert said.returncode == (0 if "|" in shell else code_of_a_kill()), said.stderr  # of a pipe, `true`'s
    assert b"Traceback" not in said.stderr
    assert is_killed(tmp_path / "h")


def begun(home):
    """A home that is there: a command that reads makes none."""
    Installation(settings(home=str(home))).store.size()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("status",), ">/dev/full"),
        (("history", "m", "--json"), ">&-"),
        (("accounts", "matrix"), ">/dev/full"),
        (("--help",), ">&-"),
    ],
)
def test_no_command_fails_for_its_output(tmp_path, line, words):
    begun(tmp_path / "h")
    said = redirected(*line, home=tmp_path / "h", words=words)
    assert said.returncode == 0, said.stderr
    assert b"Traceback" not in said.stderr


@pytest.mark.parametrize("words", ["2>/dev/full", "2>&-"])
def test_a_refusal_that_cannot_be_printed_is_a_refusal(tmp_path, words):
    assert redirected("status", "nobody", home=tmp_path / "h", words=words).returncode == 2
    assert redirected("nonsense", home=tmp_path / "h", words=words).returncode == 2


def test_a_full_disk_behind_the_answer_is_told_on_standard_error(tmp_path):
    begun(tmp_path / "h")
    said = command("status", home=tmp_path / "h", shell=">/dev/full")
    assert b"could not be written to standard output (No space left on device)" in said.stderr


def test_what_is_printed_to_a_closed_stream_is_written_into_no_file(tmp_path):
    """A closed number would be the next that is opened: the database's."""
    for _ in range(3):
        assert redirected(*KILL, home=tmp_path / "h", words=">&- 2>&-").returncode == code_of_a_kill()
    said = command("verify", "--json", home=tmp_path / "h")
    assert json.loads(said.stdout)["findings"] == []
