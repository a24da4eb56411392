"""What the documents tell people to type and to click is there."""

import re
from pathlib import Path

import pytest
import yaml

from signoff.cli.main import main
from signoff.domain.policy import Policy, thresholds

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?signoff ((?:[a-z]+(?:-[a-z]+)* ?)+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def fences(language):
    return [body for path in DOCUMENTS for kind, body in FENCE.findall(path.read_text()) if kind == language]


def commands():
    typed = {match.strip() for body in fences("") for match in COMMAND.findall(body)}
    return sorted({" ".join(line.split()[:2]) if line.startswith("rollout") else line.split()[0] for line in typed})


@pytest.mark.parametrize("verb", commands())
def test_every_command_in_the_documents_exists(verb, capsys):
    assert main([*verb.split(), "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_there_are_commands_to_check():
    assert {"init", "check", "memo", "status", "verify"} <= set(commands())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for link in LINK.findall(path.read_text()):
        assert (path.parent / link).exists(), link


def test_the_thresholds_that_the_documents_tighten_exist_and_are_stricter():
    known = {t.path: t for t in thresholds(Policy(name="p", version="1"))}
    tightened = {
        k: v for body in fences("yaml") for k, v in (yaml.safe_load(body).get("plan", {}).get("tighten", {})).items()
    }
    assert tightened
    for path, value in tightened.items():
        assert known[path].allows(value), path


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
