"""Which repositories of the server a dossier that was sent to it may name: none but the installation's own."""

import httpx
import pytest
import release_folder
import yaml
from code_repository import Repository
from http_server import Served

from signoff.adapters.archives import zipped
from signoff.adapters.folders import read_folder
from signoff.adapters.git_commits import GitCommits
from signoff.domain.errors import UnavailableError


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A clone that is allowed, one that is not, and a folder beside the allowed one whose name begins alike."""
    root = tmp_path_factory.mktemp("places")
    for name in ("clones/momentum", "private/secret", "clones-of-others/secret"):
        Repository(root / name).commit("D. Novak", "d.novak@example.com")
    (root / "clones" / "out").symlink_to(root / "private" / "secret")
    return root


@pytest.fixture(scope="module")
def served(tmp_path_factory, places):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SIGNOFF_REPOSITORIES", str(places / "clones"))
        server = Served(tmp_path_factory.mktemp("repositories") / "home").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=600)
    (made / "policy.yaml").unlink()
    return made


def submitted(server, folder, repository):
    """What the server answers to a dossier that names this repository."""
    files = read_folder(folder)
    dossier = yaml.safe_load(files["dossier.yaml"])
    dossier.setdefault("governance", {})["commits"] = {"repository": repository, "until": "main"}
    content = zipped({**files, "dossier.yaml": yaml.safe_dump(dossier).encode()})
    headers = {"content-type": "application/zip"}
    client = server.client("machine")
    client.timeout = httpx.Timeout(300)
    return client.post("/api/v1/deployments", content=content, headers=headers)


@pytest.mark.slow
def test_a_path_of_the_server_is_refused_alike_whether_it_exists_or_not(served, folder, places):
    there = submitted(served, folder, str(places / "private" / "secret"))
    missing = submitted(served, folder, str(places / "private" / "nothing"))
    assert (there.status_code, missing.status_code) == (409, 409), there.text
    assert there.json()["detail"] == missing.json()["detail"]
    assert "SIGNOFF_REPOSITORIES" in there.json()["detail"]
    assert "secret" not in there.json()["detail"]


@pytest.mark.slow
def test_a_clone_in_a_folder_of_the_installation_is_read(served, folder, places):
    answer = submitted(served, folder, str(places / "clones" / "momentum"))
    assert answer.status_code == 201, answer.text


OUTSIDE = {
    "another folder": "private/secret",
    "a way out": "clones/../private/secret",
    "a link out": "clones/out",
    "a name that begins alike": "clones-of-others/secret",
    "nothing": "private/nothing",
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_what_lies_elsewhere_is_refused_in_the_same_words(places, what):
    allowed = GitCommits((places / "clones",))
    with pytest.raises(UnavailableError) as told:
        allowed.between(places / OUTSIDE[what], None, "main")
    assert str(places) not in str(told.value)
    assert "SIGNOFF_REPOSITORIES" in str(told.value)


def test_without_the_setting_a_server_reads_none(places):
    with pytest.raises(UnavailableError, match="SIGNOFF_REPOSITORIES"):
        GitCommits(()).between(places / "clones" / "momentum", None, "main")


def test_at_the_command_line_any_clone_is_read(places):
    assert GitCommits().between(places / "private" / "secret", None, "main").commits == 1
