"""Errors at the command line: no home made by looking, names that are nearly known, and JSON for programs."""

import json

import pytest
import release_folder
from command_processes import command
from several_models import Several

from signoff.domain.deployment import State


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    found = Several(tmp_path_factory.mktemp("errors") / "h")
    found.release("momentum", State.FULL)
    found.release("carry", State.LIMITED)
    return found


@pytest.mark.parametrize(
    "line",
    [
        ("status",),
        ("status", "--model", "momentum"),
        ("history", "momentum"),
        ("keys",),
        ("verify",),
        ("export", "{out}"),
        ("people", "list"),
        ("accounts", "list"),
        ("token", "list"),
        ("notices",),
        ("notices", "--retry", "all"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_command_that_reads_makes_no_home(line, is_there, tmp_path):
    home = tmp_path / "typo"
    if is_there:
        home.mkdir()
        (home / "notes.txt").write_text("no home")

    said = command(*(part.format(out=tmp_path / "out") for part in line), home=home)

    assert said.returncode == 2
    assert f"Expected a home at {home}, found none".encode() in said.stderr
    assert sorted(path.name for path in home.iterdir()) == ["notes.txt"] if is_there else not home.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line",
    [("policy", "show"), ("policy", "show", "--json"), ("memo", "{dossier}", "--out", "{out}"), ("check", "{dossier}")],
)
def test_what_has_an_answer_without_a_home_makes_none(line, tmp_path):
    home, folder = tmp_path / "typo", release_folder.make(tmp_path / "dossier", sessions=300)

    said = command(*(part.format(dossier=folder, out=tmp_path / "out") for part in line), home=home)

    assert said.stdout
    assert b"Traceback" not in said.stderr
    assert not home.exists()


def test_the_policy_of_no_home_is_the_built_in_one(tmp_path):
    shown = command("policy", "show", "--out", str(tmp_path / "now.yaml"), home=tmp_path / "typo")

    assert shown.returncode == 0
    assert (tmp_path / "now.yaml").is_file()
    assert not (tmp_path / "typo").exists()


def test_a_kill_works_in_a_home_that_is_not_there(tmp_path):
    said = command("kill", "momentum", "--reason", "x", home=tmp_path / "new")

    assert b"momentum is killed" in said.stdout
    assert command("status", home=tmp_path / "new").returncode == 0


@pytest.mark.parametrize(
    ("name", "nearest"), [("momentun", "momentum"), ("cary", "carry"), ("MOMENTUM", "momentum"), ("carry-2", "carry")]
)
def test_the_status_of_an_unknown_model_names_the_nearest(name, nearest, several):
    said = command("status", "--model", name, home=several.settings.home)

    assert said.returncode == command("status", "no-such-release", home=several.settings.home).returncode == 2
    assert f"found none by the name {name!r}. Nearest names: {nearest}".encode() in said.stderr


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("momentun", "momentum"), ("carry-3", "carry-2"), ("CARRY", "carry"), ("nothing-like-it", "carry")],
)
def test_the_history_of_an_unknown_name_names_the_nearest(name, nearest, several):
    said = command("history", name, home=several.settings.home)

    assert said.returncode == 2
    assert said.stdout == b""
    assert f"found {name!r}, which nothing is on record of; known are: {nearest}".encode() in said.stderr


def test_the_history_of_a_model_that_was_only_killed_is_its_kill(tmp_path):
    command("kill", "momentum", "--reason", "x", home=tmp_path / "new")

    assert b"KILLED" in command("history", "momentum", home=tmp_path / "new").stdout
    assert command("history", "momentun", home=tmp_path / "new").returncode == 2


def test_the_status_of_a_known_model_without_a_release_in_a_state_is_no_error(several):
    said = command("status", "--model", "momentum", "--state", "rejected", home=several.settings.home)

    assert said.returncode == 0


@pytest.mark.parametrize(
    ("line", "code", "exit_code"),
    [
        (("status", "--model", "momentun"), "notfound", 2),
        (("status", "no-such-release"), "notfound", 2),
        (("history", "momentun"), "notfound", 2),
        (("status", "--no-such-option"), "usage", 2),
        (("check", "no-such-folder"), "badinput", 2),
        (("rollout", "advance", "no-such-release"), "notfound", 2),
        (("import", "table", "no-such-file.csv", "--out", "no-such-folder"), "badinput", 2),
    ],
)
def test_an_error_with_json_is_a_document_of_its_code_beside_the_text(line, code, exit_code, several):
    said = command(*line, "--json", home=several.settings.home)

    plain = command(*line, home=several.settings.home)
    error = json.loads(said.stdout)["error"]
    assert error["code"] == code
    assert said.returncode == plain.returncode == exit_code
    assert said.stderr.strip()
    if code != "usage":
        assert " ".join(error["message"].split()) in " ".join(said.stderr.decode().split())
    assert b'"error"' not in plain.stdout


def test_a_home_that_is_not_there_is_an_error_of_json_too(tmp_path):
    said = command("status", "--json", home=tmp_path / "typo")

    assert json.loads(said.stdout)["error"]["code"] == "notfound"
