"""Help shows what was written: every command's, in a terminal wide enough to break nothing."""

import re

import pytest
from command_processes import command, environment
from typer.main import get_command

from signoff.cli.commands import app
from signoff.cli.helping import SHARED, every_command
from signoff.cli.main import main

WIDE = environment(COLUMNS="400", TERMINAL_WIDTH="400", NO_COLOR="1")


def told(text):
    """The letters and signs of a text: no frames, no breaks, no marks of code."""
    return re.sub(r"[\s`│╭╮╰╯─]+", "", text)


def lines(group=None, before=()):
    for name, below in getattr(group or get_command(app), "commands", {}).items():
        yield (*before, name), below
        yield from lines(below, (*before, name))


def test_every_help_holds_every_sign_of_its_text(capsys, monkeypatch):
    from signoff.cli.main import main

    for name, value in {"COLUMNS": "400", "TERMINAL_WIDTH": "400", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    for line, written in lines():
        capsys.readouterr()
        assert main([*line, "--help"]) == 0
        shown = told(capsys.readouterr().out)
        for text in (written.help or "", SHARED, *(getattr(param, "help", None) or "" for param in written.params)):
            assert told(text) in shown, (line, text)


@pytest.mark.parametrize("line", [("approve",), ("policy", "confirm"), ("rollout", "start")])
def test_a_real_help_names_the_options_that_stand_anywhere(tmp_path, line):
    said = command(*line, "--help", home=tmp_path / "h", env=WIDE).stdout.decode()
    assert all(option in said for option in ("--as NAME", "--home DIR", "--registry URI"))


def test_the_place_of_a_key_is_readable(tmp_path):
    for line in (("approve",), ("policy", "propose"), ("rearm",), ("reject",)):
        assert "<home>/keys/<person>.pem" in command(*line, "--help", home=tmp_path / "h", env=WIDE).stdout.decode()


def test_every_command_is_walked():
    assert len(list(every_command(get_command(app)))) > 40


@pytest.mark.parametrize(("earlier", "present"), [("meet", "clear-condition"), ("adopt", "grandfather")])
def test_a_renamed_command_answers_by_its_earlier_name_and_says_the_new_one(earlier, present, capsys):
    assert main([earlier, "--help"]) == 0
    said = capsys.readouterr()
    assert f"`signoff {earlier}` is `signoff {present}` now" in said.err
    assert f"signoff {present}" in said.out
    assert main([present, "--help"]) == 0
    assert capsys.readouterr().err == ""
