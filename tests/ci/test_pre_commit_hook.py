"""The hook's own entry, run on what a commit in a real repository changes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import release_folder
import yaml
from command_processes import environment

HOOKS = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    place = tmp_path_factory.mktemp("repository")
    git(place, "init", "-q")
    (place / "README.md").write_text("a model\n")
    made = release_folder.make(place / "models" / "momentum", sessions=300)
    (made / "dossier.yaml").write_text((made / "dossier.yaml").read_text().replace("timing: ", "timing: FILL IN "))
    (place / "broken").mkdir()
    (place / "broken" / "dossier.yaml").write_text("header: [")
    return place


def git(place, *line):
    who = ("-c", "user.name=N", "-c", "user.email=n@example.com")
    return subprocess.run(["git", *who, *line], cwd=place, check=True, capture_output=True, text=True).stdout


def hook(place, *changed):
    git(place, "reset", "-q")
    git(place, "add", "--", *changed)
    names = git(place, "diff", "--cached", "--name-only").split()
    program, *line = shlex.split(HOOKS[0]["entry"])
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *line, *names], cwd=place, env=environment(), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_change_to_anything_of_a_dossier_checks_that_dossier(repository):
    code, said = hook(repository, "models/momentum/inputs")
    assert code == 1
    assert "momentum v2.0.0" in said
    assert "The dossier is not finished" in said


def test_a_change_beside_every_dossier_checks_nothing(repository):
    assert hook(repository, "README.md") == (0, "")


def test_a_dossier_that_cannot_be_read_stops_the_commit_with_its_cause(repository):
    code, said = hook(repository, "broken/dossier.yaml", "README.md")
    assert code == 2
    assert "broken/dossier.yaml" in said
    assert "Traceback" not in said


def test_the_hook_is_declared_as_pre_commit_reads_it():
    (one,) = HOOKS
    assert {"id", "name", "entry", "language"} <= set(one)
    assert one["language"] == "python"
