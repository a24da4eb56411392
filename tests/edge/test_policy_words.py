"""What is printed of a policy agrees with the policy."""

import shutil

import pytest
import release_folder

from signoff.adapters.documents import load_policy
from signoff.cli.main import main
from signoff.domain.floor import BUILT_IN


def test_the_template_has_the_triggers_of_the_built_in_policy(tmp_path):
    assert main(["policy", "template", str(tmp_path / "policy.yaml"), "--home", str(tmp_path / "home")]) == 0
    assert load_policy(tmp_path / "policy.yaml", None).value.triggers == BUILT_IN.triggers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=600)


def notice(folder, tmp_path, *options):
    """What page one says of a trial policy."""
    line = ["memo", str(folder), "--out", str(tmp_path / "memo"), "--home", str(tmp_path / "home"), *options]
    assert main(line) in {0, 1}
    page = (tmp_path / "memo" / "deployment_memo.md").read_text()
    return next(line for line in page.splitlines() if "is not this installation's" in line)


def test_a_policy_that_was_named_is_said_by_its_name(folder, tmp_path):
    given = tmp_path / "mine.yaml"
    shutil.copy(folder / "policy.yaml", given)
    said = notice(folder, tmp_path, "--policy", str(given))
    assert "mine.yaml and is not this installation's" in said
    assert "beside the dossier" not in said


def test_a_policy_of_the_folder_is_said_to_lie_beside_the_dossier(folder, tmp_path):
    assert "policy.yaml beside the dossier and is not" in notice(folder, tmp_path)
