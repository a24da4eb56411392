"""Authors from a real clone, which is nobody's to trust."""

import pytest
from code_repository import Repository

from signoff.adapters import git_commits
from signoff.adapters.git_commits import GitCommits
from signoff.domain.errors import UnavailableError
from signoff.ports.commits import Author

KIM, LEE, ROBIN = (Author(name, f"{name.lower()}@example.com") for name in ("Kim", "Lee", "Robin"))


@pytest.fixture
def clone(tmp_path):
    return Repository(tmp_path / "clone")


def authors(clone, since, until):
    return GitCommits().between(clone.folder, since, until)


def test_the_authors_and_co_authors_of_a_range_are_read_and_nobody_else(clone):
    first = clone.commit("Lee", "lee@example.com")
    clone.commit("Kim", "kim@example.com", "one\n\nbody\n\nCo-authored-by: Robin <robin@example.com>")
    last = clone.commit("Kim", "kim@example.com")
    found = authors(clone, first, "main")
    assert found.authors == {KIM: 2, ROBIN: 1}
    assert (found.since, found.until, found.commits) == (first, last, 2)
    assert authors(clone, None, last).authors == {KIM: 2, ROBIN: 1, LEE: 1}


def test_a_range_without_commits_has_none(clone):
    only = clone.commit("Kim", "kim@example.com")
    assert authors(clone, only, only).commits == 0


@pytest.mark.parametrize("named", ["nowhere", "--all", "0" * 40, "main\0x"])
def test_a_commit_that_is_not_there_is_said(clone, named):
    clone.commit("Kim", "kim@example.com")
    with pytest.raises(UnavailableError):
        authors(clone, None, named)


def test_a_folder_that_is_no_clone_is_said(tmp_path):
    with pytest.raises(UnavailableError, match="git could not read"):
        GitCommits().between(tmp_path, None, "main")
    with pytest.raises(UnavailableError, match="no folder"):
        GitCommits().between(tmp_path / "none", None, "main")


def test_a_shallow_clone_is_not_taken_for_the_whole_history(clone, tmp_path):
    clone.commit("Lee", "lee@example.com")
    clone.commit("Kim", "kim@example.com")
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.folder}", str(tmp_path / "shallow"))
    with pytest.raises(UnavailableError, match="shallow"):
        GitCommits().between(tmp_path / "shallow", None, "main")


def test_a_replaced_commit_hides_nobody(clone):
    lee = clone.commit("Lee", "lee@example.com")
    kim = clone.commit("Kim", "kim@example.com")
    clone.git("checkout", "--quiet", "-b", "other", lee)
    clone.git("replace", kim, clone.commit("Robin", "robin@example.com"))
    assert authors(clone, lee, kim).authors == {KIM: 1}


def test_a_clone_that_configures_git_runs_nothing(clone, tmp_path):
    clone.commit("Kim", "kim@example.com")
    told = tmp_path / "told"
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand", "log.showSignature"):
        clone.git("config", key, f"touch {told}; true")
    assert authors(clone, None, "main").commits == 1
    assert not told.exists()


def test_more_commits_than_are_read_are_no_part_of_an_answer(clone, monkeypatch):
    monkeypatch.setattr(git_commits, "MOST_COMMITS", 1)
    first = clone.commit("Kim", "kim@example.com")
    clone.commit("Kim", "kim@example.com")
    assert authors(clone, first, "main").commits == 1
    with pytest.raises(UnavailableError, match="more than 1 commits"):
        authors(clone, None, "main")
