"""Help shows what was written: every command's, in a terminal wide enough to break nothing."""

import re
import subprocess
import sys
from importlib import import_module

import pytest
import typer
from command_processes import command, environment
from typer.main import get_command

from signoff.cli.commands import _commands_of, built
from signoff.cli.helping import SHARED, every_command
from signoff.cli.listing import PANELS
from signoff.cli.main import main

LISTED = [(name, *one) for listed in PANELS.values() for name, one in listed.items()]
WIDE = {"COLUMNS": "400", "TERMINAL_WIDTH": "400", "NO_COLOR": "1"}


def told(text):
    """The letters and signs of a text: no frames, no breaks, no marks of code."""
    return re.sub(r"[\s`│╭╮╰╯─]+", "", text)


def as_it_was_written(module):
    """The commands of a module by name, before their help is made readable."""
    part = typer.Typer()
    part.callback()(lambda: None)
    import_module(f"signoff.cli.{module}").add_to(part)
    return get_command(part)


def lines(group=None, before=()):
    if group is None:
        for module in sorted({module for _, module, _ in LISTED}):
            yield from lines(as_it_was_written(module), before)
        return
    for name, below in getattr(group, "commands", {}).items():
        yield (*before, name), below
        yield from lines(below, (*before, name))


def test_every_help_holds_every_sign_of_its_text(capsys, monkeypatch):
    from signoff.cli.main import main

    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    for line, written in lines():
        capsys.readouterr()
        assert main([*line, "--help"]) == 0
        shown = told(capsys.readouterr().out)
        for text in (written.help or "", SHARED, *(getattr(param, "help", None) or "" for param in written.params)):
            assert told(text) in shown, (line, text)


@pytest.mark.parametrize("line", [("approve",), ("policy", "confirm"), ("rollout", "start")])
def test_a_real_help_names_the_options_that_stand_anywhere(tmp_path, monkeypatch, line):
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    env = environment() if line == ("approve",) else None  # one interpreter of its own, and forks
    said = command(*line, "--help", home=tmp_path / "h", env=env).stdout.decode()
    assert all(option in said for option in ("--as NAME", "--home DIR", "--registry URI"))


def test_the_place_of_a_key_is_readable(tmp_path, monkeypatch):
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    for line in (("approve",), ("policy", "propose"), ("rearm",), ("reject",)):
        assert "<home>/keys/<person>.pem" in command(*line, "--help", home=tmp_path / "h").stdout.decode()


def test_every_command_is_walked():
    assert len(list(every_command(built().load_all()))) > 40


@pytest.mark.parametrize(("earlier", "present"), [("meet", "clear-condition"), ("adopt", "grandfather")])
def test_a_renamed_command_answers_by_its_earlier_name_and_says_the_new_one(earlier, present, capsys):
    assert main([earlier, "--help"]) == 0
    said = capsys.readouterr()
    assert f"`signoff {earlier}` is `signoff {present}` now" in said.err
    assert f"signoff {present}" in said.out
    assert main([present, "--help"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("name", "module", "summary"), LISTED)
def test_the_list_says_of_a_command_what_its_own_help_begins_with(name, module, summary):
    shown = told(_commands_of(module)[name].help.partition("\n")[0]).replace("\\", "")
    assert shown == told(summary)


def test_every_command_of_every_module_is_listed_once():
    there = [name for module in sorted({module for _, module, _ in LISTED}) for name in _commands_of(module)]
    assert sorted(there) == sorted(name for name, *_ in LISTED)


def test_help_loads_no_installation():
    program = (
        "import sys; from signoff.cli.main import main; main(['--help']); "
        "print(sorted({'numpy', 'sqlalchemy', 'httpx', 'signoff.installation'} & sys.modules.keys()), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stderr.strip() == "[]"


def test_a_name_that_is_no_command_is_answered_with_its_neighbours(capsys):
    assert main(["chek"]) == 2
    assert "check" in capsys.readouterr().err
