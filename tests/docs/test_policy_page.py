"""What the page on the policy tells people to type does what it says."""

import re
import shlex
from pathlib import Path

import pytest
import release_folder
import yaml

from signoff.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
LINES = [line for body in re.findall(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in body.splitlines()]
SHOWN_ID = "1f2e3d4c5b6a7980"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, role in (("R. Moreau", "risk_manager"), ("C. Yamada", "cto")):
        assert main(["people", "add", name, "--make-key", "--role", role]) == 0
    (release_folder.make(tmp_path / "release", sessions=600) / "policy.yaml").unlink()
    return tmp_path


def typed(line, capsys):
    """Type a line as it stands, but for the proposal's id; the exit code and what was said."""
    waiting = SHOWN_ID
    if SHOWN_ID in line:
        capsys.readouterr()
        main(["policy", "show", "--json"])
        (proposal,) = yaml.safe_load(capsys.readouterr().out)["proposals"]
        waiting = proposal["proposal"]
    command = shlex.split(line.replace(SHOWN_ID, waiting))
    assert command[0] == "signoff"
    capsys.readouterr()
    code = main(command[1:])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_every_line_of_the_page_does_what_it_says(place, capsys):
    assert len(LINES) == 9
    told = {}
    for line in LINES:
        if line == 'signoff policy propose now.yaml --as "R. Moreau"':
            kept = Path("now.yaml")
            kept.write_text(kept.read_text().replace('version: "1"', 'version: "2"'))  # in force already, as it stands
        code, out, err = typed(line, capsys)
        assert code in ({0, 1} if line.startswith("signoff check") else {0}), (line, err)
        told[line] = out
    assert "trial policy our firm 1" in next(out for line, out in told.items() if line.startswith("signoff check"))
    assert "version 2, confirmed by R. Moreau and C. Yamada" in told[LINES[-1]]
